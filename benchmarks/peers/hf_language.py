"""The peer: Llama in transformers at 6 layers of width 384, length 256, trained by the Hugging Face Trainer as it comes.

Usage: python hf_language.py --text input.txt --steps 10 --batch 12 --threads 1 [--bfloat16]
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import torch
import transformers

LENGTH = 256


class Clock(transformers.TrainerCallback):
    """State: when training began and ended; the first step warms up and does not count."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_step_end(self, args: object, state: object, control: object, **kwargs: object) -> None:
        """Note the time."""
        self.ends.append(time.perf_counter())


def main() -> None:
    """Train and write the rate as the last line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--batch", type=int, default=12)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--bfloat16", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    transformers.utils.logging.set_verbosity_error()
    characters = options.text.read_text(encoding="utf-8")
    known = {character: number for number, character in enumerate(sorted(set(characters)))}
    numbers = [known[character] for character in characters]
    rows = [numbers[start : start + LENGTH] for start in range(0, len(numbers) - LENGTH, LENGTH)]
    texts = [{"input_ids": row, "labels": row} for row in rows]
    config = transformers.LlamaConfig(
        vocab_size=67, hidden_size=384, intermediate_size=1024, num_hidden_layers=6, num_attention_heads=6,
        max_position_embeddings=LENGTH, tie_word_embeddings=True,
    )  # fmt: skip
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        arguments = transformers.TrainingArguments(
            output_dir=folder, max_steps=options.steps + 1, per_device_train_batch_size=options.batch,
            bf16=options.bfloat16, use_cpu=True, dataloader_pin_memory=False, report_to="none",
            logging_strategy="no", save_strategy="no", disable_tqdm=True,
        )  # fmt: skip
        trainer = transformers.Trainer(
            transformers.LlamaForCausalLM(config), arguments, train_dataset=texts,
            data_collator=transformers.default_data_collator, callbacks=[clock],
        )  # fmt: skip
        trainer.train()
    seconds = clock.ends[-1] - clock.ends[0]
    told = {"tokens_per_second": options.steps * options.batch * LENGTH / seconds, "seconds": seconds}
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
