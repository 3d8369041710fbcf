"""How good the answers of two models are on the same labelled examples, as a whole and slice by slice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..methods.statistics.bootstrap import paired_difference, summarise_all
from ..methods.statistics.catalogue import METRICS
from ..methods.statistics.intervals import Estimate
from ..tasks.task import Examples

MEASURED = ("accuracy", "calibration_error", "log_loss")


@dataclass(frozen=True)
class Judge:
    """Labelled examples, and how intervals are made."""

    targets: np.ndarray
    resamples: int
    confidence: float
    seed: int

    def measure(self, answers: np.ndarray) -> dict[str, Estimate]:
        """Return accuracy, calibration error and log loss with intervals.

        Shapes: answers (n, classes) float -> estimates
        """
        found: dict[str, Any] = dict(
            summarise_all(
                self.targets,
                answers,
                metrics={name: METRICS[name] for name in MEASURED},
                resamples=self.resamples,
                confidence=self.confidence,
                generator=np.random.default_rng(self.seed),
            )
        )
        return found

    def change(self, after: np.ndarray, before: np.ndarray) -> Estimate:
        """Return how much higher the accuracy of the answers `after` is, with a paired interval.

        Shapes: after, before (n, classes) float -> estimate
        """
        return paired_difference(
            METRICS["accuracy"],
            self.targets,
            after,
            before,
            resamples=self.resamples,
            confidence=self.confidence,
            generator=np.random.default_rng(self.seed),
        )


def agreement(one: np.ndarray, other: np.ndarray) -> float:
    """Return the share of examples on which two models decide alike.

    Shapes: one, other (n, classes) float -> fraction
    """
    return float((one.argmax(axis=1) == other.argmax(axis=1)).mean())


def changes_by_slice(
    targets: np.ndarray, after: np.ndarray, before: np.ndarray, slices: dict[str, np.ndarray]
) -> dict[str, dict[str, float]]:
    """Return size, accuracy and change of accuracy of each slice that has examples.

    Shapes: targets (n,) int, after, before (n, classes) float, slices (n,) bool by name -> numbers by name
    """
    now, then = after.argmax(axis=1) == targets, before.argmax(axis=1) == targets
    return {
        name: {
            "n": int(chosen.sum()),
            "accuracy": float(now[chosen].mean()),
            "change": float(now[chosen].mean() - then[chosen].mean()),
        }
        for name, chosen in slices.items()
        if chosen.any()
    }


def slices_of(examples: Examples, groups: tuple[str, ...]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return which examples belong to each class, and to each category of the named columns of a table.

    Raises:
        KeyError: a table has no such column of categories.
    """
    targets = np.asarray(examples.columns["target"])
    classes = {name: targets == index for index, name in enumerate(examples.learnt["classes"])}
    found: dict[str, np.ndarray] = {}
    coded = [column for column in examples.learnt.get("columns", []) if "categories" in column]
    places = {column["name"]: place for place, column in enumerate(coded)}
    for group in groups:
        codes = np.asarray(examples.columns["codes"])[:, places[group]]
        for code, category in enumerate(coded[places[group]]["categories"], 1):
            found[f"{group}={category}"] = codes == code
    return classes, found
