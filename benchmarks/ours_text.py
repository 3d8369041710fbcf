"""Our side of the text benchmark: modelwright's own LSTM, task, loader and loop, until a validation accuracy is reached.

The network, the batch, the optimiser and its rate are the peer's. What makes it fast: each batch holds texts of about the
same length and is cut to its longest, so that next to nothing is computed on padding; bf16 autocast; a fused optimiser;
freed memory that is kept.

Usage: python ours_text.py --rows ROWS.npz --seed 0 --accuracy 0.8 --max-epochs 15 --threads 2
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

PARTS = ("train", "validation")
VOCABULARY, LENGTH, BATCH = 10_000, 100, 32
MODEL = {"kind": "lstm", "embedding": 16, "hidden": 128, "pooling": "last", "dropout": 0.0}


def read_rows(path: Path):
    """Return the training and validation examples that `seed_text.py` has numbered."""
    import numpy as np

    from modelwright.tasks.task import Examples

    with np.load(path) as file:
        columns = {part: {name: file[f"{part}_{name}"] for name in ("tokens", "length", "target")} for part in PARTS}
    classes = [str(name) for name in range(int(columns["train"]["target"].max()) + 1)]
    learnt = {"classes": classes, "size": VOCABULARY, "length": LENGTH}
    return [Examples(columns[part], learnt) for part in PARTS]


def draw_as_the_peer(network, generator) -> None:
    """Draw the first weights from the distributions that Keras draws them from, and train as many of them.

    Keras has one bias a gate where torch has two that are always added; the second stays zero.
    """
    import torch
    from torch.nn import init

    cell, hidden = network.recurrent, network.recurrent.hidden_size
    with torch.no_grad():
        init.uniform_(network.embedding.weight, -0.05, 0.05, generator=generator)
        init.xavier_uniform_(cell.weight_ih_l0, generator=generator)
        init.orthogonal_(cell.weight_hh_l0, generator=generator)
        init.xavier_uniform_(network.head.weight, generator=generator)
        for bias in (cell.bias_ih_l0, cell.bias_hh_l0, network.head.bias):
            bias.zero_()
        cell.bias_ih_l0[hidden : 2 * hidden] = 1.0
    cell.bias_hh_l0.requires_grad_(False)


def recipe_for(options: argparse.Namespace):
    """Return the recipe of this run."""
    from modelwright.core.recipe import recipe_from

    optimiser = {"kind": "adam", "lr": 1e-3}
    train = {"length": f"{options.max_epochs} epochs", "batch": BATCH, "optimiser": optimiser}
    train |= {"precision": options.precision, "sampler": {"kind": "by_length", "window": options.window}}
    data = {"kind": "jsonl", "path": "none"}
    sections = {"task": "text", "data": data, "model": MODEL, "train": train}
    return recipe_from({"version": 1, "seed": options.seed, **sections}, Path())


def train_until(options: argparse.Namespace) -> dict[str, object]:
    """Train epoch by epoch, look at the validation part after each, and stop at the first that reaches the accuracy.

    Units: seconds and cpu_seconds (of all threads): training and looking, from the first step; examples_per_second: of training alone.
    """
    import torch
    from ours_digits import TestLook

    from modelwright.core import registry
    from modelwright.core.randomness import derive_seed
    from modelwright.engine.guard import Guard
    from modelwright.engine.loader import Loader
    from modelwright.engine.loop import train
    from modelwright.engine.predictor import build_task, torch_predictor
    from modelwright.layouts.local import Local
    from modelwright.stages.train.parts import build_load, build_objective, build_sampler, build_turn

    recipe = recipe_for(options)
    settings, task = recipe.sections["train"], build_task(recipe.sections["task"])
    training, validation = read_rows(options.rows)
    sampler = build_sampler(settings, training, derive_seed(options.seed, "sampler"))
    per_epoch = sampler.steps_per_epoch
    total = options.max_epochs * per_epoch
    torch.manual_seed(derive_seed(options.seed, "build"))
    layout = Local(precision=settings.precision)
    network = layout.place(registry.function_of("model", "lstm")(recipe.sections["model"], training.learnt))
    draw_as_the_peer(network, torch.Generator().manual_seed(derive_seed(options.seed, "initialise")))
    turn = build_turn(settings, task, network, total, per_epoch)
    look = TestLook(torch_predictor(network, task, training.learnt), validation, per_epoch, options.accuracy)
    loader = Loader(build_load(settings, task, training, derive_seed(options.seed, "load")), 0)
    start, cpu_start = time.perf_counter(), time.process_time()
    train(
        turns=[turn],
        batches=loader.batches(sampler.batches(0, total)),
        layout=layout,
        objective=build_objective(settings, training),
        rules=[Guard()],
        observers=[look],
        seed_of_step=lambda step: derive_seed(options.seed, "step", step),
    )
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
    return {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "reached": look.accuracies[-1] >= options.accuracy,
        "examples_per_second": len(training) * len(look.accuracies) / (seconds - look.seconds),
        "accuracies": look.accuracies,
        "parameters": sum(parameter.numel() for parameter in turn.parameters()),
    }


def main() -> None:
    """Read the command line, train once, write the result as one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--accuracy", type=float, default=0.8)
    parser.add_argument("--max-epochs", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="bfloat16")
    parser.add_argument("--window", type=int, default=32, help="batches among which texts are sorted; 1: none")
    options = parser.parse_args()
    import torch

    from modelwright.engine.memory import keep_freed_memory

    torch.set_num_threads(options.threads)
    kept = keep_freed_memory("fast")
    result = train_until(options)
    settings = {name: os.environ.get(name, "unset") for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}
    chosen = {name: getattr(options, name) for name in ("seed", "threads", "precision", "window")}
    about = {"versions": {"torch": torch.__version__}, "freed_memory_kept": kept, "environment": settings}
    sys.stdout.write(json.dumps(result | chosen | about) + "\n")


if __name__ == "__main__":
    main()
