"""Averages of weights: what enters, when, and that they survive a checkpoint; the plateau schedule hears validations."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

from modelwright.core import registry
from modelwright.engine.averaging import Average
from modelwright.engine.loop import Moment, Verdict
from modelwright.engine.plateau import Plateau
from modelwright.engine.turn import Turn
from modelwright.methods.optimisation.settings import PlateauSettings

WEIGHTS = [1.0, 3.0, 7.0, 2.0, 5.0, 11.0]


def build(kind: str, **settings: Any) -> Average:
    chosen = registry.settings_of("averaging", kind).model_validate({"kind": kind, **settings})
    average: Average = registry.function_of("averaging", kind)(chosen, torch.nn.Linear(1, 1, bias=False), 6, 2)
    return average


def follow(average: Average, weights: list[float], start: int = 0, bad: tuple[int, ...] = ()) -> float:
    model = torch.nn.Linear(1, 1, bias=False)
    turn = Turn("model", model, lambda b: b, lambda b: b, torch.optim.SGD(model.parameters(), 0.1), lambda step: 1.0)
    for step, weight in enumerate(weights[start:], start):
        torch.nn.init.constant_(model.weight, weight)
        verdict = Verdict.SKIP if step in bad else Verdict.APPLY
        assert not average(Moment(step, [turn], torch.zeros(1), verdict, None))
    return float(next(average.place(model).parameters()).detach())


def test_no_average_is_none() -> None:
    assert build("none") is None


def test_the_exponential_average_has_no_bias_at_the_start() -> None:
    share, expected, total = 0.8, 0.0, 0.0
    for weight in WEIGHTS:
        expected, total = share * expected + (1 - share) * weight, share * total + (1 - share)
    assert follow(build("ema", decay=0.8), WEIGHTS) == pytest.approx(expected / total, rel=1e-6)


def test_the_plain_average_takes_what_its_stretch_holds() -> None:
    assert follow(build("swa", start="50 %", every="1 steps"), WEIGHTS) == pytest.approx((2 + 5 + 11) / 3)
    assert follow(build("swa", start="2 steps", every="2 steps"), WEIGHTS) == pytest.approx((2 + 11) / 2)
    # Until something has entered, the weights themselves are judged.
    assert follow(build("swa", start="5 steps", every="1 steps"), WEIGHTS[:4]) == 2.0


def test_a_step_that_was_not_taken_does_not_enter() -> None:
    assert follow(build("swa", start=0.0, every="1 steps"), WEIGHTS, bad=(1, 5)) == pytest.approx((1 + 7 + 2 + 5) / 4)


@pytest.mark.parametrize(
    ("kind", "settings"), [("ema", {"decay": 0.7}), ("swa", {"start": "1 steps", "every": "1 steps"})]
)
def test_it_goes_on_from_a_checkpoint(kind: str, settings: dict[str, Any]) -> None:
    whole, begun, resumed = (build(kind, **settings) for _ in range(3))
    follow(begun, WEIGHTS[:4])
    tensors, numbers = begun.state()
    resumed.restore(tensors, json.loads(json.dumps(numbers)))
    assert follow(resumed, WEIGHTS, start=4) == follow(whole, WEIGHTS)


def test_batch_statistics_and_counters_travel_with_the_average() -> None:
    network = torch.nn.BatchNorm1d(2)
    chosen = registry.settings_of("averaging", "swa").model_validate({"kind": "swa", "start": 0.0, "every": "1 steps"})
    average = registry.function_of("averaging", "swa")(chosen, network, 4, 2)
    turn = Turn("m", network, lambda b: b, lambda b: b, torch.optim.SGD(network.parameters(), 0.1), lambda step: 1.0)
    for step, mean in enumerate((1.0, 3.0)):
        network.running_mean.fill_(mean)
        network.num_batches_tracked.fill_(step + 1)
        average(Moment(step, [turn], torch.zeros(1), Verdict.APPLY, None))
    placed = average.place(network)
    assert placed.running_mean.tolist() == [2.0, 2.0]
    assert int(placed.num_batches_tracked) == 2


def test_the_plateau_lowers_the_rate_of_the_steps_that_follow() -> None:
    schedule = Plateau(PlateauSettings(multiplier=0.5, patience=1, measure="accuracy"))
    seen = []
    for accuracy in (0.5, 0.6, 0.6, 0.6, 0.6, 0.6):
        schedule.hear({"loss": 1.0, "accuracy": accuracy})
        seen.append(schedule(99))
    assert seen == [1.0, 1.0, 1.0, 0.5, 0.5, 0.25]
    other = Plateau(PlateauSettings(multiplier=0.5, patience=1, measure="accuracy"))
    other.restore({}, json.loads(json.dumps(schedule.state()[1])))
    assert other(0) == 0.25
