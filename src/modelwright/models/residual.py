"""A small residual network for small pictures: pre-activation blocks, global average pooling, one dense layer.

Legend: B batch, C channels, H height, W width.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from .normalisation import normalise_channels
from .settings import Residual


class ResidualBlock(nn.Module):
    """State: two normalisations and convolutions, and a 1 x 1 convolution where the shape changes.

    Source: He et al. 2016b, "Identity mappings in deep residual networks", figure 1b.
    """

    def __init__(self, channels: int, wider: int, stride: int, normalisation: str) -> None:
        super().__init__()
        self.first_norm = normalise_channels(normalisation, channels)
        self.second_norm = normalise_channels(normalisation, wider)
        self.first = nn.Conv2d(channels, wider, 3, stride=stride, padding=1, bias=False)
        self.second = nn.Conv2d(wider, wider, 3, padding=1, bias=False)
        self.relu = nn.ReLU()
        self.shortcut = (
            nn.Conv2d(channels, wider, 1, stride=stride, bias=False) if stride > 1 or channels != wider else None
        )

    def forward(self, stream_BCHW: torch.Tensor) -> torch.Tensor:
        """Return the residual stream after this block.

        Shapes: stream (batch, channels, height, width) float -> (batch, wider, height / stride, width / stride) float
        """
        active_BCHW = self.relu(self.first_norm(stream_BCHW))
        kept_BCHW = stream_BCHW if self.shortcut is None else self.shortcut(active_BCHW)
        return kept_BCHW + self.second(self.relu(self.second_norm(self.first(active_BCHW))))


class ResidualNetwork(nn.Module):
    """State: the first convolution, the blocks, a last normalisation, one dense layer."""

    def __init__(self, settings: Residual, channels: int, classes: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels, settings.widths[0], 3, padding=1, bias=False)
        blocks: list[nn.Module] = []
        width = settings.widths[0]
        for number, wider in enumerate(settings.widths):
            for block in range(settings.blocks):
                stride = 2 if number and not block else 1
                blocks.append(ResidualBlock(width, wider, stride, settings.normalisation))
                width = wider
        self.blocks = nn.Sequential(*blocks)
        self.norm = normalise_channels(settings.normalisation, width)
        self.relu, self.dropout = nn.ReLU(), nn.Dropout(settings.dropout)
        self.head = nn.Linear(width, classes)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the logits.

        Shapes: image (batch, channels, height, width) float -> (batch, classes) float
        """
        features_BCHW = self.relu(self.norm(self.blocks(self.stem(image))))
        return self.head(self.dropout(features_BCHW.mean(dim=(2, 3))))


def build(settings: Residual, learnt: dict[str, Any]) -> ResidualNetwork:
    """Build the network for the channels and classes that preparation learnt; pictures may have any size."""
    return ResidualNetwork(settings, learnt["channels"], len(learnt["classes"]))
