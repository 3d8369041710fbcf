"""How good the answers of two models are on the same labelled examples, as a whole, slice by slice and group against group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.evidence import Evidence
from ..methods.fairness.outcomes import count_outcomes, disparities_of, rates_of
from ..methods.statistics.bootstrap import paired_difference
from ..methods.statistics.calibration import calibration_error
from ..methods.statistics.catalogue import METRICS
from ..methods.statistics.intervals import Estimate
from ..methods.statistics.scored import score
from ..methods.statistics.weights import unit_weights
from ..tasks.task import Examples, Grouping, Task

# Groups with fewer rows are compared with no other group.
LEAST = 30
# What can be said of groups where no class is better to be given than another.
OF_ANY_CLASS = ("accuracy", "accuracy_difference")


@dataclass(frozen=True)
class Judge:
    """Labelled examples of a task, and how intervals are made."""

    task: Task
    targets: np.ndarray
    resamples: int
    confidence: float
    seed: int

    def measure(self, answers: np.ndarray) -> list[Evidence]:
        """Return every metric of the task with its interval.

        Shapes: answers (n, classes) float -> claims
        """
        return self.task.metrics(self.targets, answers, self.resamples, self.confidence, self.seed)

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


def measure_slices(
    targets: np.ndarray, answers: np.ndarray, slices: Mapping[str, np.ndarray]
) -> dict[str, dict[str, float]]:
    """Return size, accuracy and calibration error of each slice that has examples.

    Shapes: targets (n,) int, answers (n, classes) float, slices (n,) bool by name -> numbers by name
    """
    right = answers.argmax(axis=1) == targets
    return {
        name: {
            "n": int(chosen.sum()),
            "accuracy": float(right[chosen].mean()),
            "calibration_error": _calibration(targets[chosen], answers[chosen]),
        }
        for name, chosen in slices.items()
        if chosen.any()
    }


def _calibration(targets: np.ndarray, answers: np.ndarray) -> float:
    scored = score(targets, answers)
    return float(calibration_error(scored, unit_weights(scored.examples))[0])


def changes(after: Mapping[str, Mapping[str, Any]], before: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return by how much each number of each name is higher after than before; what one of them lacks is left out."""
    return {
        name: {
            key: value - before[name][key]
            for key, value in numbers.items()
            if key != "n" and value is not None and before[name].get(key) is not None
        }
        for name, numbers in after.items()
        if name in before
    }


def slices_of_classes(examples: Examples) -> dict[str, np.ndarray]:
    """Return which examples belong to each class."""
    targets = np.asarray(examples.columns["target"])
    return {name: targets == index for index, name in enumerate(examples.learnt["classes"])}


def slices_of_groups(groups: Mapping[str, Grouping]) -> dict[str, np.ndarray]:
    """Return which examples belong to each group, by names such as `sex=Female`."""
    return {
        f"{column}={name}": grouping.codes == code
        for column, grouping in groups.items()
        for code, name in enumerate(grouping.names)
    }


def measure_fairness(
    targets: np.ndarray, answers: np.ndarray, groups: Mapping[str, Grouping], good: tuple[int, ...]
) -> tuple[dict[str, dict[str, float | None]], dict[str, dict[str, float | None]]]:
    """Return the rates of each group, and how far the large groups of each column lie apart; nothing where a rate does not exist.

    `good` are the classes that are good for whom they are given to; without any, groups are compared by accuracy alone.

    Shapes: targets (n,) int, answers (n, classes) float -> numbers by group, numbers by column
    """
    answered = answers.argmax(axis=1)
    rates_by_group: dict[str, dict[str, float | None]] = {}
    gaps_by_column: dict[str, dict[str, float | None]] = {}
    for column, grouping in groups.items():
        counts_G8 = count_outcomes(
            grouping.codes.astype(np.int64),
            np.isin(targets, good),
            np.isin(answered, good),
            answered == targets,
            len(grouping.names),
        )
        rates = rates_of(counts_G8)
        for code in np.flatnonzero(counts_G8.sum(axis=1)).tolist():
            of_group = {name: _number(values[code]) for name, values in rates.items()}
            rates_by_group[f"{column}={grouping.names[code]}"] = _sayable(of_group, good)
        large = counts_G8.sum(axis=1) >= LEAST
        gaps = disparities_of({name: values[large] for name, values in rates.items()})
        gaps_by_column[column] = _sayable({name: _number(value) for name, value in gaps.items()}, good)
    return rates_by_group, gaps_by_column


def _sayable(numbers: dict[str, float | None], good: tuple[int, ...]) -> dict[str, float | None]:
    return numbers if good else {name: value for name, value in numbers.items() if name in OF_ANY_CLASS}


def _number(value: Any) -> float | None:
    return None if np.isnan(value) else float(value)
