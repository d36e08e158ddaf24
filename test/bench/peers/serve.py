"""What every peer's script shares: one request a line in, one line of JSON out; the same words as side.ts.

A script gives its name and a function a job: `job(args) -> run`, and `run() -> {seconds, count, ...}`. Whatever else is
printed goes to the error stream.
"""

import json
import os
import resource
import sys

# Linux counts in kibibytes, macOS in bytes.
KIB = 1 if sys.platform == "darwin" else 1024
ANSWERS = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


def answer(**values):
    ANSWERS.write(json.dumps(values) + "\n")
    ANSWERS.flush()


def missing(error):
    """Says which package could not be imported, and leaves."""
    answer(missing=error.name)
    sys.exit(0)


def serve(name, jobs):
    answer(ready=name)
    run = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "prepare" in request:
                run = None
                run = jobs[request["prepare"]](**request["args"])
                answer()
            else:
                turn = run()
                answer(peakBytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB, **turn)
        except Exception as error:
            answer(error=f"{type(error).__name__}: {error}")
