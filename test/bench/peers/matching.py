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
    from compaction.algorithms.omp import DEFAULT_PROGRESSIVE_SCHEDULE, OMPCompaction
except ImportError as error:
    serve.missing(error)

torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))


def method(select):
    if select == "hak":
        bounds = {"nnls_lower_bound": math.exp(-3), "nnls_upper_bound": math.exp(3)}
        return HighestAttentionKeysCompaction(nnls_iters=2, score_method="rms", c2_method="lsq", **bounds)
    settings = {"nnls_upper_bound": math.exp(7), "drop_key_beta_cutoff": -7, "c2_method": "lsq"}
    if select == "omp":
        return OMPCompaction(nnls_iters=0, progressive_schedule=DEFAULT_PROGRESSIVE_SCHEDULE, **settings)
    return OMPCompaction(nnls_iters=0, k_choice=4, nnls_interval=2, **settings)


def parts(data, *shapes):
    """Of a file of f32, tensors one after another."""
    numbers = torch.from_numpy(numpy.fromfile(data, dtype=numpy.float32))
    sizes = [math.prod(shape) for shape in shapes]
    return [part.view(shape) for part, shape in zip(numbers.split(sizes), shapes)]


def matching(data, kvHeads, headWidth, length, queries, keys, select, **_):
    """`data`: f32 keys and values [kvHeads, length, headWidth], then queries [kvHeads, queries, headWidth]."""
    stored = (kvHeads, length, headWidth)
    k, v, q = parts(data, stored, stored, (kvHeads, queries, headWidth))
    made = method(select)

    def run():
        start = time.perf_counter()
        for head in range(kvHeads):
            made.compute_compacted_cache(k[head], v[head], q[head], keys)
        return {"seconds": time.perf_counter() - start, "count": 1}

    return run


def attention(q, k, v, bias=0):
    return torch.softmax(q @ k.T / math.sqrt(k.shape[1]) + bias, 1) @ v


def quality(data, layers, ratios, select, kvHeads, headWidth, length, queries, held, **_):
    """One turn a layer and ratio: ||o' - o|| / ||o|| at `held` queries, by method. `data` as ours/quality.ts writes it."""
    turns = iter([(layer, ratio) for layer in layers for ratio in ratios])
    stored, rows = (kvHeads, length, headWidth), [(kvHeads, n, headWidth) for n in (queries, held)]

    def run():
        start = time.perf_counter()
        layer, ratio = next(turns)
        k, v, q, unseen = parts(f"{data}-{layer}", stored, stored, *rows)
        found = {}
        for name in select:
            lost = whole = 0
            for h in range(kvHeads):
                keys, bias, values, _ = method(name).compute_compacted_cache(k[h], v[h], q[h], length // ratio)
                out = attention(unseen[h], k[h], v[h])
                lost += (attention(unseen[h], keys, values, bias) - out).square().sum().item()
                whole += out.square().sum().item()
            found[name] = math.sqrt(lost / whole)
        return {"seconds": time.perf_counter() - start, "count": 1, "found": found}

    return run


serve.serve(f"adamzweiger/compaction, torch {torch.__version__}", {"matching": matching, "quality": quality})
