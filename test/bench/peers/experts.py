"""A layer of experts in PyTorch, forward and back, as a loop over the experts (what transformers' eager Mixtral does)."""

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
FILL = 0.05


def skewed(experts, topK, tokens):
    """As test/bench/ours/experts.ts draws it."""
    state = 12345
    weights = [1 / (e + 1) for e in range(experts)]
    total = sum(weights)
    rows = []
    for _ in range(tokens):
        chosen = []
        while len(chosen) < topK:
            state = (state * 1103515245 + 12345) % 2147483648
            at = state / 2147483648 * total
            for e in range(experts):
                at -= weights[e]
                if at < 0:
                    break
            if at < 0 and e not in chosen:
                chosen.append(e)
        rows.append(chosen)
    return torch.tensor(rows)


def experts(experts, topK, tokens, width, inside, dtype):
    def made(*shape):
        return (torch.randn(*shape) * 0.05).to(TYPES[dtype]).requires_grad_()

    x = made(tokens, width)
    layers = [(made(inside, width), made(inside, width), made(width, inside)) for _ in range(experts)]
    choice = skewed(experts, topK, tokens)
    gates = torch.full((tokens, topK), 1 / topK, dtype=TYPES[dtype])
    seed = torch.randn(tokens, width).to(TYPES[dtype])

    def body():
        start = time.perf_counter()
        out = torch.zeros_like(x)
        for e, (gate, up, down) in enumerate(layers):
            token, place = torch.where(choice == e)
            if len(token) == 0:
                continue
            rows = x[token]
            made = F.linear(F.silu(F.linear(rows, gate)) * F.linear(rows, up), down)
            out = out.index_add(0, token, made * gates[token, place, None])
        out.backward(seed)
        seconds = time.perf_counter() - start
        for leaf in (x, *(w for one in layers for w in one)):
            leaf.grad = None
        return seconds

    body()
    times = max(1, round(FILL / max(body(), 1e-6)))

    def run():
        return {"seconds": sum(body() for _ in range(times)), "count": times}

    return run


if __name__ == "__main__":
    serve.serve(f"PyTorch {torch.__version__.split('+')[0]}", {"experts": experts})
