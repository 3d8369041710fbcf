"""The floor: what the honest simple model of the task reaches on the same rows, and how much better ours is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ...core import registry
from ...core.evidence import Evidence
from ...core.randomness import derive_seed
from ...core.run import Run
from ...core.stage import Context
from ...methods.statistics.bootstrap import paired_difference
from ...methods.statistics.catalogue import METRICS

# What a model that is fitted at once cannot do, and refuses rather than ignores.
NOT_OF_STEPS: dict[str, Any] = {
    "train.objective": "mean",
    "train.privacy": "none",
    "audit.fairness.mitigations": [],
    "explain.attributions": [],
    "explain.layer": "auto",
}
CLAIMED = ("accuracy", "balanced_accuracy", "f1_macro", "roc_auc", "log_loss")


def compare_with_floor(
    context: Context, targets: np.ndarray, answers: np.ndarray, about: dict[str, str]
) -> list[dict[str, Any]]:
    """Run the same recipe with the floor's model; claim its numbers, and the paired difference in accuracy.

    Return what the report shows of it: a name and claims. Nothing, where the task has no floor or the model is it.
    """
    task: Any = context.recipe.sections["task"]
    model: Any = context.recipe.sections["model"]
    if task.kind not in registry.names("floor"):
        return []
    kind = registry.part("floor", task.kind).settings
    if model.kind == kind:
        return []
    context.check_interrupt(message=f"the floor: {kind}")
    edits = {
        "name": f"{context.recipe.name}-floor",
        "model": {"kind": kind},
        "evaluate.floor": "none",
        "evaluate.folds": 0,
        **{key: value for key, value in NOT_OF_STEPS.items() if key.split(".")[0] in context.recipe.sections},
    }
    inner: Run = context.run_recipe(context.recipe.edited(edits), "evaluate")
    claims = [item for item in inner.evidence() if item.name in CLAIMED]
    context.claim(
        *(
            replace(item, name=f"floor[{item.name}]", about=about, method=f"{kind} on the same rows; {item.method}")
            for item in claims
        )
    )
    context.claim(_gain(context, targets, answers, _answers(inner), about, kind))
    return [{"name": kind, "claims": [item.to_json() for item in claims]}]


def _answers(inner: Run) -> np.ndarray:
    predictions = inner.artifact("predictions")
    if predictions is None:
        raise AssertionError("an evaluated run has predictions")
    answers: np.ndarray = np.load(predictions.path / "answers.npy", allow_pickle=False)
    return answers


def _gain(
    context: Context, targets: np.ndarray, ours: np.ndarray, theirs: np.ndarray, about: dict[str, str], kind: str
) -> Evidence:
    settings = context.settings
    difference = paired_difference(
        METRICS["accuracy"],
        targets,
        ours,
        theirs,
        resamples=settings.resamples,
        confidence=settings.confidence,
        generator=np.random.default_rng(derive_seed(context.recipe.seed, "floor")),
    )
    return Evidence(
        "gain_over_floor",
        difference.value,
        unit="fraction",
        low=difference.low,
        high=difference.high,
        confidence=difference.confidence,
        n=difference.n,
        about=about,
        method=f"accuracy minus that of {kind} on the same test rows, paired bootstrap",
    )
