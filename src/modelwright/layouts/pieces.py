"""What a layout may need to know of a model to lay it out: data that stands beside the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch


@dataclass(frozen=True)
class Pieces:
    """The blocks of a model, one after the other, and how each layer inside one is cut.

    `cuts`: name of a linear layer inside a block -> `columns` (each process has some outputs) or `rows` (some inputs).
    `summed`: parameters of a block that every process holds whole and uses for its part of the work alone.
    """

    blocks: Sequence[torch.nn.Module] = ()
    cuts: Mapping[str, str] = field(default_factory=dict)
    summed: Sequence[str] = ()
    # The name of the list of blocks, and what says how a model is gone through block by block: model -> walk.
    path: str = ""
    walk: Callable[[torch.nn.Module], Any] | None = None
