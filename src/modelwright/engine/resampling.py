"""Resampling: what becomes of the training part, and of it alone, before training begins."""

from __future__ import annotations

import numpy as np

from ..core.errors import RecipeError
from ..methods.balance.drawing import over_sampled_counts
from ..methods.balance.settings import GanRowsSettings, NoResampling, SmoteSettings
from ..methods.balance.smote import synthesise
from ..methods.balance.table import Table
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
    _require_table(modality)
    counts, wanted = _counted(training, settings.ratio)
    _require_neighbours(settings, training.learnt["classes"], counts, wanted)
    table = _told(training)
    asked = {label: int(count) for label, count in enumerate(wanted) if count}
    numbers, codes, targets = synthesise(table.numbers, table.codes, table.targets, asked, settings.neighbours, seed)
    return _joined(training, numbers, codes, targets)


def gan(settings: GanRowsSettings, training: Examples, modality: str, seed: int) -> Examples:
    """Return the training part with rows of the rare classes after its own that a generator made.

    Raises:
        RecipeError: the examples are no rows of a table.
    """
    from .row_game import make_rows

    _require_table(modality)
    counts, wanted = _counted(training, settings.ratio)
    lacking = {label: int(more) for label, more in enumerate(wanted - counts) if more > 0}
    if not lacking:
        return training
    table = _told(training)
    made = make_rows(settings, table, lacking, seed)
    sides = zip((table.numbers, table.codes, table.targets), made, strict=True)
    return _joined(training, *(np.concatenate(side) for side in sides))


def _require_table(modality: str) -> None:
    if modality != "tabular":
        raise RecipeError(
            f"the task is {modality}, and nothing lies between two examples of it",
            where="train.resample",
            expected="task: tabular",
            next_step="use train.sampler: over_sampling, train.objective: class_weights or train.objective: focal",
        )


def _counted(training: Examples, ratio: float) -> tuple[np.ndarray, np.ndarray]:
    """Return how many examples of each class there are, and how many there are to be."""
    targets = np.asarray(training.columns["target"])
    counts = np.bincount(targets, minlength=len(training.learnt["classes"]))
    return counts, over_sampled_counts(counts, ratio)


def _gaps(training: Examples) -> np.ndarray:
    """Return the columns of numbers in which any is missing."""
    return np.flatnonzero(np.asarray(training.columns["missing"]).any(axis=0))


def _told(training: Examples) -> Table:
    """Return numbers and codes; where a number was missing is a category of its own: yes or no, and nothing between."""
    columns = {name: np.asarray(column) for name, column in training.columns.items()}
    missing = columns["missing"][:, _gaps(training)].astype(columns["codes"].dtype)
    return Table(
        columns["numbers"],
        np.concatenate([columns["codes"], missing], axis=1),
        columns["target"],
        [*training.learnt.get("cardinalities", _sizes(columns["codes"])), *[2] * missing.shape[1]],
        len(training.learnt["classes"]),
    )


def _sizes(codes: np.ndarray) -> list[int]:
    return [int(most) + 1 for most in codes.max(axis=0, initial=0)]


def _joined(training: Examples, numbers: np.ndarray, codes: np.ndarray, targets: np.ndarray) -> Examples:
    """Return old and new rows as examples; a missing number stands at the value it was given, never beside it."""
    columns = {name: np.asarray(column) for name, column in training.columns.items()}
    gaps, kept = _gaps(training), columns["codes"].shape[1]
    missing = np.zeros((len(targets), columns["missing"].shape[1]), dtype=columns["missing"].dtype)
    missing[:, gaps] = codes[:, kept:] > 0
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
