"""PyTorch's products and attention."""

import os
import time

import serve

try:
    import torch
    import torch.nn.functional as F
except ImportError as error:
    serve.missing(error)

torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
TYPES = {"f32": torch.float32, "bf16": torch.bfloat16}
# A turn repeats its job for about this long.
FILL = 0.015


def repeated(body):
    """Runs `body` often enough for the clock; it returns the seconds that count."""
    body()
    times = max(1, round(FILL / max(body(), 1e-6)))

    def run():
        return {"seconds": sum(body() for _ in range(times)), "count": times}

    return run


def gemm(M, K, N, dtype):
    a, b = torch.randn(M, K).to(TYPES[dtype]), torch.randn(K, N).to(TYPES[dtype])
    out = torch.empty(M, N, dtype=TYPES[dtype])

    def body():
        start = time.perf_counter()
        torch.mm(a, b, out=out)
        return time.perf_counter() - start

    return repeated(body)


def attention(heads, kvHeads, width, T, dtype, **which):
    def made(count):
        return torch.randn(1, count, T, width).to(TYPES[dtype])

    # It wants as many heads of keys as of queries: repeated outside the timing.
    q, k, v = made(heads), *(made(kvHeads).repeat_interleave(heads // kvHeads, 1) for _ in range(2))
    back = which["pass"] == "backward"
    for x in (q, k, v):
        x.requires_grad_(back)
    seed = made(heads)

    def body():
        start = time.perf_counter()
        out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        if not back:
            return time.perf_counter() - start
        start = time.perf_counter()
        out.backward(seed)
        seconds = time.perf_counter() - start
        q.grad = k.grad = v.grad = None
        return seconds

    return repeated(body)


if __name__ == "__main__":
    serve.serve(f"PyTorch {torch.__version__.split('+')[0]}", {"gemm": gemm, "attention": attention})
