"""The trace of a training layer by layer: norms of gradients and weights, and how far a step moves the weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .quantities import count, finite, significant

LAYERS, LOOKS = 40, 12


@dataclass(frozen=True)
class Layers:
    """The steps that were looked at with the learning rate and the gradient of each, and of each layer the last look."""

    steps: tuple[tuple[str, ...], ...]
    rows: tuple[tuple[str, ...], ...]
    more: int
    last: str


def view_layers(record: dict[str, Any]) -> Layers | None:
    """Return the trace as tables, or nothing where there is none."""
    trace = [point for point in record.get("trace") or [] if isinstance(point, dict)]
    if not trace:
        return None
    shown = trace if len(trace) <= LOOKS else [trace[round(at * (len(trace) - 1) / (LOOKS - 1))] for at in range(LOOKS)]
    layers = list((trace[-1].get("layers") or {}).items())
    return Layers(
        steps=tuple(
            (count(point["step"] + 1), *(_number(point.get(name)) for name in ("lr", "loss", "norm")))
            for point in shown
        ),
        rows=tuple((name, *(_number(value) for value in seen)) for name, seen in layers[:LAYERS]),
        more=max(0, len(layers) - LAYERS),
        last=count(trace[-1]["step"] + 1),
    )


def _number(value: Any) -> str:
    number = finite(value)
    return "–" if number is None else significant(number)
