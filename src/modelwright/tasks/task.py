"""The seven words that every task answers, and the examples they speak of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

    from ..core.evidence import Evidence
    from ..sources.rows import Rows


@dataclass(frozen=True)
class Examples:
    """Prepared rows: equally long columns, and what preparation learnt from the training part.

    `target` is -1 where the label is not known.
    """

    columns: dict[str, np.ndarray]
    learnt: dict[str, Any]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def take(self, indices: np.ndarray) -> Examples:
        """Return the chosen rows, in the order asked for."""
        return Examples({name: column[indices] for name, column in self.columns.items()}, self.learnt)


@dataclass(frozen=True)
class Batch:
    """What a model sees at once: named input tensors, the targets, and which examples these are."""

    inputs: dict[str, torch.Tensor]
    targets: torch.Tensor
    indices: np.ndarray

    def __len__(self) -> int:
        return len(self.indices)

    def part(self, start: int, stop: int) -> Batch:
        """Return a slice of the batch."""
        inputs = {name: tensor[start:stop] for name, tensor in self.inputs.items()}
        return Batch(inputs, self.targets[start:stop], self.indices[start:stop])


@dataclass(frozen=True)
class Task:
    """What a stage may want to know of a modality: seven words and no more."""

    modality: str
    # rows, what was learnt (None: learn from these rows) -> examples
    examples: Callable[[Rows, dict[str, Any] | None], Examples]
    # examples, indices -> batch
    collate: Callable[[Examples, np.ndarray], Batch]
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
