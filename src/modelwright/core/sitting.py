"""One sitting of a stage: what it spends is metered, and a budget that runs out stops it where it can go on later."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from . import registry
from .errors import BudgetError, Interrupted
from .evidence import Evidence
from .metering import NOTHING, SECONDS_BETWEEN_NOTES, Meter, read_spent, settings_of, write_spent
from .stage import Answer, Context, OnProgress, Progress
from .units import format_joules


class Sitting:
    """State: the meter of one execution of a stage, what the world has answered, and whether the budget has run out.

    `before` are the joules that the stages before this one have drawn.
    """

    def __init__(self, sections: dict[str, Any], work: Path, before: float, on_progress: OnProgress) -> None:
        self.settings = settings_of(sections)
        self.work, self.before, self.on_progress = work, before, on_progress
        self.meter = Meter(self.settings, read_spent(work) if work.exists() else NOTHING)
        self.stopped = self.exhausted = False
        self._joules = self.meter.earlier.joules
        self._noted = time.monotonic()

    def __call__(self, progress: Progress) -> Answer:
        """Pass a sign of life on, with the energy drawn so far; answer 'interrupt' when there is none left."""
        reading = self.meter.look()
        if reading is not None:
            self._joules = reading.joules
            if self._noted + SECONDS_BETWEEN_NOTES < time.monotonic():
                write_spent(self.work, reading)
                self._noted = time.monotonic()
        if progress.values:
            progress = replace(progress, values={**progress.values, "joules": self.before + self._joules})
        answer = self.on_progress(progress)
        self.stopped = self.stopped or answer == "stop"
        if self.settings.budget and self.before + self._joules > self.settings.budget:
            # Whoever asked to stop before is not told that it was the budget.
            self.exhausted = self.exhausted or answer != "interrupt"
            return "interrupt"
        return answer

    def leave(self) -> None:
        """Write down what was spent, for the sitting that goes on with this work."""
        if self.work.exists():
            write_spent(self.work, self.meter.read())

    def carry_out(self, context: Context) -> None:
        """Run the function of a stage.

        Raises:
            BudgetError: the energy that the recipe allows is used up; the stage has stopped as if it had been asked to.
        """
        try:
            with context.crew.together(context) if context.stage.joint else nullcontext():
                registry.load(context.stage.function)(context)
        except Interrupted as error:
            if not self.exhausted:
                raise
            spent, allowed = self.before + self.meter.read().joules, self.settings.budget
            raise BudgetError(
                f"the energy budget is used up, {format_joules(spent)} are drawn; {error.problems[0].found}",
                where=f"{context.stage.name}: energy.budget",
                expected=f"at most {format_joules(allowed)} for all stages of the run",
                next_step="raise energy.budget and run the same command again: it goes on where it stopped",
            ) from error


def joules_of(evidence: Iterable[Evidence]) -> float:
    """Return the energy that stages have claimed to have drawn, in joules."""
    return sum(item.value or 0.0 for item in evidence if item.name.startswith("energy["))
