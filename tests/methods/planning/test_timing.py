"""The time of a step from its operations: which step counts, what is added up, and that a bias of a tenth is seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from modelwright.methods.planning.log import Log, Operation
from modelwright.methods.planning.timing import (
    AMONG_OTHERS,
    CALL_SHARE,
    CALLS_OF_STEP,
    VIEW,
    Rates,
    events_of_step,
    numbers_of,
    seconds_here,
    seconds_of_step,
    seconds_with_batch,
)

RATES = Rates(flops_per_second=100.0, bytes_per_second=10.0, overhead_seconds=0.5)


def operation(**changed: Any) -> dict[str, Any]:
    stated = {"name": "x", "kind": "matmul", "inputs": 20, "outputs": 10, "flops": 6, "count": 2, "seconds": 1.0}
    return {**stated, **changed}


def step_of(operations: list[dict[str, Any]], bias: float = 1.0) -> float:
    return seconds_of_step([{**item, "seconds": bias * item["seconds"]} for item in operations], RATES)


def test_the_ordinary_step_counts_in_its_order_and_without_one_the_last() -> None:
    calls = Log([Operation("a", "matmul", 1, 1, 1)] * 3)
    calls.events = [
        ("phase", "training"),
        *(("call", number, ()) for number in (0, 0, 0)),
        ("phase", "step"),
        *(("call", number, ()) for number in (2, 1, 2)),
        ("phase", "validation"),
        ("call", 0, ()),
        ("phase", "training"),
        *(("call", number, ()) for number in (0, 1)),
    ]
    assert numbers_of(events_of_step(calls)) == [2, 1, 2]
    calls.events = [event for event in calls.events if event != ("phase", "step")]
    assert numbers_of(events_of_step(calls)) == [0, 1]


def test_what_only_changes_the_shape_costs_nothing_and_the_rest_its_time_and_a_call() -> None:
    assert seconds_of_step([operation(), operation(kind=VIEW, count=100)], RATES) == pytest.approx(3.0)
    assert seconds_of_step([operation(seconds=None, flops=0)], RATES) == pytest.approx(2 * (3.0 + 0.5))


@pytest.mark.parametrize(("ahead", "seconds"), [(False, 5.0), (True, 3.0)])
def test_a_batch_is_made_before_the_step_or_meanwhile(ahead: bool, seconds: float) -> None:
    assert seconds_with_batch(3.0, 2.0, ahead) == seconds
    assert seconds_with_batch(2.0, 3.0, True) == 3.0


def test_on_the_machine_at_hand_calls_cost_what_calling_costs() -> None:
    found = seconds_here([operation()], RATES, call_seconds=0.1)
    assert found == pytest.approx(2 * (AMONG_OTHERS * 1.0 + CALL_SHARE * 0.1) + CALLS_OF_STEP * 0.1)


@pytest.mark.parametrize("bias", [0.9, 1.1])
def test_a_bias_of_a_tenth_in_the_time_of_operations_is_seen(bias: float) -> None:
    operations = [operation(seconds=float(10 * number), count=number) for number in range(1, 6)]
    # The truth, by hand: one, four, nine, sixteen and twenty-five times ten seconds, and fifteen calls.
    honest: Callable[[float], bool] = lambda found: found == pytest.approx(10 * 55 + 15 * 0.5, rel=0.01)
    assert honest(step_of(operations))
    assert not honest(step_of(operations, bias))
