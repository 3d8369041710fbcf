"""Trials in several processes of this machine, which share one search."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

from ...core import errors
from ...core.errors import Interrupted, ModelwrightError, Problem
from ...core.files import read_json, write_json
from ...core.stage import Context
from .checks import UNTIL
from .search import Search
from .trial import recipe_of
from .worker import LOOK, STOP, Job


class Process(Protocol):
    """What is needed of a process (subprocess.Popen)."""

    def poll(self) -> int | None: ...
    def kill(self) -> None: ...
    def wait(self) -> int: ...


def start(job: Path) -> Process:
    """Start a worker in a session of its own: what is typed at the terminal is not for it."""
    command = [sys.executable, "-m", "modelwright.stages.tune.worker", str(job)]
    with job.with_suffix(".out").open("wb") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env={"OMP_WAIT_POLICY": "passive", **os.environ},
        )


def search_by_processes(context: Context, search: Search, tell: Callable[[], None], job: Job) -> None:
    """Run all trials that are left in several processes; `tell` is called now and then.

    Raises:
        Interrupted: asked to stop; every worker has saved what it was doing.
        ModelwrightError: what a worker could not go on after.
    """
    _make_shared_dataset(context, search)
    stop = context.work / STOP
    stop.unlink(missing_ok=True)
    begun, workers = search.begun(), context.settings.processes
    jobs = [context.work / f"worker-{place}.json" for place in range(workers)]
    for place, path in enumerate(jobs):
        path.with_suffix(".error").unlink(missing_ok=True)
        own = Job(**{**asdict(job), "begun": tuple(begun[place::workers]), "place": place, "workers": workers})
        write_json(path, asdict(own))
    processes = [start(path) for path in jobs]
    asked_to_stop = False
    try:
        while any(process.poll() is None for process in processes):
            answer = context.progress(len(search.tried()), search.limit)
            if answer == "interrupt" or any(process.poll() for process in processes):
                asked_to_stop = asked_to_stop or answer == "interrupt"
                stop.touch()
            tell()
            time.sleep(LOOK)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    tell()
    codes = [process.poll() or 0 for process in processes]
    for code, path in zip(codes, jobs, strict=True):
        if code > 0:
            _raise_what_ended(code, path)
    if any(code < 0 for code in codes):
        # What it had decided is kept, so this is no more than an interruption.
        raise Interrupted(
            f"a process of the search was killed (signal {-min(codes)}); the trials that others had begun are saved",
            where=context.stage.name,
            expected="processes that end by themselves; each needs the memory of a training",
            next_step=f"modelwright resume {context.folder}",
        )
    if asked_to_stop:
        raise Interrupted(
            f"stopped after {len(search.tried())} of {search.limit} trials, the others saved",
            where=context.stage.name,
            next_step=f"modelwright resume {context.folder}",
        )


def _make_shared_dataset(context: Context, search: Search) -> None:
    """Make the dataset once before several processes begin, where all trials have the same one."""
    sections = {key.split(".")[0] for key, _ in search.plan.space}
    if search.limit > len(search.tried()) and sections <= {"model", UNTIL}:
        context.run_recipe(recipe_of(context.recipe, {}), "prepare")


def _raise_what_ended(code: int, path: Path) -> None:
    if code in (0, Interrupted.exit_code):
        return
    if path.with_suffix(".error").exists():
        found = read_json(path.with_suffix(".error"))
        family: type[ModelwrightError] = getattr(errors, found["family"])
        raise family.of([Problem(**problem) for problem in found["problems"]])
    said = path.with_suffix(".out").read_text(errors="replace")[-2000:]
    raise RuntimeError(f"a worker of the search ended with code {code}: {said}")
