"""Following a log by hand-made events."""

from __future__ import annotations

import pytest

from modelwright.methods.planning.log import HOLDERS, Log, Operation, Probed, live_memory
from modelwright.methods.planning.timing import Rates, roofline, seconds_of_step

MAKE = Operation("empty.memory_format", "elementwise", 0, 100, 0)
WORK = Operation("convolution.default", "convolution", 100, 40, 10)


def log_of(*events: tuple) -> Log:
    return Log([MAKE, WORK], list(events))


def test_what_lives_at_once_is_added_up_by_phase() -> None:
    log = log_of(
        ("phase", "one"),
        ("call", 0, ((0, 0, 100),)),
        ("call", 1, ((1, 0, 40),)),
        ("free", 0),
        ("phase", "two"),
        ("call", 0, ((2, 0, 50),)),
    )
    assert live_memory(log, [None, None]).peaks == {"": 0, "one": 140, "two": 90} or live_memory(
        log, [None, None]
    ).peaks == {"one": 140, "two": 90}


def test_what_was_probed_replaces_the_shapes_and_adds_the_workspace() -> None:
    log = log_of(("phase", "one"), ("call", 0, ((0, 0, 100),)), ("call", 1, ((1, 0, 0),)))
    memory = live_memory(log, [None, Probed(scratch=30, outputs=(60,))])
    assert memory.peak == 190
    assert dict(zip(HOLDERS, memory.curve[-1][1], strict=True))["workspace"] == 30


def test_a_holder_counts_from_the_first_moment_of_what_it_holds() -> None:
    log = log_of(("phase", "one"), ("call", 0, ((0, 0, 100),)), ("hold", 0, "parameters"))
    ((_, held),) = live_memory(log, [None, None]).curve
    assert held[HOLDERS.index("parameters")] == 100


def test_time_is_what_was_measured_else_the_nearer_limit() -> None:
    rates = Rates(flops_per_second=100.0, bytes_per_second=10.0, overhead_seconds=0.5)
    measured = {"name": "x", "kind": "matmul", "inputs": 20, "outputs": 10, "flops": 6, "count": 2, "seconds": 1.0}
    assert seconds_of_step([measured], rates) == pytest.approx(3.0)
    assert roofline(measured, rates) == pytest.approx(3.0)
    assert roofline({**measured, "flops": 600}, rates) == pytest.approx(10.0)
