"""The peer skorch on the table benchmark: the same module, rows, batch and optimiser.

Usage: python skorch_tabular.py --rows ROWS.npz --seed 0 --epochs 4 --threads 1 [--batched]
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import skorch
import torch
from torch.utils.data import BatchSampler, DataLoader, RandomSampler

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent.parent / "src")]

from ours_tabular import BATCH, RATE, accuracy_of, build_network, now, rates_of, read_options, read_rows  # noqa: E402


class Clock(skorch.callbacks.Callback):
    """State: when each epoch ended."""

    def initialize(self):
        self.ends = []
        return self

    def on_epoch_end(self, net, **kwargs):
        self.ends.append(now())


def whole_batches(dataset, batch_size: int, **kwargs) -> DataLoader:
    """Return a loader that asks the dataset for a whole batch at once, and not example by example."""
    return DataLoader(dataset, sampler=BatchSampler(RandomSampler(dataset), batch_size, False), batch_size=None)


def main() -> None:
    """Read the command line, train once, write the result."""
    parser = read_options(__doc__)
    parser.add_argument("--batched", action="store_true", help="fetch a whole batch with one index")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    columns, validation, learnt = read_rows(options.rows)
    inputs = {
        "numbers": columns["numbers"],
        "missing": columns["missing"].astype("float32"),
        "codes": columns["codes"].astype("int64"),
    }
    torch.manual_seed(options.seed)
    clock = Clock()
    net = skorch.NeuralNet(
        build_network(learnt, options.seed),
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=RATE,
        optimizer__fused=True,
        batch_size=BATCH,
        max_epochs=options.epochs,
        train_split=None,
        iterator_train__shuffle=not options.batched,
        callbacks=[("clock", clock)],
        callbacks__print_log=None,
        verbose=0,
        **({"iterator_train": whole_batches} if options.batched else {}),
    )
    net.fit(inputs, columns["target"])
    result = {
        **rates_of(dict(net.callbacks_)["clock"].ends, len(columns["target"])),
        "accuracy": accuracy_of(net.module_, validation),
    }
    about = {"seed": options.seed, "threads": options.threads, "batched": options.batched}
    versions = {"torch": torch.__version__, "skorch": version("skorch")}
    sys.stdout.write(json.dumps(result | about | {"versions": versions}) + "\n")


if __name__ == "__main__":
    main()
