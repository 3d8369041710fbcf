"""The operations of a step, run again in their order: by a clock of our own, so that what is found is known beforehand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from modelwright.engine.tracing import replay
from modelwright.engine.tracing.tracer import Call, Tracer
from modelwright.methods.planning.timing import VIEW, Rates, events_of_step, numbers_of, seconds_of_step

# Seconds that the clock says an operator takes; any other takes one.
TAKES = {"aten.mm.default": 8.0, "aten.addmm.default": 4.0, "aten._fused_adam_.default": 16.0}


def traced() -> Tracer:
    tracer = Tracer()
    with tracer.tracing():
        network = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
        optimiser = torch.optim.Adam(network.parameters(), fused=True)
        for _ in range(3):
            tracer.phase("step")
            network(torch.ones(5, 8)).sum().backward()
            optimiser.step()
            optimiser.zero_grad()
    return tracer


class Clock:
    """State: what it shows, and which operators were run."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, bias: float = 1.0) -> None:
        self.now, self.seen = 0.0, []  # type: ignore[var-annotated]
        real = replay.run_call

        def run(call: Call, args: Any, kwargs: Any) -> Any:
            self.now += bias * TAKES.get(str(call.operator), 1.0)
            self.seen.append(str(call.operator))
            return real(call, args, kwargs)

        monkeypatch.setattr(replay, "run_call", run)

    def __call__(self) -> float:
        return self.now


def planned(clock: Clock) -> float:
    tracer = traced()
    events = events_of_step(tracer.log)
    sequence = [
        number for number in numbers_of(events) if not tracer.log.operations[number].name.startswith("profiler.")
    ]
    seconds = replay.time_in_order(tracer.calls, events, clock)
    operations = [
        {"kind": tracer.log.operations[number].kind, "count": 1, "seconds": seconds[tracer.calls[number].key]}
        for number in sequence
    ]
    assert clock.seen[: len(sequence)] == [str(tracer.calls[number].operator) for number in sequence]
    assert all(item["seconds"] is not None for item in operations)
    return seconds_of_step(operations, Rates(1.0, 1.0, 0.0))


def by_hand() -> float:
    tracer = traced()
    working = [tracer.calls[n] for n in numbers_of(events_of_step(tracer.log)) if tracer.log.operations[n].kind != VIEW]
    names = [str(call.operator) for call in working]
    assert names.count("aten.addmm.default") == 2
    assert names.count("aten.mm.default") == 3
    assert names.count("aten._fused_adam_.default") == 1
    others = len(names) - 6
    return 2 * 4.0 + 3 * 8.0 + 16.0 + others


def test_the_time_of_a_step_is_that_of_its_operations(monkeypatch: pytest.MonkeyPatch) -> None:
    assert planned(Clock(monkeypatch)) == pytest.approx(by_hand(), rel=0.01)


@pytest.mark.parametrize("bias", [0.9, 1.1])
def test_a_bias_of_a_tenth_in_the_clock_is_seen(bias: float, monkeypatch: pytest.MonkeyPatch) -> None:
    assert planned(Clock(monkeypatch, bias)) != pytest.approx(by_hand(), rel=0.01)


def test_no_tensor_is_given_twice_and_what_was_made_last_comes_first() -> None:
    stage = replay.Stage()
    tracer = Tracer()
    with tracer.tracing():
        tracer.phase("step")
        one, other = torch.ones(4), torch.ones(4)
        torch.add(one, other)
    (add,) = [call for call in tracer.calls if "add" in str(call.operator)]
    assert stage.run(add, lambda: 0.0) == 0.0
    ((spec, known),) = stage.tensors.items()
    assert spec.size == (4,)
    # Both of what was added are still there, but for the oldest, whose place the sum has taken.
    assert [tensor[0].item() for tensor in known] == [1.0, 0.5]


def test_what_would_need_too_much_memory_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "LARGEST_BYTES", 100)
    stage = replay.Stage()
    tracer = Tracer()
    with tracer.tracing():
        for size in (20, 21, 22):
            torch.ones(size).relu()
    for call in tracer.calls:
        if "relu" in str(call.operator):
            stage.run(call, lambda: 0.0)
    assert stage.held <= 100 + 4 * 22
    assert len(stage.tensors) < 3
