"""One trial: the edited recipe, run by the core until there is a model; what it was worth on the validation part, and what it cost."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from ...core.artifact import manifest_path
from ...core.errors import BudgetError, Busy, DataError, Interrupted, RecipeError
from ...core.files import read_json
from ...core.recipe import Recipe
from ...core.run import Run
from ...core.stage import Answer, OnProgress, Progress
from .checks import UNTIL
from .search import Asked, Outcome, Search
from .settings import STAGE, Tune

# Seconds between two looks at a run folder in which another process works.
LOOK = 0.2
# Which examples the validation part holds shows in their answers, whatever becomes of the inputs.
TARGETS = "validation/target.npy"

RunInside = Callable[[Recipe, str, OnProgress], Run]


def recipe_of(recipe: Recipe, edits: dict[str, Any]) -> Recipe:
    """Return the recipe of a trial: nothing but what makes the model, so that other changes do not make it another recipe.

    Raises:
        RecipeError: these values do not go together.
    """
    for section in [name for name in recipe.sections if name not in STAGE.reads]:
        recipe = recipe.without(section)
    return recipe.edited(edits)


class Watch:
    """State: how far a trial is, the next rung that it comes to, and whether it was stopped there."""

    def __init__(self, search: Search, number: int, settings: Tune, on_progress: OnProgress) -> None:
        self.search, self.number, self.settings, self.on_progress = search, number, settings, on_progress
        self.step = self.total = self.rung = 0
        self.stopped = False
        self.value: float | None = None

    def __call__(self, progress: Progress) -> Answer:
        """Hear a sign of life of the trial; the answer is 'stop' where others were better when they had come as far."""
        if progress.total and progress.stage == UNTIL:
            self.step, self.total = progress.step, progress.total
            self.value = progress.values.get(f"validation_{self.settings.goal.measure}")
        answer = self.on_progress(progress)
        if answer == "go" and self.search.plan.halving and self._is_worse():
            self.stopped = True
            return "stop"
        return answer

    def look_back(self, points: list[dict[str, float]], total: int) -> None:
        """Judge a training that was made before by what it had measured, as if it were going on now."""
        share, factor = self.settings.halving.first, self.settings.halving.factor
        rungs = [
            math.ceil(share * factor**rung * total) for rung in range(total.bit_length()) if share * factor**rung < 1
        ]
        for step in sorted({*rungs, *(int(point["step"]) for point in points)}):
            known = [point for point in points if point["step"] <= step]
            if known and step <= points[-1]["step"]:
                self.step, self.total, self.value = step, total, known[-1][self.settings.goal.measure]
                if self._is_worse():
                    self.stopped = True
                    return

    def _is_worse(self) -> bool:
        share = self.settings.halving.first * self.settings.halving.factor**self.rung
        while self.value is not None and share < 1 and self.step >= share * self.total:
            if self.search.should_stop(self.number, self.rung, self.value):
                return True
            self.rung += 1
            share *= self.settings.halving.factor
        return False


def run_trial(
    search: Search, asked: Asked, recipe: Recipe, settings: Tune, run_inside: RunInside, on_progress: OnProgress
) -> Outcome:
    """Run a trial; what its recipe or its data make impossible is an outcome, too.

    Raises:
        Interrupted: asked to stop; the trial can be taken up again.
    """
    watch = Watch(search, asked.number, settings, on_progress)
    began = time.monotonic()
    try:
        trial = recipe_of(recipe, asked.edits)
        made = _run(trial, run_inside, watch)
        _require_same_validation(search, made)
    except (RecipeError, DataError, BudgetError) as error:
        per_epoch = _steps_per_epoch(None, recipe, watch)
        return Outcome("failed", None, str(error), watch.step, _epochs(watch.step, per_epoch), _since(began))
    per_epoch = _steps_per_epoch(made, trial, watch)
    if search.plan.halving and per_epoch and not watch.step:
        points, train = _record(made)["validation"], trial.sections[UNTIL]
        watch.look_back(points, train.length.steps(per_epoch))  # type: ignore[attr-defined]
    claims = {item.name: item.value for item in made.evidence()}
    steps = watch.step if watch.stopped else int(claims["steps"] or 0)
    epochs = _epochs(steps, per_epoch)
    value = watch.value if watch.stopped else claims[f"validation_{settings.goal.measure}"]
    reason = f"stopped after {watch.step} of {watch.total} steps" if watch.stopped else ""
    return Outcome("stopped" if watch.stopped else "finished", value, reason, steps, epochs, _since(began))


def _since(began: float) -> float:
    return round(time.monotonic() - began, 3)


def _run(recipe: Recipe, run_inside: RunInside, watch: Watch) -> Run:
    while True:
        try:
            return run_inside(recipe, UNTIL, watch)
        except Busy:
            # Another process has drawn the same values. When it is done, so is this one.
            if watch.on_progress(Progress(STAGE.name)) == "interrupt":
                raise Interrupted("stopped as asked", where=STAGE.name) from None
            time.sleep(LOOK)


def _require_same_validation(search: Search, made: Run) -> None:
    dataset = made.artifact("dataset")
    if dataset is None:
        return
    digest = str(read_json(manifest_path(dataset))["files"].get(TARGETS))
    if search.reference(digest) != digest:
        raise DataError(
            "the validation part of this trial holds other examples than that of the first one, so they cannot be compared",
            where=f"{STAGE.name}.space",
            expected="keys that leave the validation part as it is",
            next_step="take keys of data and prepare that deal out other rows from the space",
        )


def _record(made: Run) -> dict[str, Any]:
    """Return what the training has recorded of itself."""
    model = made.artifact("model")
    assert model is not None, "a training gives a model"
    found: dict[str, Any] = read_json(model.path / "training.json")
    return found


def _epochs(steps: int, per_epoch: int) -> float:
    return round(steps / per_epoch, 6) if per_epoch else 0.0


def _steps_per_epoch(made: Run | None, recipe: Recipe, watch: Watch) -> int:
    """Return how many steps an epoch of a trial has; 0 where it has none, or nobody knows."""
    epochs = _record(made)["loss"] if made else []
    if epochs:
        return int(epochs[0]["step"])
    train: Any = recipe.sections[UNTIL]
    if watch.total and train.length.unit == "epochs" and train.length.count:
        return max(1, round(watch.total / train.length.count))
    dataset = made.artifact("dataset") if made else None
    if dataset is not None and watch.total:
        return math.ceil(read_json(dataset.path / "datasheet.json")["rows"]["train"] / train.batch)
    return 0
