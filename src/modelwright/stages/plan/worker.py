"""A process that traces recipes: `python -m modelwright.stages.plan.worker JOB`. Jobs come as lines, results go into files.

It is a process of its own because tracing changes what torch does for the whole process, and because an operation that is run
alone, on made-up values, may end it.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...core import registry
from ...core.errors import ModelwrightError
from ...core.files import read_json, write_json
from ...core.recipe import Recipe, recipe_from
from ...core.settings import AUTO

# The word for what one of several processes on other machines does.
SHARE = "share"
STAGES = ("train", "evaluate")
# What torch says of a program that it cannot follow has no family; the caller then says what it knows otherwise.
FAILURES = (RuntimeError, ArithmeticError, ValueError, TypeError, AttributeError, LookupError)


@dataclass(frozen=True)
class Job:
    """What is traced: a recipe over a dataset, on so many threads."""

    recipe: dict[str, Any]
    base: str
    dataset: str
    threads: int


def count_threads(train: Any) -> int:
    """Return the CPU threads that a training would use: those of its recipe, else the cores that this process may use."""
    if train.threads != AUTO:
        return int(train.threads)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Bench:
    """State: what single operations do, which is found once for all candidates."""

    def __init__(self, job: Job) -> None:
        import torch

        from ...engine.memory import keep_freed_memory
        from ...engine.tracing.canary import doubt
        from ...engine.tracing.probe import Prober

        torch.set_num_threads(job.threads)
        self.recipe: Recipe = recipe_from(job.recipe, Path(job.base), "plan")
        train: Any = self.recipe.sections["train"]
        # As the training will: an operation that fetches its memory anew each time takes up to twice as long.
        keep_freed_memory(train.memory)
        self.job, self.prober = job, Prober()
        self.seconds: dict[Any, float | None] = {}
        self.empty = 0.0
        # On one thread its own time, which does not depend on what else the machine is doing; with several, the clock's.
        self.clock = time.thread_time if job.threads == 1 else time.perf_counter
        self.doubt = doubt()

    def trace(self, edits: dict[str, Any], timed: bool) -> dict[str, Any]:
        """Trace the recipe with some keys changed; return what there is to say of it, as plain data."""
        from ...engine.tracing.tracer import Tracer
        from ...methods.planning.log import live_memory

        began = time.perf_counter()
        facts: dict[str, Any] = {"threads": self.job.threads}
        tracers: list[Tracer] = []
        try:
            recipe = self.recipe.edited(edits) if edits else self.recipe
            for stage in STAGES:
                tracers.append(Tracer())
                walk = registry.function_of("rehearsal", stage)
                facts |= walk(recipe, Path(self.job.dataset), self.job.threads, tracers[-1])
        except ModelwrightError as error:
            return {"refused": str(error), "facts": facts}
        except FAILURES as error:
            return {"failed": _told(error), "facts": facts, "parameters": _parameters(tracers)}
        if self.doubt:
            return {"failed": self.doubt, "facts": facts, "parameters": _parameters(tracers)}
        traced = time.perf_counter()
        memories = [live_memory(tracer.log, self.prober.probe(tracer.calls)) for tracer in tracers]
        probed = time.perf_counter()
        result: dict[str, Any] = {
            "facts": facts,
            "peaks": {name: peak for memory in memories for name, peak in memory.peaks.items()},
            "curve": memories[0].curve,
            "unprobed": sorted(
                {tracer.log.operations[place].name for tracer in tracers for place in _unknown(tracer, self.prober)}
            ),
            "seconds": {"traced": traced - began, "probed": probed - traced},
        }
        if timed and tracers[0].calls:
            result |= self._timed(tracers[0])
            result["seconds"]["timed"] = time.perf_counter() - probed
        return result

    def share(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Trace what one of several processes on other machines would do; `asked` says which one, of how many, on what."""
        from ...engine.tracing.tracer import Tracer
        from ...methods.planning.allocator import replay
        from ...methods.planning.device import Device, bytes_sent, step_time
        from ...methods.planning.log import HOLDERS, live_memory

        began, tracer = time.perf_counter(), Tracer()
        try:
            recipe = self.recipe.edited(asked["edits"]) if asked["edits"] else self.recipe
            walk = registry.function_of("rehearsal", "share")
            facts = walk(recipe, Path(self.job.dataset), 1, tracer, asked["rank"], asked["processes"], True)
        except ModelwrightError as error:
            return {"refused": str(error)}
        except FAILURES as error:
            return {"failed": _told(error), "parameters": _parameters([tracer])}
        if self.doubt:
            return {"failed": self.doubt, "parameters": _parameters([tracer])}
        memory, reserved = live_memory(tracer.log, ()), replay(tracer.log)
        steps = (held for phase, held in memory.curve if phase == "training")
        top = max(steps, key=sum, default=(0,) * len(HOLDERS))
        return {
            "facts": facts,
            "live": memory.peaks.get("training", 0),
            # The network is built as a whole before it is laid out.
            "host": memory.peaks.get("building", 0),
            **asdict(reserved),
            "holders": dict(zip(HOLDERS, top, strict=True)),
            "time": asdict(step_time(tracer.log, Device(**asked["device"]))),
            "sent": bytes_sent(tracer.log),
            "seconds": time.perf_counter() - began,
        }

    def _timed(self, tracer: Any) -> dict[str, Any]:
        from ...engine.tracing.replay import time_in_order
        from ...methods.planning.timing import events_of_step, numbers_of

        numbers = numbers_of(events_of_step(tracer.log))
        # What is known from another candidate is not run again.
        if any(tracer.calls[number].key not in self.seconds for number in numbers):
            self.empty, seconds = time_in_order(tracer.calls, tracer.log, self.clock)
            self.seconds |= seconds
        return {
            "call_seconds": self.empty,
            "operations": [
                {
                    **asdict(tracer.log.operations[number]),
                    "count": count,
                    "seconds": self.seconds[tracer.calls[number].key],
                }
                for number, count in Counter(numbers).items()
            ],
        }


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"


def _unknown(tracer: Any, prober: Any) -> list[int]:
    return [
        number
        for number, call in enumerate(tracer.calls)
        if tracer.log.operations[number].inputs and prober.memory.get(call.key) is None
    ]


def _parameters(tracers: list[Any]) -> int:
    """Return the bytes of all parameters, as far as the walk has come."""
    if not tracers:
        return 0
    log = tracers[0].log
    held = {event[1] for event in log.events if event[0] == "hold" and event[2] == "parameters"}
    return sum(size for event in log.events if event[0] == "call" for storage, _, size in event[2] if storage in held)


def main(path: Path) -> int:
    """Answer job after job until there are no more."""
    # What libraries print must not come between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    bench = Bench(Job(**read_json(path)))
    for line in sys.stdin:
        number, how = line.split()
        wanted = read_json(path.with_name(f"edits-{number}.json"))
        found = bench.share(wanted) if how == SHARE else bench.trace(wanted, how == "timed")
        write_json(path.with_name(f"result-{number}.json"), found)
        answers.write(f"{number}\n")
        answers.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
