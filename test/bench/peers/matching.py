"""Attention Matching by its authors' implementation (adamzweiger/compaction), with the paper's settings, one head after another."""

import math
import os
import pathlib
import sys
import time

import serve

try:
    import numpy
    import torch

    sys.path.append(str(pathlib.Path(sys.executable).parents[2] / "compaction"))
    from compaction.algorithms.highest_attention_keys import HighestAttentionKeysCompaction
    from compaction.algorithms.omp import OMPCompaction
except ImportError as error:
    serve.missing(error)

torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))


def method(select):
    if select == "hak":
        bounds = {"nnls_lower_bound": math.exp(-3), "nnls_upper_bound": math.exp(3)}
        return HighestAttentionKeysCompaction(nnls_iters=2, score_method="rms", c2_method="lsq", **bounds)
    settings = {"nnls_upper_bound": math.exp(7), "drop_key_beta_cutoff": -7, "c2_method": "lsq"}
    return OMPCompaction(nnls_iters=0, k_choice=4, nnls_interval=2, **settings)


def matching(data, kvHeads, headWidth, length, queries, keys, select, **_):
    """`data`: f32 keys and values [kvHeads, length, headWidth], then queries [kvHeads, queries, headWidth]."""
    numbers = torch.from_numpy(numpy.fromfile(data, dtype=numpy.float32))
    stored = kvHeads * length * headWidth
    k, v = (numbers[i * stored : (i + 1) * stored].view(kvHeads, length, headWidth) for i in range(2))
    q = numbers[2 * stored :].view(kvHeads, queries, headWidth)
    made = method(select)

    def run():
        start = time.perf_counter()
        for head in range(kvHeads):
            made.compute_compacted_cache(k[head], v[head], q[head], keys)
        return {"seconds": time.perf_counter() - start, "count": 1}

    return run


serve.serve(f"adamzweiger/compaction, torch {torch.__version__}", {"matching": matching})
