"""A private training at the level of the loop: a linear model on made-up rows, canaries among them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from modelwright.engine.loader import Loader
from modelwright.engine.loop import train
from modelwright.engine.private import Private, build_dp_sgd, with_canaries
from modelwright.engine.turn import Turn
from modelwright.layouts.local import Local
from modelwright.methods.privacy.settings import DpSgd
from modelwright.tasks.task import Batch

EXAMPLES, FEATURES, CLASSES, EXPECTED = 200, 8, 3, 20


def load(step: int, indices: np.ndarray, room: object) -> Batch:
    """Make the batch of some rows; a row follows from its number."""
    if not len(indices):
        return Batch({}, torch.empty(0, dtype=torch.int64), indices)
    grid = torch.from_numpy(np.sin(np.outer(indices + 1.0, np.arange(1.0, FEATURES + 1)) * 1.7)).float()
    return Batch({"x": grid}, torch.from_numpy(indices % CLASSES), indices)


def train_privately(folder: Path, steps: int, **settings: object) -> tuple[Private, Turn]:
    """Train a linear model for some steps with the real parts; return them."""
    torch.manual_seed(3)
    network = torch.nn.Linear(FEATURES, CLASSES)
    chosen = DpSgd.model_validate({"delta": 1e-5, **settings})
    private = build_dp_sgd(
        chosen,
        network,
        examples=EXAMPLES,
        batch=EXPECTED,
        total=steps,
        folder=folder,
        note=lambda *words, **facts: None,
    )
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1)

    def losses(batch: Batch) -> torch.Tensor:
        return cross_entropy(network(batch.inputs["x"]), batch.targets, reduction="none")

    plain = Turn("model", network, losses, lambda batch: torch.ones(len(batch)), optimiser, lambda step: 1.0)
    turn = with_canaries(private, plain)
    loading = private.canaries.load(load) if private.canaries else load
    train(
        turns=[turn],
        batches=Loader(loading, 0).batches(private.sampler.batches(0, steps)),
        layout=Local(example_gradients=private.gradients),
        objective=lambda values, batch: values,
        rules=private.rules(lambda turn, values: 0),
        observers=[private.accountant, private.sizes],
        seed_of_step=lambda step: step,
    )
    return private, turn
