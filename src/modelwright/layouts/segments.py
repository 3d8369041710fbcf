"""The part of a model that stands in one process of a pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn


class Segments(nn.Module):
    """State: some blocks of a model, and what stands before the first and behind the last block, under the model's names.

    Called as the model is, it gives the answer that the pipeline has brought to its end: what is made of an answer need not
    know of pipelines.
    """

    def __init__(
        self, model: nn.Module, walk: Any, blocks: Sequence[nn.Module], places: Sequence[int], path: str
    ) -> None:
        super().__init__()
        self.walk, self.path = walk, path
        self.first, self.last = 0 in places, len(blocks) - 1 in places
        names = [*(walk.front if self.first else ()), *(walk.back if self.last else ())]
        for name in dict.fromkeys(names):
            self.add_module(name, model.get_submodule(name))
        for name in walk.everywhere:
            self.register_buffer(name, model.get_buffer(name), persistent=False)
        self.add_module(path, nn.ModuleDict({str(place): blocks[place] for place in places}))
        self.answer = torch.empty(0)

    def block(self, place: int) -> nn.Module:
        """Return a block by its place in the model."""
        return self.get_submodule(f"{self.path}.{place}")

    def forward(self, **inputs: torch.Tensor) -> torch.Tensor:
        """Return the answer that the pipeline has brought."""
        return self.answer


class Segment(nn.Module):
    """State: none of its own; it is one stretch of neighbouring blocks of what is here."""

    def __init__(self, here: Segments, places: Sequence[int], first: bool, last: bool) -> None:
        super().__init__()
        # Held in a list, so that its parameters are not taken for this module's.
        self.here, self.places, self.first, self.last = [here], places, first, last

    def forward(self, stream: torch.Tensor, **inputs: torch.Tensor) -> torch.Tensor:
        """Return the stream behind the last of its blocks, or the answer of the model."""
        (here,) = self.here
        if self.first:
            stream = here.walk.enter(here, inputs)
        stream = here.walk.through(here, [here.block(place) for place in self.places], stream, inputs)
        return here.walk.leave(here, stream, inputs) if self.last else stream
