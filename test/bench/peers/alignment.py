"""A step of TRL's DPO on LoRA adapters, and transformers' generate of several texts at once."""

import os
import tempfile
import time
import warnings

import serve

try:
    import datasets
    import peft
    import torch
    import transformers
    import trl
    from training import converted
except ImportError as error:
    serve.missing(error)

torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
warnings.filterwarnings("ignore")
transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
datasets.disable_progress_bars()


def opened(file, folder, precision):
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    path = converted(file, folder)
    return transformers.AutoModelForCausalLM.from_pretrained(path, dtype=dtype, attn_implementation="sdpa"), path


def dpo(file, folder, pairs, rank, precision):
    model, path = opened(file, folder, precision)
    reader = transformers.AutoTokenizer.from_pretrained(tokenizer_of(file, path))
    settings = trl.DPOConfig(
        output_dir=tempfile.mkdtemp(), per_device_train_batch_size=len(pairs), learning_rate=1e-5, beta=0.1, bf16=False,
        report_to=[], use_cpu=True, gradient_checkpointing=False, disable_tqdm=True,
    )
    trainer = trl.DPOTrainer(
        model=model, args=settings, train_dataset=datasets.Dataset.from_list(pairs), processing_class=reader,
        peft_config=peft.LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM"),
    )
    batch = next(iter(trainer.get_train_dataloader()))
    trainer.create_optimizer()
    trainer.current_gradient_accumulation_steps = 1  # what train() would set
    count = int(batch["attention_mask"].sum())

    def run():
        start = time.perf_counter()
        trainer.training_step(trainer.model, batch)
        trainer.optimizer.step()
        trainer.optimizer.zero_grad()
        return {"seconds": time.perf_counter() - start, "count": count}

    return run


def tokenizer_of(file, path):
    """The model's own tokenizer beside its weights, written once."""
    from make_reference import build_tokenizer, read_gguf

    if not (path / "tokenizer.json").exists():
        fields, _ = read_gguf(file)
        fast = transformers.PreTrainedTokenizerFast(
            tokenizer_object=build_tokenizer(fields), eos_token="<|im_end|>", pad_token="<|im_end|>"
        )
        fast.save_pretrained(path)
    return path


def replies(file, folder, texts, tokens, precision):
    model, path = opened(file, folder, precision)
    reader = transformers.AutoTokenizer.from_pretrained(tokenizer_of(file, path))
    batch = reader(["Once upon a time"] * texts, return_tensors="pt")

    def run():
        start = time.perf_counter()
        with torch.no_grad():
            model.generate(
                **batch, max_new_tokens=tokens, min_new_tokens=tokens, do_sample=True, temperature=1.0, top_k=0, pad_token_id=2
            )
        return {"seconds": time.perf_counter() - start, "count": texts * tokens}

    return run


if __name__ == "__main__":
    serve.serve(f"TRL {trl.__version__}, transformers {transformers.__version__}", {"dpo": dpo, "replies": replies})
