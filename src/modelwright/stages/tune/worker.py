"""A process that runs trials of a search which others run, too: `python -m modelwright.stages.tune.worker JOB`."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...core.errors import Interrupted, ModelwrightError
from ...core.execute import Manner, run_inside
from ...core.files import read_json, write_json
from ...core.recipe import Recipe, recipe_from
from ...core.run import Run
from ...core.stage import Answer, OnProgress, Progress
from .here import next_trials
from .plan import open_search, plan_of
from .search import Asked, Outcome, Search
from .settings import Tune
from .trial import run_trial

STOP, STUDY = "stop", "study.jsonl"
# Seconds between two looks whether to stop.
LOOK = 0.2


@dataclass(frozen=True)
class Job:
    """What a worker must know: the run, its recipe, where the search is kept, and the trials that it takes up first.

    `place` and `workers`: which of how many it is; `parent`: the process whose end is its end, 0: none.
    """

    run: str
    recipe: dict[str, Any]
    base: str
    work: str
    begun: tuple[int, ...] = ()
    place: int = 0
    workers: int = 1
    parent: int = 0


class Sitting:
    """State: the open search of one worker, and when it last looked whether to stop."""

    def __init__(self, job: Job) -> None:
        self.job, self.work = job, Path(job.work)
        self.recipe: Recipe = recipe_from(job.recipe, Path(job.base), job.run)
        self.settings: Tune = self.recipe.sections["tune"]  # type: ignore[assignment]
        self.search: Search = open_search(plan_of(self.recipe, self.settings), self.work / STUDY)
        self._looked, self._stop = 0.0, False

    def on_progress(self, progress: Progress) -> Answer:
        """Answer 'interrupt' when told to stop, or when nobody is left who could tell."""
        if time.monotonic() - self._looked >= LOOK:
            self._looked = time.monotonic()
            orphan = self.job.parent and os.getppid() != self.job.parent
            self._stop = bool(self._stop or orphan or (self.work / STOP).exists())
        return "interrupt" if self._stop else "go"

    def run(self, asked: Asked) -> Outcome:
        """Run one trial and tell the search what came of it."""
        outer = Run(Path(self.job.run))

        def inside(recipe: Recipe, until: str, on_progress: OnProgress) -> Run:
            # What may have changed since a trial was begun was settled when the search itself was taken up.
            return run_inside(outer, recipe, until, Manner(on_progress, False, True, 0, outer.folder))

        outcome = run_trial(self.search, asked, self.recipe, self.settings, inside, self.on_progress)
        self.search.tell(asked.number, outcome)
        return outcome


def main(path: Path) -> int:
    """Run trials until there are enough, or somebody says stop; return the exit code."""
    job = Job(**read_json(path))
    _take_cores(job.place, job.workers)
    try:
        sitting = Sitting(job)
        for asked in next_trials(sitting.search, list(job.begun)):
            if sitting.on_progress(Progress("tune")) == "interrupt":
                return Interrupted.exit_code
            sitting.run(asked)
    except ModelwrightError as error:
        problems = [problem.__dict__ for problem in error.problems]
        write_json(path.with_suffix(".error"), {"family": type(error).__name__, "problems": problems})
        return error.exit_code
    return 0


def _take_cores(place: int, workers: int) -> None:
    """Take this worker's share of the cores, so that the threads of all workers together are not more than these."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[place::workers] or cores[place % len(cores) :][:1])


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
