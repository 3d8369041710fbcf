"""One row of the table of compression: everything that is measured of a model, against the one before and the first."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...core.artifact import artifact_digest, manifest_of
from ...engine.onnx_network import FILE
from ...engine.predictor import WEIGHTS, Predictor, open_predictor
from ...engine.quality import Judge, agreement, changes_by_slice
from ...engine.timing import cpu_seconds, time_in_turn
from ...methods.statistics.intervals import Estimate
from ...tasks.task import Examples

LATENCY_BATCHES = (1, 32)
CPU_EXAMPLES = 1000


@dataclass(frozen=True)
class Measured:
    """A model folder that has been opened, and its answers on the validation part."""

    folder: Path
    digest: str
    size: int
    predictor: Predictor
    answers: np.ndarray


@dataclass(frozen=True)
class Ruler:
    """What every model of a table is measured with: the same examples, the same intervals, the same rounds."""

    judge: Judge
    validation: Examples
    classes: dict[str, np.ndarray]
    groups: dict[str, np.ndarray]
    rounds: int

    def open(self, folder: Path) -> Measured:
        """Open a model folder and let it answer the validation part."""
        predictor = open_predictor(folder)
        weights = folder / (FILE if (folder / FILE).exists() else WEIGHTS)
        return Measured(
            folder,
            artifact_digest("model", manifest_of(folder)),
            weights.stat().st_size,
            predictor,
            predictor.predict(self.validation),
        )

    def first_row(self, first: Measured) -> dict[str, Any]:
        """Return what is known of the model before any step."""
        return {**self._alone(first), "latency": self._latency([first])[0]}

    def row(self, after: Measured, before: Measured, first: Measured) -> dict[str, Any]:
        """Return everything about a model; the three answer in turn when they are timed."""
        models = [after, before] if before is first else [after, before, first]
        latencies = self._latency(models)
        for batch, latency in latencies[0].items():
            latency["ratio_to_before"] = latencies[1][batch]["p50"] / latency["p50"]
            latency["ratio_to_first"] = latencies[-1][batch]["p50"] / latency["p50"]
        return {
            **self._alone(after),
            "latency": latencies[0],
            "to_before": self._against(after, before),
            "to_first": self._against(after, first),
        }

    def _alone(self, model: Measured) -> dict[str, Any]:
        some = self.validation.take(np.arange(min(CPU_EXAMPLES, len(self.validation))))
        quality = {name: _plain(estimate) for name, estimate in self.judge.measure(model.answers).items()}
        return {
            "model": model.digest,
            "bytes": model.size,
            "parameters": model.predictor.parameters,
            **quality,
            "cpu_seconds": cpu_seconds(model.predictor, some),
        }

    def _latency(self, models: list[Measured]) -> list[dict[str, dict[str, float]]]:
        found: list[dict[str, dict[str, float]]] = [{} for _ in models]
        for batch in LATENCY_BATCHES:
            for place, latency in enumerate(
                time_in_turn([model.predictor for model in models], self.validation, batch, self.rounds)
            ):
                found[place][str(batch)] = {"p50": latency.p50, "p99": latency.p99, "n": latency.n}
        return found

    def _against(self, after: Measured, other: Measured) -> dict[str, Any]:
        targets = self.judge.targets
        return {
            "size_ratio": other.size / after.size,
            "agreement": agreement(after.answers, other.answers),
            "accuracy_change": _plain(self.judge.change(after.answers, other.answers)),
            "classes": changes_by_slice(targets, after.answers, other.answers, self.classes),
            "groups": changes_by_slice(targets, after.answers, other.answers, self.groups),
        }


def _plain(estimate: Estimate) -> dict[str, Any]:
    return asdict(estimate)
