"""Two players over the rows of a table: one makes rows, one tells them from real ones.

A row is a list of blocks: of a number its distance from the middle of a mode and which mode it is, of a category which it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

SLOPE, DROPPED = 0.2, 0.25
# How soft a choice is: the smaller, the nearer to one of them.
TEMPERATURE = 0.2


@dataclass(frozen=True)
class Block:
    """So many numbers from -1 to 1 (0 or 1 of them), and then a choice among so many."""

    numbers: int
    choices: int

    @property
    def width(self) -> int:
        """How many entries of a row it takes."""
        return self.numbers + self.choices


class RowGenerator(nn.Module):
    """State: dense layers, each of which sees the input again, and the last one that makes the blocks.

    Source: Xu et al. 2019 (CTGAN), section 4.4, with layer in the place of batch normalisation, so that a row does not depend on
    the others of its batch.
    """

    def __init__(self, noise: int, condition: int, blocks: list[Block], width: int) -> None:
        super().__init__()
        self.blocks, self.noise = blocks, noise
        inputs = noise + condition
        self.layers = nn.ModuleList(nn.Linear(inputs + number * width, width) for number in range(2))
        self.normalise = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.last = nn.Linear(inputs + 2 * width, sum(block.width for block in blocks))

    def forward(self, noise: torch.Tensor, condition: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Return rows, with choices that are nearly one of them; and the logits of the choices of each block.

        Shapes: noise (batch, noise) float, condition (batch, condition) float -> (batch, width) float, list of (batch, choices) float
        """
        stream = torch.cat([noise, condition], dim=1)
        for layer, normalise in zip(self.layers, self.normalise, strict=True):
            stream = torch.cat([stream, functional.relu(normalise(layer(stream)))], dim=1)
        parts, logits = [], []
        for block, answer in zip(
            self.blocks, self.last(stream).split([block.width for block in self.blocks], 1), strict=True
        ):
            logits.append(answer[:, block.numbers :])
            parts += [answer[:, : block.numbers].tanh(), functional.gumbel_softmax(logits[-1], TEMPERATURE)]
        return torch.cat(parts, dim=1), logits


class RowCritic(nn.Module):
    """State: dense layers over a row and what was asked of it."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(inputs, width), nn.Linear(width, width)])
        self.last = nn.Linear(width, 1)

    def forward(self, row: torch.Tensor) -> torch.Tensor:
        """Return how real each row looks.

        Shapes: row (batch, width) float -> (batch, 1) float
        """
        for layer in self.layers:
            row = functional.dropout(functional.leaky_relu(layer(row), SLOPE), DROPPED, self.training)
        return self.last(row)
