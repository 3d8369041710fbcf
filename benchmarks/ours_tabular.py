"""Our side of the table benchmark: modelwright's own task, loader and loop for some epochs.

Usage: python ours_tabular.py --rows ROWS.npz --seed 0 --epochs 4 --threads 1
"""

import argparse
import json
import sys
import time
from pathlib import Path

BATCH, RATE, COLUMNS = 256, 1e-3, ("numbers", "missing", "codes", "target")
MODEL = {"kind": "mlp", "hidden": [128, 64], "embedding": 8, "dropout": 0.2}


def read_rows(path: Path):
    """Return the training and validation columns that `tabular_peers.py` has made, and what was learnt of them."""
    import numpy as np

    with np.load(path) as file:
        parts = [{name: file[f"{part}_{name}"] for name in COLUMNS} for part in ("train", "validation")]
        learnt = json.loads(str(file["learnt"]))
    return [*parts, learnt]


def build_network(learnt: dict, seed: int):
    """Build the network that every side trains, with the same first weights."""
    import torch

    from modelwright.core import registry

    torch.manual_seed(seed)
    settings = registry.settings_of("model", "mlp").model_validate(MODEL)
    return registry.function_of("model", "mlp")(settings, learnt)


def read_options(doc: str) -> argparse.ArgumentParser:
    """Return the parser of what every side is told."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    return parser


def accuracy_of(network, columns: dict) -> float:
    """Return the share of right answers of a network on some rows."""
    import torch

    network.eval()
    inputs = [torch.from_numpy(columns["numbers"]), torch.from_numpy(columns["missing"]).float()]
    with torch.inference_mode():
        answers = network(*inputs, torch.from_numpy(columns["codes"]).long()).argmax(dim=1)
    return float((answers == torch.from_numpy(columns["target"])).float().mean())


def now() -> tuple[float, float]:
    """Return what a clock on the wall says, and the processor time of all threads of this process so far, in seconds."""
    return time.perf_counter(), time.process_time()


def rates_of(ends: list[tuple[float, float]], examples: int) -> dict[str, float]:
    """Return the examples/s of all epochs but the first, by both clocks, from the moments at which the epochs ended."""
    passed = [last - first for first, last in zip(ends[0], ends[-1], strict=True)]
    names = ("examples_per_second", "examples_per_cpu_second")
    return {name: examples * (len(ends) - 1) / seconds for name, seconds in zip(names, passed, strict=True)}


def train_for(options: argparse.Namespace) -> dict[str, object]:
    """Train for some epochs with the parts that every run of the product has."""
    from modelwright.core.randomness import derive_seed
    from modelwright.core.recipe import recipe_from
    from modelwright.engine.guard import Guard
    from modelwright.engine.incidents import DataOrder
    from modelwright.engine.loader import Loader
    from modelwright.engine.loop import train
    from modelwright.engine.observers import LossHistory
    from modelwright.engine.predictor import build_task
    from modelwright.engine.samplers import Shuffled
    from modelwright.layouts.local import Local
    from modelwright.stages.train.parts import build_load, build_objective, build_turn
    from modelwright.tasks.task import Examples

    columns, validation, learnt = read_rows(options.rows)
    section = {"batch": BATCH, "optimiser": {"kind": "adam", "lr": RATE}}
    rest = {"task": "tabular", "data": {"kind": "csv", "path": "none"}, "model": MODEL, "train": section}
    recipe = recipe_from({"version": 1, "seed": options.seed, **rest}, Path())
    settings, task, training = recipe.sections["train"], build_task(recipe.sections["task"]), Examples(columns, learnt)
    sampler = Shuffled(len(training), BATCH, derive_seed(options.seed, "sampler"))
    per_epoch = sampler.steps_per_epoch
    total = options.epochs * per_epoch
    layout = Local()
    network = layout.place(build_network(learnt, options.seed))
    ends: list[tuple[float, float]] = []

    def clock(moment) -> bool:
        if (moment.step + 1) % per_epoch == 0:
            ends.append(now())
        return False

    loader = Loader(build_load(settings, task, training, derive_seed(options.seed, "load")), None)
    train(
        turns=[build_turn(settings, task, network, total, per_epoch)],
        batches=loader.batches(sampler.batches(0, total)),
        layout=layout,
        objective=build_objective(settings, training),
        rules=[Guard()],
        observers=[LossHistory(per_epoch), DataOrder(), clock],
        seed_of_step=lambda step: derive_seed(options.seed, "step", step),
    )
    return {**rates_of(ends, len(training)), "accuracy": accuracy_of(network, validation)}


def main() -> None:
    """Read the command line, train once, write the result as one JSON object."""
    options = read_options(__doc__).parse_args()
    import torch

    from modelwright.engine.memory import keep_freed_memory

    torch.set_num_threads(options.threads)
    keep_freed_memory("fast")
    result = train_for(options)
    about = {"seed": options.seed, "threads": options.threads, "versions": {"torch": torch.__version__}}
    sys.stdout.write(json.dumps(result | about) + "\n")


if __name__ == "__main__":
    main()
