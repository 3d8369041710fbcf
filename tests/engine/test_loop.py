"""The loop: what verdicts and observers do, and that the schedule sets the rate of every step."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
import torch

from modelwright.core import registry
from modelwright.engine.loop import Moment, Verdict, train
from modelwright.engine.turn import Turn
from modelwright.layouts.local import Local


class Line:
    """State: one weight that is pulled to the batch's number, and what happened to it."""

    def __init__(self, lr: float = 0.1, factor: Any = lambda step: 1.0) -> None:
        self.model = torch.nn.Linear(1, 1, bias=False)
        torch.nn.init.zeros_(self.model.weight)
        optimiser = torch.optim.SGD(self.model.parameters(), lr=lr)
        self.turn = Turn("line", self.model, self.losses, lambda part: torch.ones(len(part)), optimiser, factor)
        self.rates: list[float] = []

    def losses(self, part: Any) -> torch.Tensor:
        self.rates.append(self.turn.optimiser.param_groups[0]["lr"])
        return (self.model.weight[0, 0] - part.numbers) ** 2 / 2

    @property
    def weight(self) -> float:
        return float(self.model.weight.detach())


class Numbers:
    """A batch of numbers."""

    def __init__(self, numbers: Any) -> None:
        self.numbers = torch.as_tensor(numbers, dtype=torch.float32)

    def __len__(self) -> int:
        return len(self.numbers)

    def part(self, start: int, stop: int) -> Numbers:
        return Numbers(self.numbers[start:stop])


def run(
    lines: list[Line],
    steps: int,
    rules: Iterable[Any] = (),
    observers: Iterable[Any] = (),
    start: int = 0,
    passed_over: Iterable[int] = (),
) -> Verdict:
    return train(
        turns=[line.turn for line in lines],
        batches=((step, None if step in passed_over else Numbers([1.0, 3.0])) for step in range(start, steps)),
        layout=Local(),
        objective=lambda losses, batch: losses,
        rules=list(rules),
        observers=list(observers),
        seed_of_step=lambda step: step,
    )


def test_each_step_descends_the_mean() -> None:
    line = Line()
    run([line], 3)
    expected = 0.0
    for _ in range(3):
        expected -= 0.1 * (expected - 2.0)
    assert line.weight == pytest.approx(expected, abs=1e-7)


def test_skip_leaves_the_weights_and_stop_ends() -> None:
    line, seen = Line(), []
    verdicts = iter([Verdict.APPLY, Verdict.SKIP, Verdict.STOP])
    run(
        [line],
        10,
        [lambda turn, losses: next(verdicts)],
        [lambda moment: bool(seen.append((moment.step, moment.verdict)))],
    )
    assert line.weight == pytest.approx(0.2)
    assert seen == [(0, Verdict.APPLY), (1, Verdict.SKIP), (2, Verdict.STOP)]


def test_rewind_ends_and_says_so() -> None:
    line = Line()
    assert run([line], 10, [lambda turn, losses: Verdict.REWIND]) is Verdict.REWIND
    assert line.weight == 0.0
    assert run([line], 10) is Verdict.APPLY


def test_a_step_passed_over_is_seen_but_not_taken() -> None:
    moments: list[Moment] = []
    line, plain = Line(), Line()
    run([line], 3, observers=[lambda moment: bool(moments.append(moment))], passed_over=[1])
    run([plain], 2)
    assert line.weight == plain.weight
    assert [(moment.step, moment.verdict) for moment in moments] == [
        (0, Verdict.APPLY),
        (1, Verdict.SKIP),
        (2, Verdict.APPLY),
    ]
    assert moments[1].batch is None
    assert len(moments[1].losses) == 0


def test_the_strictest_rule_counts_and_every_rule_is_asked() -> None:
    line, asked = Line(), []
    rules = [
        lambda turn, losses, answer=answer: asked.append(answer) or answer for answer in (Verdict.SKIP, Verdict.APPLY)
    ]
    run([line], 1, rules)
    assert asked == [Verdict.SKIP, Verdict.APPLY]
    assert line.weight == 0.0


def test_a_skipped_gradient_does_not_leak_into_the_next_step() -> None:
    skipping, plain = Line(), Line()
    verdicts = iter([Verdict.SKIP, Verdict.APPLY])
    run([skipping], 2, [lambda turn, losses: next(verdicts)])
    run([plain], 1)
    assert skipping.weight == plain.weight


def test_every_observer_sees_the_step_that_one_of_them_stops_at() -> None:
    seen: list[tuple[str, int]] = []
    first = lambda moment: seen.append(("first", moment.step)) or moment.step == 2
    second = lambda moment: bool(seen.append(("second", moment.step)))
    run([Line()], 10, observers=[first, second])
    assert seen[-2:] == [("first", 2), ("second", 2)]


def test_observers_see_the_losses_of_each_example_before_the_step() -> None:
    moments: list[Moment] = []
    run([Line()], 2, observers=[lambda moment: bool(moments.append(moment))])
    assert moments[0].losses.tolist() == [0.5, 4.5]
    assert moments[1].losses.tolist() == pytest.approx([0.32, 3.92])
    assert not moments[0].losses.requires_grad
    assert len(moments[0].batch) == 2


def test_two_turns_each_have_their_own_optimiser_and_verdict() -> None:
    one, other = Line(0.1), Line(0.5)
    run([one, other], 1, [lambda turn, losses: Verdict.SKIP if turn is one.turn else Verdict.APPLY])
    assert (one.weight, other.weight) == (0.0, 1.0)


NEEDED = {"step": {"every": "7 steps"}, "exponential": {"every": "3 steps"}}


@pytest.mark.parametrize("kind", registry.names("schedule"))
def test_the_schedule_sets_the_rate_of_every_step(kind: str) -> None:
    settings = registry.settings_of("schedule", kind).model_validate({"kind": kind, **NEEDED.get(kind, {})})
    factor = registry.function_of("schedule", kind)(settings, 20, 5)
    line = Line(0.3, factor)
    run([line], 20)
    assert line.rates == pytest.approx([0.3 * factor(step) for step in range(20)])
    assert kind in ("constant", "plateau") or len(set(line.rates)) > 1
    # Whoever resumes at a later step finds the rate of that step, not of the first.
    resumed = Line(0.3, factor)
    run([resumed], 20, start=13)
    assert resumed.rates == pytest.approx(line.rates[13:])


def test_a_step_draws_the_same_numbers_whatever_was_drawn_before() -> None:
    drawn: list[float] = []
    noise = lambda turn, losses: drawn.append(float(torch.rand(()))) or Verdict.APPLY
    run([Line()], 4, [noise])
    torch.rand(5)
    run([Line()], 4, [noise], start=2)
    assert drawn[4:] == drawn[2:4]
    assert len(set(drawn[:4])) == 4
