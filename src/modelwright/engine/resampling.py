"""Resampling: what becomes of the training part, and of it alone, before training begins."""

from __future__ import annotations

import numpy as np

from ..core.errors import RecipeError
from ..methods.balance.drawing import over_sampled_counts
from ..methods.balance.settings import NoResampling, SmoteSettings
from ..methods.balance.smote import synthesise
from ..tasks.task import Examples


def keep(settings: NoResampling, training: Examples, modality: str, seed: int) -> Examples:
    """Return the training part as it is."""
    return training


def smote(settings: SmoteSettings, training: Examples, modality: str, seed: int) -> Examples:
    """Return the training part with made examples of the rare classes after its own.

    Raises:
        RecipeError: the examples are no rows of a table, or a class has too few of them to lie between.
        MissingExtra: imbalanced-learn is not installed.
    """
    if modality != "tabular":
        raise RecipeError(
            f"the task is {modality}, and nothing lies between two examples of it",
            where="train.resample",
            expected="task: tabular",
            next_step="use train.sampler: over_sampling, train.objective: class_weights or train.objective: focal",
        )
    columns = {name: np.asarray(column) for name, column in training.columns.items()}
    counts = np.bincount(columns["target"], minlength=len(training.learnt["classes"]))
    wanted = over_sampled_counts(counts, settings.ratio)
    _require_neighbours(settings, training.learnt["classes"], counts, wanted)
    # Where a number was missing is a category of its own: yes or no, and nothing between.
    gaps = np.flatnonzero(columns["missing"].any(axis=0))
    codes = np.concatenate([columns["codes"], columns["missing"][:, gaps].astype(columns["codes"].dtype)], axis=1)
    asked = {label: int(count) for label, count in enumerate(wanted) if count}
    numbers, codes, targets = synthesise(columns["numbers"], codes, columns["target"], asked, settings.neighbours, seed)
    missing = np.zeros((len(targets), columns["missing"].shape[1]), dtype=columns["missing"].dtype)
    kept = columns["codes"].shape[1]
    missing[:, gaps] = codes[:, kept:] > 0
    # A missing number stands at the value it was given in its place, never between that and another.
    for gap in gaps.tolist():
        numbers[missing[:, gap], gap] = columns["numbers"][columns["missing"][:, gap].argmax(), gap]
    made = {
        "numbers": numbers,
        "missing": missing,
        "codes": np.ascontiguousarray(codes[:, :kept]),
        "target": targets,
    }
    return Examples({name: made[name] for name in training.columns}, training.learnt)


def _require_neighbours(settings: SmoteSettings, classes: list[str], counts: np.ndarray, wanted: np.ndarray) -> None:
    for name, count, asked in zip(classes, counts.tolist(), wanted.tolist(), strict=True):
        if asked > count and count <= settings.neighbours:
            raise RecipeError(
                f"the class '{name}' has {count} training examples, and each needs {settings.neighbours} neighbours",
                where="train.resample.neighbours",
                expected=f"more than {settings.neighbours} examples of every class that is to grow",
                next_step="lower train.resample.neighbours or train.resample.ratio, or use train.sampler: over_sampling",
            )
