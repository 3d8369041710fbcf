"""The words that all classification tasks share: cross entropy, class probabilities, metrics, and learning the classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import DataError
from ..core.evidence import Evidence
from ..sources.mapped import let_go
from .task import Batch, Collate, Examples, Room, Task

if TYPE_CHECKING:
    import torch

    from ..methods.statistics.intervals import Estimate
    from ..methods.statistics.metric import Metric
    from ..sources.rows import Rows


def task(
    modality: str,
    examples: Callable[[Rows, dict[str, Any] | None], Examples],
    collate: Collate,
    render: Callable[[Examples, int], dict[str, Any]],
) -> Task:
    """Return a classification task: the three words of its modality, and the four that all of them share."""
    return Task(modality, examples, collate, losses, sizes, predict, metrics, render)


def losses(model: torch.nn.Module, batch: Batch) -> torch.Tensor:
    """Return the cross entropy of each example.

    Shapes: batch of b -> (b,) float
    Units: nats
    """
    from torch.nn.functional import cross_entropy

    # In float32 whatever the precision of the network: eight bits of mantissa are too few for a loss.
    return cross_entropy(model(**batch.inputs).float(), batch.targets, reduction="none")


def gather(room: Room, name: str, column: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """Return the rows of a column, in room that is there already.

    Shapes: column (n, ...), indices (b,) -> (b, ...)
    """
    # `clip` only because numpy buffers its output otherwise; the indices come from a sampler and lie inside.
    taken = column.take(indices, axis=0, out=room(name, (len(indices), *column.shape[1:]), column.dtype), mode="clip")
    let_go(column)
    return taken


def convert(room: Room, name: str, array: np.ndarray, dtype: Any) -> np.ndarray:
    """Return an array in another type, in room that is there already."""
    converted = room(name, array.shape, dtype)
    np.copyto(converted, array)
    return converted


def sizes(batch: Batch) -> torch.Tensor:
    """Return how much each example counts: one."""
    import torch

    return torch.ones(len(batch))


def predict(model: torch.nn.Module, batch: Batch) -> torch.Tensor:
    """Return the probability of each class.

    Shapes: batch of b -> (b, classes) float
    """
    return model(**batch.inputs).float().softmax(dim=-1)


def metrics(targets: np.ndarray, answers: np.ndarray, resamples: int, confidence: float, seed: int) -> list[Evidence]:
    """Measure every classification metric with a bootstrap interval.

    Shapes: targets (n,) int, answers (n, classes) float -> claims
    """
    from ..methods.statistics.bootstrap import summarise_all
    from ..methods.statistics.catalogue import METRICS

    estimates = summarise_all(
        targets, answers, resamples=resamples, confidence=confidence, generator=np.random.default_rng(seed)
    )
    # A bootstrap of a perfect score has no width; Wilson's interval knows that perfection on n examples is not certainty.
    estimates["accuracy"] = _widened(estimates["accuracy"], int((answers.argmax(axis=1) == targets).sum()))
    claims = []
    for name, estimate in estimates.items():
        per_class = enumerate(estimate) if isinstance(estimate, tuple) else [(None, estimate)]
        for index, item in per_class:
            claims.append(
                _claim(name if index is None else f"{name.removesuffix('_per_class')}[{index}]", item, METRICS[name])
            )
    return claims


def _widened(item: Any, right: int) -> Estimate:
    from ..methods.statistics.intervals import wilson_interval

    low, high = wilson_interval(right, item.n, item.confidence)
    widened: Estimate = replace(item, low=min(low, item.low), high=max(high, item.high))
    return widened


def _claim(name: str, item: Estimate, metric: Metric) -> Evidence:
    if item.value is None:
        return Evidence(
            name,
            None,
            n=item.n,
            status="not_applicable",
            reason="no such examples among those judged",
            source=metric.source,
        )
    return Evidence(
        name,
        item.value,
        unit=metric.unit,
        low=item.low,
        high=item.high,
        confidence=item.confidence,
        n=item.n,
        method=f"{item.method} bootstrap, {item.resamples} resamples",
        source=metric.source,
    )


def learn_classes(labels: Sequence[Any]) -> list[str]:
    """Return the distinct labels as text: numbers in numeric order, everything else in alphabetical order.

    Raises:
        DataError: fewer than two classes.
    """
    distinct = {str(label) for label in labels}
    if len(distinct) < 2:
        found = f"only one class, '{next(iter(distinct))}'" if distinct else "no labelled row"
        raise DataError(
            f"the training part has {found}",
            where="data",
            expected="at least two classes",
            next_step="check the label column and the split",
        )
    try:
        return sorted(distinct, key=float)
    except ValueError:
        return sorted(distinct)


def encode_targets(rows: Rows, classes: list[str]) -> np.ndarray:
    """Return the index of each row's class; -1 where rows carry no labels.

    Raises:
        DataError: a label that the training part does not have; names the row.
    """
    labels = rows.columns.get("label")
    if labels is None:
        return np.full(len(rows), -1, dtype=np.int64)
    index = {name: number for number, name in enumerate(classes)}
    targets = np.empty(len(rows), dtype=np.int64)
    for row, label in enumerate(labels):
        code = index.get(str(label))
        if code is None:
            raise DataError(
                f"the label '{label}' does not occur in the training part",
                where=rows.origins[row],
                expected=f"one of {', '.join(classes[:20])}",
            )
        targets[row] = code
    return targets
