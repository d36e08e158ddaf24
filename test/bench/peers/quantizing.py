"""GPTQModel's GPTQ of a model on disk at 3 bits, group 64, symmetric. Loading is not counted: its model is used up by a turn."""

import importlib.metadata
import os
import time

import serve

# It does not begin where there are two processors or fewer.
processors = os.cpu_count()
os.cpu_count = lambda: max(4, processors or 1)

try:
    import torch
    from gptqmodel import GPTQModel, QuantizeConfig
except ImportError as error:
    serve.missing(error)

torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))


def quantizing(folder, texts):
    def run():
        model = GPTQModel.load(folder, QuantizeConfig(bits=3, group_size=64, sym=True, device="cpu"))
        ids = [model.tokenizer(text, add_special_tokens=False).input_ids for text in texts]
        rows = [{"input_ids": one, "attention_mask": [1] * len(one)} for one in ids]
        start = time.perf_counter()
        model.quantize(rows, batch_size=1)
        return {"seconds": time.perf_counter() - start, "count": 1}

    return run


serve.serve(f"GPTQModel {importlib.metadata.version('gptqmodel')}", {"quantizing": quantizing})
