"""Convolutions over tokens as a text classifier.

Source: Kim 2014, Convolutional neural networks for sentence classification.
Dimensions: B batch, E embedding, T tokens.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.functional import pad, relu

from .pooling import mask_of
from .settings import Convolution


class ConvolutionClassifier(nn.Module):
    """State: token embeddings, one convolution per width, one dense layer."""

    def __init__(self, settings: Convolution, size: int, classes: int, padding: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(size, settings.embedding, padding_idx=padding)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(settings.embedding, settings.channels, width) for width in settings.widths
        )
        self.widths = settings.widths
        self.dropout = nn.Dropout(settings.dropout)
        self.head = nn.Linear(settings.channels * len(settings.widths), classes)

    def forward(self, tokens: torch.Tensor, length: torch.Tensor) -> torch.Tensor:
        """Return the logits.

        Shapes: tokens (batch, t) int64, length (batch,) int64 -> (batch, classes) float
        """
        mask_B1T = mask_of(length, tokens.shape[1])[:, None, :]
        embedded_BET = self.dropout(self.embedding(tokens)).transpose(1, 2) * mask_B1T
        pooled = []
        for width, convolution in zip(self.widths, self.convolutions, strict=True):
            # As many zeros behind as the window is wide: a window may end after the text, but never start there.
            seen = relu(convolution(pad(embedded_BET, (0, width - 1))))
            pooled.append((seen * mask_B1T).amax(dim=2))
        return self.head(self.dropout(torch.cat(pooled, dim=1)))


def build(settings: Convolution, learnt: dict[str, Any]) -> ConvolutionClassifier:
    """Build the classifier for the vocabulary that preparation learnt."""
    return ConvolutionClassifier(settings, learnt["size"], len(learnt["classes"]), learnt.get("padding", 0))
