"""The Rust tokenizers, from texts in memory to lists of ids."""

import importlib.metadata
import json
import os
import time

os.environ["TOKENIZERS_PARALLELISM"] = "true"
os.environ["RAYON_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"]

import serve

try:
    import tokenizers
except ImportError as error:
    serve.missing(error)


def tokenization(file, vocabulary):
    texts = json.load(open(file))
    tokenizer = tokenizers.Tokenizer.from_file(vocabulary)
    size = sum(len(text.encode()) for text in texts)

    def run():
        start = time.perf_counter()
        tokens = sum(len(one.ids) for one in tokenizer.encode_batch_fast(texts, add_special_tokens=False))
        return {"seconds": time.perf_counter() - start, "count": size, "made": [tokens]}

    run()
    return run


serve.serve(f"tokenizers {importlib.metadata.version('tokenizers')}", {"tokenization": tokenization})
