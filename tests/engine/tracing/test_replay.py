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
EMPTY = 0.5
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
            if call is replay.NEARLY_NOTHING:
                self.now += EMPTY
            else:
                self.now += EMPTY + bias * TAKES.get(str(call.operator), 1.0)
                self.seen.append(str(call.operator))
            return real(call, args, kwargs)

        monkeypatch.setattr(replay, "run_call", run)

    def __call__(self) -> float:
        return self.now


def planned(clock: Clock) -> float:
    tracer = traced()
    sequence = [
        number for number in numbers_of(events_of_step(tracer.log)) if tracer.log.operations[number].kind != VIEW
    ]
    empty, seconds = replay.time_in_order(tracer.calls, tracer.log, clock)
    assert empty == EMPTY
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


def test_an_operation_works_on_the_memory_that_was_made_for_it() -> None:
    tracer = Tracer()
    with tracer.tracing():
        tracer.phase("step")
        made = torch.ones(4, 6).relu()
        made[:, 3:].add_(made[:, :3])
        del made
    stage, alive = replay.Stage(), []
    for event in tracer.log.events:
        if event[0] == "free":
            stage.free(event[1])
        elif event[0] == "call" and tracer.log.operations[event[1]].kind != VIEW:
            assert stage.run(tracer.calls[event[1]], lambda: 0.0, *event[2:]) == 0.0
            alive.append([tensor.clone() for tensor in stage.alive.values()])
    # Ones, then their positive part; at the end its right half has the left one added.
    assert torch.equal(alive[-1][-1], torch.tensor([[1.0, 1.0, 1.0, 2.0, 2.0, 2.0]] * 4))
    assert not stage.alive


def test_no_more_memory_is_taken_than_planning_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "LARGEST_BYTES", 200)
    tracer = Tracer()
    with tracer.tracing():
        weights = [torch.ones(20) for _ in range(9)]
        tracer.phase("step")
        made = [weight.relu() for weight in weights]
        del made
    stage = replay.Stage()
    for event in tracer.log.events:
        if event[0] == "call" and len(event) == 4:
            stage.run(tracer.calls[event[1]], lambda: 0.0, *event[2:])
    assert stage.held <= 200 + 2 * 80
