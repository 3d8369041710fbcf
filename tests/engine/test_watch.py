"""What the watch measures is what a plain loop measures, and planted faults of training are named."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from modelwright.engine.loop import Verdict, train
from modelwright.engine.turn import Turn
from modelwright.engine.watch import Watch, steps_between_looks
from modelwright.layouts.local import Local
from modelwright.methods.diagnosis.gradients import judge_gradients, judge_updates
from modelwright.stages.train.diagnosis import samples_of


@dataclass(frozen=True)
class Digits:
    """A batch of real digits."""

    images: torch.Tensor
    targets: torch.Tensor

    def __len__(self) -> int:
        return len(self.targets)

    def part(self, start: int, stop: int) -> Digits:
        return Digits(self.images[start:stop], self.targets[start:stop])


@pytest.fixture(scope="module")
def batches() -> list[Digits]:
    images, targets = load_digits(return_X_y=True)
    pixels, labels = torch.tensor(images / 8 - 1, dtype=torch.float32), torch.tensor(targets)
    return [Digits(pixels[start : start + 64], labels[start : start + 64]) for start in range(0, 1664, 64)]


def turn_of(network: nn.Module, optimiser: torch.optim.Optimizer) -> Turn:
    def losses(batch: Digits) -> torch.Tensor:
        return nn.functional.cross_entropy(network(batch.images), batch.targets, reduction="none")

    return Turn("model", network, losses, lambda batch: torch.ones(len(batch)), optimiser, lambda step: 1.0)


def dense(widths: list[int], activation: Callable[[], nn.Module]) -> nn.Sequential:
    torch.manual_seed(3)
    layers: list[nn.Module] = []
    for narrow, wide in zip([64, *widths], [*widths, 10], strict=True):
        layers += [nn.Linear(narrow, wide), activation()]
    return nn.Sequential(*layers[:-1])


def watched(network: nn.Module, batches: list[Digits], steps: int = 12, lr: float = 1e-3, every: int = 3) -> Watch:
    """Train for some steps under a watch."""
    watch = Watch(every)
    go_on(watch, turn_of(network, torch.optim.Adam(network.parameters(), lr=lr)), batches, 0, steps)
    return watch


def go_on(watch: Watch, turn: Turn, batches: list[Digits], start: int, steps: int, rules: tuple[Any, ...] = ()) -> None:
    train(
        turns=[turn],
        batches=((step, batches[step % len(batches)]) for step in range(start, steps)),
        layout=Local(),
        objective=lambda losses, batch: losses,
        rules=[watch.look, *rules],
        observers=[watch],
        seed_of_step=lambda step: step,
    )


def codes(watch: Watch) -> set[str]:
    samples = samples_of(watch.points)
    return {finding.code for finding in (*judge_gradients(samples, 0.0), *judge_updates(samples))}


def test_it_measures_what_a_plain_loop_measures(batches: list[Digits]) -> None:
    network, twin = dense([16], nn.ReLU), dense([16], nn.ReLU)
    watch = watched(network, batches, steps=5, every=2)
    optimiser = torch.optim.Adam(twin.parameters(), lr=1e-3)
    assert [point["step"] for point in watch.points] == [0, 2, 4]
    for step in range(5):
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(twin(batches[step].images), batches[step].targets)
        loss.backward()
        before = [twin[index].weight.detach().clone() for index in (0, 2)]
        optimiser.step()
        if step % 2:
            continue
        point = watch.points[step // 2]
        gradient = math.sqrt(sum(float(parameter.grad.square().sum()) for parameter in twin.parameters()))
        assert (point["loss"], point["norm"]) == pytest.approx((float(loss.detach()), gradient), rel=1e-4)
        assert point["lr"] == 1e-3
        for index, old in zip((0, 2), before, strict=True):
            weight = twin[index].weight
            # The update is told from some of the entries; here they are all of them.
            expected = [weight.grad.norm(), old.norm(), (weight.detach() - old).norm() / old.norm()]
            assert point["layers"][str(index)] == pytest.approx([float(item) for item in expected], rel=1e-4)


def test_the_update_of_a_large_matrix_is_told_from_a_part_of_it(batches: list[Digits]) -> None:
    network = dense([512], nn.ReLU)
    before = network[0].weight.detach().clone()
    (point,) = watched(network, batches, steps=1).points
    exact = (network[0].weight.detach() - before).norm() / before.norm()
    assert point["layers"]["0"][2] == pytest.approx(float(exact), rel=0.05)


def test_a_healthy_training_has_no_finding(batches: list[Digits]) -> None:
    assert codes(watched(dense([64, 64], nn.ReLU), batches, steps=60)) == set()


def test_planted_faults_are_named(batches: list[Digits]) -> None:
    exploding = dense([64] * 4, nn.ReLU)
    with torch.no_grad():
        for module in exploding:
            if isinstance(module, nn.Linear):
                nn.init.kaiming_normal_(module.weight)
                module.weight.mul_(100)
    assert "exploding_gradients" in codes(watched(exploding, batches))
    assert "vanishing_gradients" in codes(watched(dense([32] * 20, nn.Sigmoid), batches))
    assert codes(watched(dense([64], nn.ReLU), batches, lr=1e-9)) == {"short_steps"}
    assert "leap" in codes(watched(dense([64], nn.ReLU), batches, lr=10.0))


def test_a_step_that_is_not_taken_has_no_update_and_nothing_is_infinite_in_json(batches: list[Digits]) -> None:
    network = dense([16], nn.ReLU)
    with torch.no_grad():
        network[2].weight[0, 0] = math.nan
    watch = Watch(1)
    turn = turn_of(network, torch.optim.SGD(network.parameters(), lr=0.1))
    go_on(watch, turn, batches, 0, 2, rules=(lambda turn, losses: Verdict.SKIP,))
    assert [point["norm"] for point in watch.points] == [None, None]
    assert all(seen[2] is None for point in watch.points for seen in point["layers"].values())
    assert samples_of(watch.points)[0].norm == math.inf


def test_it_goes_on_from_a_checkpoint(batches: list[Digits]) -> None:
    network = dense([16], nn.ReLU)
    turn = turn_of(network, torch.optim.SGD(network.parameters(), lr=0.1))
    watch, resumed = Watch(3), Watch(3)
    go_on(watch, turn, batches, 0, 5)
    tensors, numbers = watch.state()
    saved = list(numbers["points"])
    resumed.restore(tensors, numbers)
    go_on(resumed, turn, batches, 5, 10)
    assert [point["step"] for point in resumed.points] == [0, 3, 6, 9]
    # What a checkpoint holds does not grow behind its back.
    assert numbers["points"] == saved


def test_many_layers_are_taken_together_by_block(batches: list[Digits]) -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = nn.Linear(64, 64), nn.Linear(64, 64)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + self.two(self.one(x).relu()) / 30

    torch.manual_seed(0)
    network = nn.Sequential(*[Block() for _ in range(30)], nn.Linear(64, 10))
    (point,) = watched(network, batches, steps=1).points
    assert list(point["layers"]) == [str(index) for index in range(31)]
    squares = [network[0].one.weight.grad, network[0].two.weight.grad]
    assert all(gradient is None for gradient in squares), "the loop has cleared them"
    assert point["norm"] ** 2 >= sum(seen[0] ** 2 for seen in point["layers"].values())


def test_unused_and_transposed_parameters_are_measured_too(batches: list[Digits]) -> None:
    network = dense([16], nn.ReLU)
    network.unused = nn.Linear(3, 3)
    network[0].weight = nn.Parameter(network[0].weight.detach().t().contiguous().t())
    turn = turn_of(nn.Sequential(network[0], network[1], network[2]), torch.optim.SGD(network.parameters(), lr=0.1))
    watch = Watch(1)
    go_on(watch, Turn("model", network, turn.losses, turn.sizes, turn.optimiser, turn.rate_factor), batches, 0, 1)
    layers = watch.points[0]["layers"]
    assert layers["unused"][0] == 0.0
    assert layers["unused"][2] == 0.0
    assert layers["0"][2] > 0


@pytest.mark.parametrize(
    ("per_epoch", "total", "expected"),
    [(300, 3000, 150), (20, 200, 50), (20, 2000, 100), (2, 4, 1), (10**5, 10**5, 5000)],
)
def test_looks_are_rare(per_epoch: int, total: int, expected: int) -> None:
    assert steps_between_looks(per_epoch, total) == expected
    assert total / expected <= 101
