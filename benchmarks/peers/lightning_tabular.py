"""The peer Lightning on the table benchmark: the same module, rows, batch and optimiser.

Usage: python lightning_tabular.py --rows ROWS.npz --seed 0 --epochs 4 --threads 1 [--batched] [--workers 1]
"""

import json
import logging
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

import lightning
import torch
from torch.utils.data import BatchSampler, DataLoader, Dataset, RandomSampler, TensorDataset

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent.parent / "src")]

from ours_tabular import BATCH, RATE, accuracy_of, build_network, now, rates_of, read_options, read_rows  # noqa: E402


class Wrapped(lightning.LightningModule):
    """State: the network, and when each epoch ended."""

    def __init__(self, network):
        super().__init__()
        self.network, self.ends = network, []

    def training_step(self, batch, number):
        *inputs, targets = batch
        return torch.nn.functional.cross_entropy(self.network(*inputs), targets)

    def on_train_epoch_end(self):
        self.ends.append(now())

    def configure_optimizers(self):
        return torch.optim.Adam(self.network.parameters(), lr=RATE, fused=True)


def build_loader(dataset: Dataset, batched: bool, workers: int) -> DataLoader:
    """Return the loader: example by example as is usual, or a whole batch with one index."""
    rest = {"num_workers": workers, "persistent_workers": workers > 0}
    if batched:
        return DataLoader(dataset, sampler=BatchSampler(RandomSampler(dataset), BATCH, False), batch_size=None, **rest)
    return DataLoader(dataset, batch_size=BATCH, shuffle=True, **rest)


def main() -> None:
    """Read the command line, train once, write the result."""
    parser = read_options(__doc__)
    parser.add_argument("--batched", action="store_true", help="fetch a whole batch with one index")
    parser.add_argument("--workers", type=int, default=0)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    torch.set_num_threads(options.threads)
    columns, validation, learnt = read_rows(options.rows)
    tensors = [torch.from_numpy(columns["numbers"]), torch.from_numpy(columns["missing"]).float()]
    tensors += [torch.from_numpy(columns["codes"]).long(), torch.from_numpy(columns["target"])]
    lightning.seed_everything(options.seed, verbose=False)
    module = Wrapped(build_network(learnt, options.seed))
    trainer = lightning.Trainer(
        max_epochs=options.epochs,
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, build_loader(TensorDataset(*tensors), options.batched, options.workers))
    result = {
        **rates_of(module.ends, len(tensors[0])),
        "accuracy": accuracy_of(module.network, validation),
    }
    about = {"seed": options.seed, "threads": options.threads, "batched": options.batched, "workers": options.workers}
    versions = {"torch": torch.__version__, "lightning": version("lightning")}
    sys.stdout.write(json.dumps(result | about | {"versions": versions}) + "\n")


if __name__ == "__main__":
    main()
