"""What a queue decides: order, limits, room, and other sizes; Ray does the rest."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from modelwright.core.errors import RecipeError
from modelwright.core.recipe import recipe_from
from modelwright.engine.queue import (
    Job,
    Limits,
    Room,
    Size,
    in_order,
    largest,
    resized,
    resources_of,
    size_now,
    waiting_before,
    why_never,
    why_waits,
    within_limits,
)
from modelwright.engine.queue_ray import Board, resident

GIB = 2**30
MACHINES = [Room(4, 8 * GIB), Room(2, 16 * GIB, 1)]


def job(name: str = "a", **stated: Any) -> Job:
    return Job(name, f"{name}.yaml", **{"memory": GIB, **stated})


def test_higher_priorities_come_first_and_hold_up_lower_ones() -> None:
    jobs = [
        job("slow", seconds=9),
        job("quick", seconds=1),
        job("urgent", priority=5, seconds=99),
        job("late", seconds=1),
    ]
    assert [item.name for item in in_order(jobs)] == ["urgent", "quick", "late", "slow"]
    assert waiting_before(jobs[0], jobs) == ["urgent"]
    assert waiting_before(jobs[2], jobs) == []


def test_a_limit_holds_back_whoever_would_break_it_and_nobody_else() -> None:
    jobs = [
        job("one", joules=60, money=3),
        job("two", joules=60, money=3),
        job("three", joules=30, money=1),
        job("four"),
    ]
    kept, held = within_limits(jobs, Limits(joules=100))
    assert [item.name for item in kept] == ["one", "three"]
    assert "120 J" in held["two"]
    assert "nobody knows" in held["four"]
    kept, held = within_limits(jobs, Limits(money=3.5))
    assert [item.name for item in kept] == ["one"]
    assert "at most 3.5" in held["two"]
    assert within_limits(jobs, Limits()) == (jobs, {})


def test_as_many_processes_as_one_machine_can_hold() -> None:
    assert largest(job(most=8, least=2), MACHINES) == 4
    assert largest(job(most=8, least=2, memory=5 * GIB), MACHINES) == 2
    assert largest(job(most=8, least=2, gpus=1), MACHINES) == 0
    assert largest(job(gpus=0.5, most=2), MACHINES) == 2
    assert largest(job(cpus=5), MACHINES) == 0
    assert "5 cores" in why_never(job(cpus=5), MACHINES)
    assert "1 accelerators" in why_never(job(gpus=1, cpus=3), MACHINES)


def test_who_waits_says_for_what() -> None:
    assert why_waits(job(), Size(3, GIB), [Room(1, GIB)], []) == (
        "waits for 3 cores and 3.0 GiB (3 processes); free now: 1 cores, 1.0 GiB"
    )
    assert "of a higher priority" in why_waits(job(), Size(1, GIB), [], ["urgent"])


FREE = [Room(0, GIB)]


@pytest.mark.parametrize(
    ("stated", "now", "peak", "free", "waits", "then"),
    [
        ({}, Size(1, GIB), 0.9 * GIB, FREE, True, None),
        ({}, Size(1, GIB), 2 * GIB, FREE, False, Size(1, int(2.5 * GIB))),
        ({"most": 4}, Size(4, GIB), 8 * GIB, FREE, False, Size(3, int(2.5 * GIB))),
        ({"most": 4, "least": 4}, Size(4, GIB), 24 * GIB, FREE, False, None),
        ({}, Size(1, GIB), 0.25 * GIB, FREE, True, Size(1, int(0.3125 * GIB))),
        ({}, Size(1, GIB), 0.25 * GIB, FREE, False, None),
        ({}, Size(1, GIB), 0.0, FREE, True, None),
        ({"most": 4}, Size(4, GIB), 4 * 0.9 * GIB, FREE, True, Size(1, GIB)),
        ({"most": 4}, Size(1, GIB), 0.9 * GIB, [Room(2, 7 * GIB)], False, Size(3, GIB)),
        ({"most": 4}, Size(1, GIB), 0.9 * GIB, [Room(2, 7 * GIB)], True, None),
        ({"most": 4}, Size(1, GIB), 0.9 * GIB, [Room(0, 7 * GIB)], False, None),
    ],
)
def test_a_running_job_changes_its_size_where_that_helps(
    stated: dict[str, Any], now: Size, peak: float, free: list[Room], waits: bool, then: Size | None
) -> None:
    found = resized(job(**stated), now, peak, MACHINES, free, waits)
    assert (found and found[0]) == then


def test_who_can_do_with_fewer_takes_what_is_free() -> None:
    elastic = job(most=4, least=2)
    size, left = size_now(elastic, Size(4, GIB), [Room(1, GIB), Room(3, 8 * GIB)])
    assert (size, left) == (Size(3, GIB), [Room(1, GIB), Room(0, 5 * GIB)])
    assert size_now(elastic, Size(4, GIB), left) == (Size(2, GIB), left)
    assert size_now(job(most=1), Size(1, GIB), []) == (Size(1, GIB), [])


def test_what_ray_sets_aside_is_that_of_all_processes() -> None:
    found = resources_of(job(cpus=2, gpus=0.5), Size(3, GIB))
    assert found == {"num_cpus": 6, "memory": 3 * GIB, "num_gpus": 1.5}


def test_the_board_asks_only_whom_it_was_told_to() -> None:
    board = Board()
    assert not board.tell("a", 5.0)
    board.ask("a")
    assert board.tell("a", 7.0)
    assert not board.tell("b", 1.0)
    assert board.read() == ({"a", "b"}, {"a": 7.0, "b": 1.0})
    board.forget("a")
    assert not board.tell("a", 7.0)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_counts_what_a_process_has_started() -> None:
    alone = resident(os.getpid())
    child = subprocess.Popen(
        [sys.executable, "-c", "held = b'x' * 60_000_000; print(flush=True); input()"], stdin=-1, stdout=-1
    )
    assert child.stdout
    child.stdout.readline()
    assert resident(os.getpid()) > alone + 50_000_000
    child.communicate(b"\n")
    assert resident(2**30) == 0.0


def test_fewer_at_most_than_at_least_is_refused() -> None:
    data = {"version": 1, "name": "x", "task": "image", "data": {"kind": "sample", "name": "digits"}, "model": "linear"}
    with pytest.raises(RecipeError, match="least 3 and workers 2"):
        recipe_from({**data, "submit": {"workers": 2, "least": 3}}, Path())
