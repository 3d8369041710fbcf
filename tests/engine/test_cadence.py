"""Checkpoints come as often as costs little of the steps' time, decided once by the first steps."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from modelwright.engine import cadence
from modelwright.engine.cadence import SHARE, TRIAL, WARM_UP, Cadence


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """A clock that only goes when it is told to."""
    now = [100.0]

    def pass_by(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(cadence.time, "perf_counter", lambda: now[0])
    return pass_by


def steps_saved(made: Cadence, clock: Callable[[float], None], steps: int, seconds: float, cost: float) -> list[int]:
    """Take steps of so many seconds; return after which a checkpoint was due."""
    saved = []
    for step in range(1, steps + 1):
        clock(seconds if step > WARM_UP else 50 * seconds)
        if made.due(step, lambda: cost):
            saved.append(step)
    return saved


@pytest.mark.parametrize(
    ("per_epoch", "seconds", "cost", "said"),
    [
        (100, 0.015625, 0.001, "1 epochs"),
        (100, 0.015625, 0.5, "16 epochs"),
        (10, 0.015625, 0.001, "1 epochs"),
        # An epoch of an hour is not waited for, and neither is a checkpoint written more often than it may cost.
        (36_000, 0.125, 0.1, "4800 steps"),
        (36_000, 0.125, 60.5, "24200 steps"),
    ],
)
def test_saving_takes_the_share_that_it_may(
    clock: Callable[[float], None], per_epoch: int, seconds: float, cost: float, said: str
) -> None:
    told: list[str] = []
    made = Cadence(None, per_epoch, lambda every, why: told.append(every))
    steps = 70_000 if per_epoch > 1000 else 6000
    saved = steps_saved(made, clock, steps, seconds, cost)
    assert told == [said]
    assert saved
    assert len(saved) * cost <= 1.001 * SHARE * steps * seconds
    assert saved[0] >= WARM_UP + TRIAL
    count = int(said.split()[0]) * (per_epoch if said.endswith("epochs") else 1)
    assert all(step % count == 0 for step in saved)


def test_what_the_recipe_says_is_not_measured(clock: Callable[[float], None]) -> None:
    made = Cadence(3, 10, lambda every, why: pytest.fail("nothing is to be decided"))
    assert steps_saved(made, clock, 10, 1.0, 1e9) == [3, 6, 9]
