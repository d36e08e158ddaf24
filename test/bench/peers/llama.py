"""llama.cpp, compiled for this machine, through its own C functions: no sampler and no text between it and the clock."""

import ctypes
import os
import time

import serve

try:
    import llama_cpp as llama
    import numpy as np
except ImportError as error:
    serve.missing(error)

THREADS = int(os.environ["OMP_NUM_THREADS"])


@llama.llama_log_callback
def quiet(level, text, data):
    pass


llama.llama_log_set(quiet, ctypes.c_void_p(0))
llama.llama_backend_init()


def quantize(source, target):
    """`source` in Q4_0 by llama.cpp's own quantizer; made once."""
    if os.path.exists(target):
        return
    params = llama.llama_model_quantize_default_params()
    params.ftype = llama.LLAMA_FTYPE_MOSTLY_Q4_0
    params.allow_requantize = True
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if llama.llama_model_quantize(source.encode(), f"{target}.part".encode(), ctypes.byref(params)) != 0:
        raise RuntimeError(f"{source} could not be quantized")
    os.replace(f"{target}.part", target)


class Session:
    """A model with a context for `length` tokens, keys and values in 16 bits as is llama.cpp's default."""

    def __init__(self, file, quantized, length):
        if quantized:
            quantize(file, quantized)
        params = llama.llama_model_default_params()
        params.n_gpu_layers = 0
        self.model = llama.llama_model_load_from_file((quantized or file).encode(), params)
        if not self.model:
            raise RuntimeError(f"{quantized or file} could not be loaded")
        options = llama.llama_context_default_params()
        options.n_ctx = length
        options.n_batch = options.n_ubatch = 512
        options.n_threads = options.n_threads_batch = THREADS
        self.context = llama.llama_init_from_model(self.model, options)
        self.vocabulary = llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(self.model))

    def read(self, ids):
        for at in range(0, len(ids), 512):
            part = ids[at : at + 512]
            # Named, since the batch only points to it.
            tokens = (llama.llama_token * len(part))(*part)
            batch = llama.llama_batch_get_one(tokens, len(part))
            if llama.llama_decode(self.context, batch) != 0:
                raise RuntimeError("llama_decode failed")

    def best(self):
        logits = llama.llama_get_logits_ith(self.context, -1)
        return int(np.ctypeslib.as_array(logits, shape=(self.vocabulary,)).argmax())

    def rewind(self, length):
        llama.llama_memory_seq_rm(llama.llama_get_memory(self.context), 0, length, -1)

    def close(self):
        llama.llama_free(self.context)
        llama.llama_model_free(self.model)


OPEN = []


def opened(*args):
    while OPEN:
        OPEN.pop().close()
    OPEN.append(Session(*args))
    return OPEN[0]


def decode(file, prompt, tokens, quantized=None):
    session = opened(file, quantized, len(prompt) + tokens + 8)
    # All of the prompt but its last token: n tokens are then n passes of one token each.
    session.read(prompt[:-1])

    def run():
        session.rewind(len(prompt) - 1)
        made, token = [], prompt[-1]
        start = time.perf_counter()
        for _ in range(tokens):
            session.read([token])
            token = session.best()
            made.append(token)
        return {"seconds": time.perf_counter() - start, "count": tokens, "made": made}

    return run


def prefill(file, prompt, quantized=None):
    session = opened(file, quantized, len(prompt) + 8)

    def run():
        session.rewind(0)
        start = time.perf_counter()
        session.read(prompt)
        session.best()
        return {"seconds": time.perf_counter() - start, "count": len(prompt)}

    return run


if __name__ == "__main__":
    serve.serve(f"llama.cpp ({llama.__version__})", {"decode": decode, "prefill": prefill})
