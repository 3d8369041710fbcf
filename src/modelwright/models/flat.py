"""Networks that see a picture as one long row of numbers: logistic regression and the multilayer perceptron."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from .settings import Linear, Mlp


class FlatNetwork(nn.Module):
    """State: the weights of the dense layers."""

    def __init__(self, layers: nn.Sequential) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the logits.

        Shapes: image (batch, channels, height, width) float -> (batch, classes) float
        """
        return self.layers(image.flatten(start_dim=1))


def build_linear(settings: Linear, learnt: dict[str, Any]) -> FlatNetwork:
    """Build multinomial logistic regression."""
    return FlatNetwork(nn.Sequential(nn.Linear(_width(learnt), len(learnt["classes"]))))


def build_mlp(settings: Mlp, learnt: dict[str, Any]) -> FlatNetwork:
    """Build a multilayer perceptron with ReLU."""
    layers: list[nn.Module] = []
    width = _width(learnt)
    for wider in settings.hidden:
        layers += [nn.Linear(width, wider), nn.ReLU(), nn.Dropout(settings.dropout)]
        width = wider
    return FlatNetwork(nn.Sequential(*layers, nn.Linear(width, len(learnt["classes"]))))


def _width(learnt: dict[str, Any]) -> int:
    return math.prod((learnt["channels"], learnt["height"], learnt["width"]))
