"""The classic convolutional network for small pictures."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ..core.errors import RecipeError
from .normalisation import normalise_channels
from .settings import Cnn


class ConvolutionalNetwork(nn.Module):
    """State: the weights of the convolutions and of two dense layers."""

    def __init__(self, features: nn.Sequential, head: nn.Sequential) -> None:
        super().__init__()
        self.features, self.head = features, head

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the logits.

        Shapes: image (batch, channels, height, width) float -> (batch, classes) float
        """
        return self.head(self.features(image))


def build(settings: Cnn, learnt: dict[str, Any]) -> ConvolutionalNetwork:
    """Build the network for pictures of the size that preparation learnt.

    Raises:
        RecipeError: the pictures are too small for so many convolutions and poolings.
    """
    layers: list[nn.Module] = []
    channels, height, width = learnt["channels"], learnt["height"], learnt["width"]
    shrink = settings.kernel - 1 if settings.padding == "valid" else 0
    for number, wider in enumerate(settings.channels, 1):
        layers.append(nn.Conv2d(channels, wider, settings.kernel, padding=settings.padding))
        height, width, channels = height - shrink, width - shrink, wider
        if settings.normalisation != "none":
            layers.append(normalise_channels(settings.normalisation, wider))
        if number < len(settings.channels):
            # Pooling first is the same function as ReLU first, on a quarter of the values.
            layers.append(nn.MaxPool2d(settings.pool))
            height, width = height // settings.pool, width // settings.pool
        layers.append(nn.ReLU())
        if min(height, width) < 1:
            raise RecipeError(
                f"nothing is left of a {learnt['height']} x {learnt['width']} picture after convolution {number}",
                where="model.channels",
                expected="fewer convolutions, or model.padding: same",
            )
    head = nn.Sequential(
        nn.Flatten(),
        nn.Dropout(settings.dropout),
        nn.Linear(channels * height * width, settings.dense),
        nn.ReLU(),
        nn.Linear(settings.dense, len(learnt["classes"])),
    )
    return ConvolutionalNetwork(nn.Sequential(*layers), head)
