"""mergekit's merge of two models on disk into a third, in the types that they lie there in."""

import importlib.metadata
import logging
import os
import time
from pathlib import Path

import serve

try:
    import torch
    from mergekit.config import MergeConfiguration
    from mergekit.merge import run_merge
    from mergekit.options import MergeOptions
except ImportError as error:
    serve.missing(error)

torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
logging.disable(logging.WARNING)


def merging(method, a, b, out):
    first, second = {"model": a}, {"model": b}
    config = {
        "linear": {"models": [first | {"parameters": {"weight": 0.7}}, second | {"parameters": {"weight": 0.3}}]},
        "slerp": {"models": [first, second], "base_model": a, "parameters": {"t": 0.3}},
        "ties": {"models": [second | {"parameters": {"weight": 0.5, "density": 0.5}}], "base_model": a},
    }[method] | {"merge_method": method, "dtype": "float16"}

    def run():
        start = time.perf_counter()
        run_merge(MergeConfiguration.model_validate(config), out, MergeOptions(copy_tokenizer=False, quiet=True))
        return {
            "seconds": time.perf_counter() - start,
            "count": sum(one.stat().st_size for one in Path(out).glob("*.safetensors")),
        }

    return run


serve.serve(f"mergekit {importlib.metadata.version('mergekit')}", {"merging": merging})
