"""Dead units are counted where they were planted, whatever the ReLU is called and whatever shape it sees."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from modelwright.engine.dead_units import EXAMPLES, count_dead_units
from modelwright.tasks.task import Batch, Examples, Task


@pytest.fixture(autouse=True)
def _first_weights() -> None:
    """First weights may leave a unit dead by chance; these do not."""
    torch.manual_seed(4)


class Counting:
    """State: how many examples were asked for; a task whose examples are rows of numbers."""

    def __init__(self) -> None:
        self.seen = 0

    def task(self) -> Task:
        def collate(examples: Examples, indices: np.ndarray, room: Any = None) -> Batch:
            self.seen += len(indices)
            inputs = torch.from_numpy(examples.columns["x"][indices])
            return Batch({"x": inputs}, torch.zeros(len(indices)), indices)

        def predict(model: nn.Module, batch: Batch) -> torch.Tensor:
            return model(batch.inputs["x"])

        nothing: Any = None
        return Task("tabular", nothing, collate, nothing, nothing, predict, nothing, nothing)


def examples(shape: tuple[int, ...], n: int = 200) -> Examples:
    generator = np.random.default_rng(0)
    return Examples({"x": generator.normal(size=(n, *shape)).astype(np.float32)}, {})


def kill(layer: nn.Module, units: list[int]) -> None:
    with torch.no_grad():
        layer.bias[units] = -1000.0  # type: ignore[index]


class Functional(nn.Module):
    """A network whose ReLUs are functions, one of them met twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(6, 8), nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        once = nn.functional.relu(self.first(x))
        return torch.relu(self.second(once)) + nn.functional.relu6(self.second(once + 1.0)) + self.second(once).relu()


def test_planted_dead_units_are_counted() -> None:
    network = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 2))
    kill(network[0], [0, 5, 7])
    network.train()
    assert count_dead_units(network, Counting().task(), examples((6,))) == {"0": (3, 16), "3": (0, 8)}
    assert network.training
    kill(network[3], list(range(8)))
    assert count_dead_units(network, Counting().task(), examples((6,)))["3"] == (8, 8)


def test_channels_of_convolutions_and_batch_norms() -> None:
    network = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.MaxPool2d(2), nn.ReLU(), nn.Conv2d(4, 5, 3), nn.BatchNorm2d(5), nn.ReLU(),
        nn.Flatten(), nn.LazyLinear(3),
    )  # fmt: skip
    kill(network[0], [2])
    kill(network[4], [0, 1, 4])
    network.eval()
    assert count_dead_units(network, Counting().task(), examples((1, 12, 12))) == {"0": (1, 4), "4": (3, 5)}
    assert not network.training


def test_functions_count_as_modules_do_and_a_unit_lives_if_it_ever_lived() -> None:
    torch.manual_seed(0)
    network = Functional()
    kill(network.first, [1, 2])
    found = count_dead_units(network, Counting().task(), examples((6,)))
    assert found["first"] == (2, 8)
    assert found["second"][1] == 8
    assert set(found) == {"first", "second"}


@pytest.mark.parametrize(("n", "seen"), [(40, 40), (2000, EXAMPLES)])
def test_so_many_examples_are_looked_at_and_no_hook_stays(n: int, seen: int) -> None:
    counting, network = Counting(), nn.Sequential(nn.Linear(6, 4), nn.ReLU())
    count_dead_units(network, counting.task(), examples((6,), n))
    assert counting.seen == seen
    assert not any(module._forward_hooks for module in network.modules())


def test_a_network_without_relu_has_nothing_to_count() -> None:
    network = nn.Sequential(nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 2))
    assert count_dead_units(network, Counting().task(), examples((6,))) == {}
