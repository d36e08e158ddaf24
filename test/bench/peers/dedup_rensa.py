"""rensa's MinHash with bands, from texts in memory to flags of copies: five words in a row, as ours, and its README's own words."""

import importlib.metadata
import json
import time

import serve

try:
    from rensa import RMinHash, RMinHashLSH
except ImportError as error:
    serve.missing(error)

BANDS, ROWS = 14, 8


def flagged(sets):
    matrix = RMinHash.digest_matrix_from_token_sets(sets, BANDS * ROWS, 42)
    return RMinHashLSH(0.8, BANDS * ROWS, BANDS).query_duplicate_flags_matrix_one_shot(matrix)


def timed(file, features):
    texts = json.load(open(file))

    def run():
        start = time.perf_counter()
        flagged([features(text) for text in texts])
        return {"seconds": time.perf_counter() - start, "count": len(texts)}

    run()
    return run


def five(text):
    words = text.lower().split()
    return [" ".join(words[i : i + 5]) for i in range(len(words) - 4)]


JOBS = {"grams": lambda file: timed(file, five), "words": lambda file: timed(file, str.split)}
serve.serve(f"rensa {importlib.metadata.version('rensa')}", JOBS)
