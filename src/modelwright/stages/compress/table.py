"""One row of the table of compression: everything that is measured of a model, against the one before and the first."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...core.artifact import artifact_digest, manifest_of
from ...core.metering import Meter
from ...engine.onnx_network import FILE
from ...engine.predictor import WEIGHTS, Predictor, open_predictor
from ...engine.quality import (
    Judge,
    agreement,
    changes,
    measure_fairness,
    measure_slices,
    slices_of_classes,
    slices_of_groups,
)
from ...engine.timing import cost_of, time_in_turn
from ...tasks.task import Examples, Grouping

LATENCY_BATCHES = (1, 32)
COST_EXAMPLES = 1000


@dataclass(frozen=True)
class Measured:
    """A model folder that has been opened, its answers on the validation part, and what was measured of it alone."""

    folder: Path
    digest: str
    size: int
    predictor: Predictor
    answers: np.ndarray
    alone: dict[str, Any]


@dataclass(frozen=True)
class Ruler:
    """What every model of a table is measured with: the same examples, the same intervals, the same rounds.

    `good` are the classes that are good for whom they are given to.
    """

    judge: Judge
    validation: Examples
    groups: dict[str, Grouping]
    good: tuple[int, ...]
    rounds: int
    meter: Meter

    def open(self, folder: Path) -> Measured:
        """Open a model folder, let it answer the validation part, and measure what does not need another model."""
        predictor = open_predictor(folder)
        weights = folder / (FILE if (folder / FILE).exists() else WEIGHTS)
        size, answers = weights.stat().st_size, predictor.predict(self.validation)
        digest = artifact_digest("model", manifest_of(folder))
        some = self.validation.take(np.arange(min(COST_EXAMPLES, len(self.validation))))
        alone = {
            "model": digest,
            "bytes": size,
            "parameters": predictor.parameters,
            "metrics": {claim.name: claim.to_json() for claim in self.judge.measure(answers)},
            "cost": asdict(cost_of(predictor, some, self.meter)),
            **self._slices(answers),
        }
        return Measured(folder, digest, size, predictor, answers, alone)

    def _slices(self, answers: np.ndarray) -> dict[str, Any]:
        targets = self.judge.targets
        rates, gaps = measure_fairness(targets, answers, self.groups, self.good)
        groups = measure_slices(targets, answers, slices_of_groups(self.groups))
        return {
            "classes": measure_slices(targets, answers, slices_of_classes(self.validation)),
            "groups": {name: {**numbers, **rates[name]} for name, numbers in groups.items()},
            "gaps": gaps,
        }

    def row(self, after: Measured, before: Measured, first: Measured) -> dict[str, Any]:
        """Return everything about a model but how long its answers take."""
        return {**after.alone, "to_before": self._against(after, before), "to_first": self._against(after, first)}

    def latencies(self, models: list[Measured]) -> list[dict[str, dict[str, float]]]:
        """Return how long the answers of each model take, by batch: all answer in turn, so that all see the same weather."""
        found: list[dict[str, dict[str, float]]] = [{} for _ in models]
        for batch in LATENCY_BATCHES:
            times = time_in_turn([model.predictor for model in models], self.validation, batch, self.rounds)
            for place, latency in enumerate(times):
                found[place][str(batch)] = {
                    "p50": latency.p50,
                    "p99": latency.p99,
                    "n": latency.n,
                    "ratio_to_before": times[max(0, place - 1)].p50 / latency.p50,
                    "ratio_to_first": times[0].p50 / latency.p50,
                }
        return found

    def _against(self, after: Measured, other: Measured) -> dict[str, Any]:
        spent, spent_before = after.alone["cost"]["joules"], other.alone["cost"]["joules"]
        return {
            "size_ratio": other.size / after.size,
            "energy_ratio": spent_before / spent if spent and spent_before else None,
            "agreement": agreement(after.answers, other.answers),
            "accuracy_change": asdict(self.judge.change(after.answers, other.answers)),
            **{kind: changes(after.alone[kind], other.alone[kind]) for kind in ("classes", "groups", "gaps")},
        }
