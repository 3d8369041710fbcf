"""The metrics of classification by name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from . import calibration, counts, ranking, scoring_rules
from .metric import Metric

MANNING = "Manning et al. 2008, section 8.4; scikit-learn average_precision_score"


def _itself(values: Any) -> Any:
    return values


def _counted(name: str, read: Any, source: str, *, per_class: bool = False) -> Metric:
    return Metric(
        name, counts.count_classes, read, "fraction", higher_is_better=True, per_class=per_class, source=source
    )


def _averaged(name: str, per_class: counts.PerClass, source: str) -> list[Metric]:
    return [
        _counted(f"{name}_macro", partial(counts.macro_average, per_class=per_class), source),
        _counted(f"{name}_micro", partial(counts.micro_average, per_class=per_class), source),
        _counted(f"{name}_weighted", partial(counts.weighted_average, per_class=per_class), source),
        _counted(f"{name}_per_class", per_class, source, per_class=True),
    ]


def _build() -> Mapping[str, Metric]:
    metrics = [
        _counted("accuracy", counts.accuracy, "Sokolova and Lapalme 2009, table 3"),
        _counted("balanced_accuracy", counts.balanced_accuracy, "Brodersen et al. 2010, section II"),
        *_averaged("precision", counts.precision, "van Rijsbergen 1979, chapter 7"),
        *_averaged("recall", counts.recall, "van Rijsbergen 1979, chapter 7"),
        *_averaged("f1", counts.f1, "van Rijsbergen 1979, chapter 7"),
        Metric("roc_auc", ranking.rank_areas, ranking.roc_auc, "fraction", True, False, "Hanley and McNeil 1982"),
        # Repeated positives lie on one level of score, which raises the average precision of a resample.
        Metric("pr_auc", ranking.rank_areas, ranking.pr_auc, "fraction", True, False, MANNING, interval="basic"),
        Metric(
            "recall_at_90_precision",
            ranking.rank_areas,
            ranking.recall_at_90_precision,
            "fraction",
            True,
            False,
            "Manning et al. 2008, section 8.4; scikit-learn precision_recall_curve",
        ),
        Metric("log_loss", scoring_rules.log_loss, _itself, "nats", False, False, "Good 1952, section 5"),
        Metric("brier", scoring_rules.brier, _itself, "squared fraction", False, False, "Brier 1950, equation 2"),
        # Absolute gaps grow with noise, and resampling adds noise.
        Metric(
            "calibration_error",
            calibration.calibration_error,
            _itself,
            "fraction",
            False,
            False,
            "Guo et al. 2017, equation 3",
            interval="basic",
        ),
    ]
    return MappingProxyType({metric.name: metric for metric in metrics})


METRICS: Mapping[str, Metric] = _build()
