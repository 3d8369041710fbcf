"""What a language model wrote, and the texts of the test part that it found hardest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .quantities import finite, significant

LONGEST = 2000


@dataclass(frozen=True)
class Passage:
    """A sample with what it goes on from, or a text with its loss; what is not there is empty."""

    prompt: str
    text: str
    loss: str


@dataclass(frozen=True)
class Writing:
    """What the sections on samples and on the hardest texts show."""

    samples: tuple[Passage, ...]
    hardest: tuple[Passage, ...]


def view_writing(evaluation: dict[str, Any]) -> Writing:
    """Return the passages of an evaluation; of a model that writes nothing, none."""
    return Writing(_passages(evaluation.get("samples")), _passages(evaluation.get("hardest")))


def _passages(items: Any) -> tuple[Passage, ...]:
    return tuple(_passage(item) for item in items if isinstance(item, dict)) if isinstance(items, list) else ()


def _passage(item: dict[str, Any]) -> Passage:
    loss = finite(item.get("loss"))
    return Passage(
        str(item.get("prompt", ""))[:LONGEST],
        str(item.get("text", ""))[:LONGEST],
        significant(loss) if loss is not None else "",
    )
