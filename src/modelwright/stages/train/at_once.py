"""Training at once: scikit-learn fits, plain arrays are kept."""

from __future__ import annotations

import time

from ...core.errors import RecipeError
from ...core.randomness import derive_seed
from ...core.stage import Context
from ...engine.observers import measure
from ...engine.predictor import arrays_predictor, save_arrays
from ...models.at_once import AtOnce
from ...tasks.task import Examples, Task
from .trained import Trained


def fit_at_once(context: Context, task: Task, model: AtOnce, training: Examples, validation: Examples) -> Trained:
    """Fit a model that has no steps; keys of `train` that speak of steps do not concern it."""
    if getattr(type(context.settings.objective), "of_groups", False):
        raise RecipeError(
            f"the model '{context.recipe.sections['model'].kind}' is fitted at once and knows no objective",  # type: ignore[attr-defined]
            where=f"train.objective: {context.settings.objective.kind}",
            expected="a model that is trained by steps",
            next_step="choose thresholds by group instead (audit.fairness.mitigations: [thresholds])",
        )
    context.check_interrupt(message="fitting")
    began = time.monotonic()
    columns = {name: column for name, column in training.columns.items() if name != "target"}
    arrays = model.fit(columns, training.columns["target"], derive_seed(context.recipe.seed, "fit"))
    seconds = time.monotonic() - began
    predictor = arrays_predictor(model, arrays, task, training.learnt)
    kept = measure(predictor, validation)
    sections = context.recipe.sections
    return Trained(
        predictor,
        save=lambda place: save_arrays(place, arrays, sections["task"], sections["model"], training.learnt),
        kept=kept,
        record={"loss": [], "validation": [{"step": 0, **kept}], "kept_step": 0, "skipped_steps": 0},
        steps=0,
        skipped=0,
        seconds=seconds,
        examples_seen=len(training),
    )
