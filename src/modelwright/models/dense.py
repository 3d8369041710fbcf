"""Dense networks: logistic regression and the multilayer perceptron, over pictures and over tables."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from .normalisation import normalise_features
from .settings import Linear, Mlp


class PictureNetwork(nn.Module):
    """State: the weights of the dense layers."""

    def __init__(self, layers: nn.Sequential) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the logits.

        Shapes: image (batch, channels, height, width) float -> (batch, classes) float
        """
        return self.layers(image.flatten(start_dim=1))


class TableNetwork(nn.Module):
    """State: an embedding for each column of categories, and the weights of the dense layers."""

    def __init__(self, embeddings: nn.ModuleList, layers: nn.Sequential) -> None:
        super().__init__()
        self.embeddings, self.layers = embeddings, layers

    def forward(self, numbers: torch.Tensor, missing: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        """Return the logits.

        Shapes: numbers (batch, k) float, missing (batch, k) float, codes (batch, m) int64 -> (batch, classes) float
        """
        embedded = [embedding(codes[:, column]) for column, embedding in enumerate(self.embeddings)]
        return self.layers(torch.cat([numbers, missing, *embedded], dim=1))


def build_linear(settings: Linear, learnt: dict[str, Any]) -> nn.Module:
    """Build multinomial logistic regression; a category's embedding has one number per class."""
    return _build(learnt, (), len(learnt["classes"]), "none", 0.0)


def build_mlp(settings: Mlp, learnt: dict[str, Any]) -> nn.Module:
    """Build a multilayer perceptron with ReLU."""
    return _build(learnt, settings.hidden, settings.embedding, settings.normalisation, settings.dropout)


def _build(
    learnt: dict[str, Any], hidden: tuple[int, ...], widest: int, normalisation: str, dropout: float
) -> nn.Module:
    classes = len(learnt["classes"])
    if "cardinalities" not in learnt:
        pixels = math.prod((learnt["channels"], learnt["height"], learnt["width"]))
        return PictureNetwork(_layers(pixels, hidden, classes, normalisation, dropout))
    # Half the number of categories, as is usual, but not more than the recipe allows.
    widths = [min(widest, (cardinality + 1) // 2) for cardinality in learnt["cardinalities"]]
    embeddings = nn.ModuleList(
        nn.Embedding(count, width) for count, width in zip(learnt["cardinalities"], widths, strict=True)
    )
    width = 2 * learnt["numbers"] + sum(widths)
    return TableNetwork(embeddings, _layers(width, hidden, classes, normalisation, dropout))


def _layers(width: int, hidden: tuple[int, ...], classes: int, normalisation: str, dropout: float) -> nn.Sequential:
    layers: list[nn.Module] = []
    for wider in hidden:
        layers.append(nn.Linear(width, wider))
        if normalisation != "none":
            layers.append(normalise_features(normalisation, wider))
        layers += [nn.ReLU(), nn.Dropout(dropout)]
        width = wider
    return nn.Sequential(*layers, nn.Linear(width, classes))
