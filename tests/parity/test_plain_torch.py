"""The loop, its layout and its parts against ten lines of plain torch."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch

from modelwright.core import registry
from modelwright.engine.loop import train
from modelwright.engine.samplers import Shuffled
from modelwright.engine.turn import Turn
from modelwright.layouts.local import Local
from modelwright.sources.samples import SampleSettings, read
from modelwright.tasks.task import Examples, Task

STEPS, BATCH = 5, 16


@pytest.fixture(scope="module")
def digits() -> tuple[Task, Examples]:
    """Eighty real digits."""
    rows = read(SampleSettings(name="digits"), base=None).take(range(80))
    task: Task = registry.function_of("task", "image")(registry.settings_of("task", "image")())
    return task, task.examples(rows, None)


def build(model: dict[str, Any], examples: Examples) -> torch.nn.Module:
    torch.manual_seed(3)
    settings = registry.settings_of("model", model["kind"]).model_validate(model)
    network: torch.nn.Module = registry.function_of("model", model["kind"])(settings, examples.learnt)
    return network


def ours(
    network: torch.nn.Module, task: Task, examples: Examples, optimiser: dict[str, Any], micro_batch: int
) -> dict[str, torch.Tensor]:
    settings = registry.settings_of("optimiser", optimiser["kind"]).model_validate(optimiser)
    layout = Local(micro_batch=micro_batch)
    placed = layout.place(network)
    built = registry.function_of("optimiser", optimiser["kind"])(settings, placed.named_parameters())
    turn = Turn("model", placed, lambda part: task.losses(placed, part), task.sizes, built, lambda step: 1.0)
    train(
        turns=[turn],
        batches=(
            (step, task.collate(examples, indices))
            for step, indices in Shuffled(len(examples), BATCH, 9).batches(0, STEPS)
        ),
        layout=layout,
        objective=lambda losses, batch: losses,
        rules=[],
        observers=[],
        seed_of_step=lambda step: step,
    )
    return placed.state_dict()


def plain(network: torch.nn.Module, examples: Examples, optimiser: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """The ten lines: pictures scaled by hand, batches by hand, no part of ours."""
    images = examples.columns["image"].astype(np.float64)
    scaled = torch.from_numpy((images - images.mean()) / images.std()).float().permute(0, 3, 1, 2)
    targets = torch.from_numpy(examples.columns["target"])
    order = Shuffled(len(examples), BATCH, 9).order(0)
    for step in range(STEPS):
        chosen = torch.from_numpy(order[step * BATCH : (step + 1) * BATCH])
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(network(scaled[chosen]), targets[chosen]).backward()
        optimiser.step()
    return network.state_dict()


MODELS = [
    {"kind": "mlp", "hidden": [24]},
    {"kind": "linear"},
    {"kind": "cnn", "channels": [4, 6], "padding": "same", "dense": 8},
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model["kind"])
@pytest.mark.parametrize("kind", ["sgd", "adam"])
@pytest.mark.parametrize("micro_batch", [0, 6])
def test_five_steps_end_in_the_same_weights(
    digits: tuple[Task, Examples], model: dict[str, Any], kind: str, micro_batch: int
) -> None:
    task, examples = digits
    network = build(model, examples)
    twin = copy.deepcopy(network)
    if kind == "sgd":
        chosen, optimiser = {"kind": "sgd", "lr": 0.05}, torch.optim.SGD(twin.parameters(), lr=0.05)
    else:
        # A larger epsilon: where a gradient is nearly zero, Adam divides rounding by rounding.
        chosen, optimiser = (
            {"kind": "adam", "lr": 1e-3, "eps": 1e-3},
            torch.optim.Adam(twin.parameters(), lr=1e-3, eps=1e-3),
        )
    begun = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    found, expected = ours(network, task, examples, chosen, micro_batch), plain(twin, examples, optimiser)
    # In micro-batches, or with channels last in memory, sums are taken in another order.
    tolerance = 1e-7 if micro_batch == 0 and model["kind"] != "cnn" else 1e-6
    for name, tensor in expected.items():
        assert float((found[name] - tensor).abs().max()) <= tolerance, name
        assert float((begun[name] - tensor).abs().max()) > 1e-4, name
