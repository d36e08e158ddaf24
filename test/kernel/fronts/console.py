"""jupyter-console on a pseudo-terminal: types what it is told to, and waits for what should come, so many seconds each time as
its argument says. Prints, as JSON, what was shown after each, without colours.

Standard input is a list of [keys, text to wait for]. What stands on the screen is not drawn, only read: escape sequences are
taken out, so a line that the console draws twice is read twice."""

import json
import os
import re
import sys
import time

import pexpect

PATIENCE = float(sys.argv[1])
ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][A-Z0-9]|[=>78])")

env = {**os.environ, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1", "PAGER": "cat"}
console = pexpect.spawn(
    sys.executable,
    # A kernel that has not said within a second whether a line is complete is not asked again, on a busy machine too.
    ["-m", "jupyter_console", "--kernel", "lensor", "--ZMQTerminalInteractiveShell.kernel_is_complete_timeout=60"],
    env=env,
    dimensions=(60, 160),
    encoding="utf-8",
)


def until(wanted):
    """What is shown until a text comes, and whether it came."""
    raw = ""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            raw += console.read_nonblocking(65536, timeout=1)
        except pexpect.TIMEOUT:
            pass
        except pexpect.EOF:
            return ESCAPE.sub("", raw), False
        if wanted in ESCAPE.sub("", raw):
            # The prompt is there before the console listens to keys.
            time.sleep(0.2)
            return ESCAPE.sub("", raw), True
    return ESCAPE.sub("", raw), False


shown = []
for keys, wanted in json.load(sys.stdin):
    console.send(keys)
    text, came = until(wanted)
    shown.append(text)
    if not came:
        sys.exit(f"After {keys!r} there should be {wanted!r}, and there is {text!r}. Before: {shown[:-1]!r}")
console.close(force=True)
print(json.dumps(shown))
