"""The seven words that every task answers, and the examples they speak of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    import torch

    from ..core.evidence import Evidence
    from ..sources.rows import Rows


@dataclass(frozen=True)
class Grouping:
    """Which group each row belongs to: numbers of names; or, where a column has no names, the numbers that stand in it."""

    codes: np.ndarray
    names: tuple[str, ...]


@dataclass(frozen=True)
class Examples:
    """Prepared rows: equally long columns, and what preparation learnt from the training part.

    `target` is -1 where the label is not known. `groups` lie apart from the columns, so that no model can take one for a feature.
    """

    # A column of rows of unequal length is a `tasks.ragged.Ragged`, which is chosen from as an array is.
    columns: dict[str, Any]
    learnt: dict[str, Any]
    groups: dict[str, Grouping] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def take(self, indices: np.ndarray) -> Examples:
        """Return the chosen rows, in the order asked for."""
        groups = {name: replace(group, codes=group.codes[indices]) for name, group in self.groups.items()}
        return Examples({name: column[indices] for name, column in self.columns.items()}, self.learnt, groups)


@dataclass(frozen=True)
class Batch:
    """What a model sees at once: named input tensors, the targets, and which examples these are."""

    inputs: dict[str, torch.Tensor]
    targets: torch.Tensor
    indices: np.ndarray
    # How to take a part, where examples do not stand one in a row: start, stop -> batch.
    cut: Callable[[int, int], Batch] | None = None
    # How to choose some, and in a frame of so many rows and columns: places, frame -> batch.
    choose: Callable[[np.ndarray, tuple[int, ...] | None], Batch] | None = None
    # Of pairs of answers: the log-likelihoods of both under the model that training began with, (b, 2).
    reference: torch.Tensor | None = None

    def __len__(self) -> int:
        return len(self.indices)

    def part(self, start: int, stop: int) -> Batch:
        """Return a slice of the batch."""
        if self.cut is not None:
            return self.cut(start, stop)
        inputs = {name: tensor[start:stop] for name, tensor in self.inputs.items()}
        return Batch(inputs, self.targets[start:stop], self.indices[start:stop])

    def pick(self, places: np.ndarray, frame: tuple[int, ...] | None = None) -> Batch:
        """Return some examples of the batch, also one several times; in a frame where they do not stand one in a row."""
        if self.choose is not None:
            return self.choose(places, frame)
        inputs = {name: tensor[places] for name, tensor in self.inputs.items()}
        return Batch(inputs, self.targets[places], self.indices[places])


# name, shape, dtype -> an array to be filled; it may be used again once the batch is done with
Room = Callable[[str, tuple[int, ...], Any], np.ndarray]


def fresh(name: str, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Return new memory: the room of whoever makes a single batch."""
    return np.empty(shape, dtype)


class Collate(Protocol):
    """How a task makes a batch."""

    def __call__(self, examples: Examples, indices: np.ndarray, room: Room = fresh) -> Batch: ...


@dataclass(frozen=True)
class Task:
    """What a stage may want to know of a modality: seven words and no more."""

    modality: str
    # rows, what was learnt (None: learn from these rows) -> examples
    examples: Callable[[Rows, dict[str, Any] | None], Examples]
    # examples, indices, room for the arrays -> batch
    collate: Collate
    # model, batch -> loss of each example, (batch,)
    losses: Callable[[torch.nn.Module, Batch], torch.Tensor]
    # batch -> how much each example counts, (batch,): 1, or its tokens
    sizes: Callable[[Batch], torch.Tensor]
    # model, batch -> what the model answers, (batch, classes)
    predict: Callable[[torch.nn.Module, Batch], torch.Tensor]
    # targets, answers, resamples, confidence, seed -> claims with intervals
    metrics: Callable[[np.ndarray, np.ndarray, int, float, int], list[Evidence]]
    # examples, index -> what a page may show: {"image": PNG bytes} or {"text": ...}
    render: Callable[[Examples, int], dict[str, Any]]
