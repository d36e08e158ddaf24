"""Training steps of a model in PyTorch and transformers, in f32, in f32 with bf16 autocast, or with bf16 weights."""

import contextlib
import os
import pathlib
import sys
import time
import warnings

import serve

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "fixtures"))
try:
    import peft
    import torch
    import transformers
    from make_reference import build_model, read_gguf
except ImportError as error:
    serve.missing(error)

torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
warnings.filterwarnings("ignore")
transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()


def converted(file, folder):
    """The GGUF's weights, dequantized, as transformers likes them; made once, since it takes long and much memory."""
    target = pathlib.Path(folder) / f"{pathlib.Path(file).stem}-f32"
    if not target.exists():
        part = target.with_suffix(".part")
        build_model(*read_gguf(file)).save_pretrained(part)
        part.rename(target)
    return target


def train(file, folder, ids, rank, precision):
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    target = converted(file, folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(target, dtype=dtype, attn_implementation="sdpa")
    model.train()
    if rank > 0:
        config = peft.LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM")
        model = peft.get_peft_model(model, config)
    learnt = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learnt, 1e-5, fused=True)
    batch = torch.tensor(ids)

    def run():
        start = time.perf_counter()
        mixed = torch.autocast("cpu", torch.bfloat16) if precision == "autocast" else contextlib.nullcontext()
        with mixed:
            loss = model(input_ids=batch, labels=batch).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        loss = loss.item()
        return {"seconds": time.perf_counter() - start, "count": batch.numel(), "loss": loss}

    return run


if __name__ == "__main__":
    serve.serve(f"transformers {transformers.__version__}", {"train": train})
