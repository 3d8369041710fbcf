"""The peer of the encoder benchmark: the Trainer of Hugging Face with the same module, rows, batch and optimiser.

Usage: python hf_trainer.py --rows ROWS.npz --seed 0 --epochs 4 --threads 2 --precision float32
"""

import json
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import torch
import transformers
from torch.nn.functional import cross_entropy

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from ours_encoder import BATCH, CLIP, DECAY, RATE, accuracy_of, build_network, read_options  # noqa: E402
from ours_tabular import now, rates_of  # noqa: E402
from ours_text import read_rows  # noqa: E402


class WithLoss(torch.nn.Module):
    """State: the network; answers as the Trainer wants it, with the loss."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, tokens, length, labels):
        logits = self.network(tokens, length)
        return {"loss": cross_entropy(logits.float(), labels), "logits": logits}


class Clock(transformers.TrainerCallback):
    """State: when each epoch ended."""

    def __init__(self):
        self.ends = []

    def on_epoch_end(self, args, state, control, **kwargs):
        self.ends.append(now())


def collate(texts: list[dict]) -> dict[str, torch.Tensor]:
    """Pad the texts of a batch to its longest, as the Trainer's own collator does."""
    rows = [torch.tensor(text["input_ids"]) for text in texts]
    return {
        "tokens": torch.nn.utils.rnn.pad_sequence(rows, batch_first=True),
        "length": torch.tensor([len(row) for row in rows]),
        "labels": torch.tensor([text["labels"] for text in texts]),
    }


def main() -> None:
    """Read the command line, train once, write the result."""
    options = read_options(__doc__).parse_args()
    torch.set_num_threads(options.threads)
    transformers.utils.logging.set_verbosity_error()
    training, validation = read_rows(options.rows)
    columns = training.columns
    # Plain lists: the quickest form that the Trainer and its grouping by length take.
    texts = [
        {"input_ids": tokens[:length].tolist(), "labels": int(target)}
        for tokens, length, target in zip(columns["tokens"], columns["length"], columns["target"], strict=True)
    ]
    network = build_network(len(training.learnt["classes"]), options.seed)
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        arguments = transformers.TrainingArguments(
            output_dir=folder,
            num_train_epochs=options.epochs,
            per_device_train_batch_size=BATCH,
            learning_rate=RATE,
            weight_decay=DECAY,
            max_grad_norm=CLIP,
            lr_scheduler_type="linear",
            optim="adamw_torch_fused",
            bf16=options.precision == "bfloat16",
            train_sampling_strategy="random" if options.mixed_lengths else "group_by_length",
            remove_unused_columns=False,
            dataloader_pin_memory=False,
            use_cpu=True,
            seed=options.seed,
            report_to="none",
            logging_strategy="no",
            save_strategy="no",
            disable_tqdm=True,
        )
        trainer = transformers.Trainer(
            WithLoss(network), arguments, data_collator=collate, train_dataset=texts, callbacks=[clock]
        )
        trainer.train()
    result = {**rates_of(clock.ends, len(texts)), "accuracy": accuracy_of(network, validation)}
    about = {"seed": options.seed, "threads": options.threads, "precision": options.precision}
    versions = {
        "torch": torch.__version__,
        "transformers": version("transformers"),
        "accelerate": version("accelerate"),
    }
    sys.stdout.write(json.dumps(result | about | {"versions": versions}) + "\n")


if __name__ == "__main__":
    main()
