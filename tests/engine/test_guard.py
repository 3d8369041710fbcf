"""The guard takes no step on what is not finite or jumps, and says so when patience runs out."""

from __future__ import annotations

import json
import math

import pytest
import torch

from modelwright.engine.guard import Guard
from modelwright.engine.loop import Verdict
from modelwright.engine.turn import Turn

GOOD = torch.tensor([1.0, 2.0])


def make_turn(gradient: float = 1.0) -> Turn:
    model = torch.nn.Linear(2, 2)
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, gradient)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    return Turn("model", model, lambda batch: GOOD, lambda batch: GOOD, optimiser, lambda step: 1.0)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(("then", "end"), [("stop", Verdict.STOP), ("rewind", Verdict.REWIND)])
def test_three_losses_in_a_row_that_are_not_finite(bad: float, then: str, end: Verdict) -> None:
    guard, turn = Guard(then=then), make_turn()
    spoilt = torch.tensor([1.0, bad])
    answers = [guard(turn, losses) for losses in (spoilt, spoilt, GOOD, spoilt, spoilt, spoilt)]
    assert answers == [Verdict.SKIP, Verdict.SKIP, Verdict.APPLY, Verdict.SKIP, Verdict.SKIP, end]
    assert (guard.skipped, guard.in_a_row, guard.standing) == (5, 3, end)
    restored = Guard(then=then)
    restored.restore({}, json.loads(json.dumps(guard.state()[1])))
    assert (restored.skipped, restored.in_a_row, restored.standing) == (5, 3, end)
    restored.forgive()
    assert restored.standing is Verdict.APPLY


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_gradient_that_is_not_finite_is_seen_where_the_loss_is_good(bad: float) -> None:
    guard = Guard()
    assert guard(make_turn(), GOOD) is Verdict.APPLY
    assert guard(make_turn(bad), GOOD) is Verdict.SKIP
    assert guard.reason == "the gradient was not finite"


def test_the_norm_of_each_gradient_is_there_for_others() -> None:
    guard = Guard()
    guard(make_turn(2.0), GOOD)
    assert guard.norms.tolist() == pytest.approx([4.0, 2.0 * math.sqrt(2)])


def spike(*losses: float, factor: float = 20.0) -> list[Verdict]:
    guard = Guard(spike=factor, window=5)
    return [guard(make_turn(), torch.tensor([loss])) for loss in losses]


def test_a_jump_of_the_loss_is_a_bad_step_and_leaves_no_trace_in_the_median() -> None:
    falling = [2.3, 1.0, 0.5, 0.4, 0.3]
    assert spike(*falling, 50.0, 0.3)[-2:] == [Verdict.SKIP, Verdict.APPLY]
    assert spike(*falling, 50.0, 50.0, 50.0)[-1] is Verdict.STOP
    # Before the window is full nobody knows what is usual.
    assert spike(2.3, 1.0, 0.5, 50.0)[-1] is Verdict.APPLY


def test_the_noise_of_small_losses_is_no_spike() -> None:
    assert spike(2.3, 1e-4, 1e-4, 1e-4, 1e-4, 0.5)[-1] is Verdict.APPLY


def test_zero_turns_spikes_off() -> None:
    assert spike(2.3, 1.0, 0.5, 0.4, 0.3, 1e6, factor=0.0)[-1] is Verdict.APPLY
