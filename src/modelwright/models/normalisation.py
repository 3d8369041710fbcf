"""Normalisation layers by name, for the channels of pictures and for the features of vectors.

Dimensions: B batch, C channels, F features.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import rms_norm

# Wu and He 2018, table 3: sixteen channels a group are as good as any number of groups.
CHANNELS_OF_A_GROUP = 16
EPSILON = 1e-6


class RootMeanSquareNorm(nn.Module):
    """State: one gain per feature. Divides each vector by its root mean square.

    Unlike torch.nn.RMSNorm it also accepts, as autocast needs, inputs of another precision than its gain.

    Source: Zhang and Sennrich 2019, equation 4.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, input_BF: torch.Tensor) -> torch.Tensor:
        """Return the vectors, divided and multiplied by the gain.

        Shapes: input (..., width) float -> (..., width) float
        """
        return rms_norm(input_BF, self.weight.shape, self.weight.to(input_BF.dtype), EPSILON)


def normalise_channels(name: str, channels: int) -> nn.Module:
    """Return the layer for pictures (batch, channels, height, width): batch, group, layer (one group) or none.

    Source: Ioffe and Szegedy 2015, algorithm 1; Wu and He 2018, equations 1 to 7.
    """
    if name == "batch":
        return nn.BatchNorm2d(channels)
    if name == "group":
        return nn.GroupNorm(count_groups(channels), channels)
    return nn.GroupNorm(1, channels) if name == "layer" else nn.Identity()


def normalise_features(name: str, width: int) -> nn.Module:
    """Return the layer for vectors (..., width): batch, layer, rms or none; batch takes (batch, width) only.

    Source: Ioffe and Szegedy 2015, algorithm 1; Ba et al. 2016, equation 4; Zhang and Sennrich 2019, equation 4.
    """
    if name == "batch":
        return nn.BatchNorm1d(width)
    if name == "rms":
        return RootMeanSquareNorm(width)
    return nn.LayerNorm(width) if name == "layer" else nn.Identity()


def count_groups(channels: int) -> int:
    """Return the largest number of equal groups that leaves each at least sixteen channels; one if there are fewer."""
    most = max(1, channels // CHANNELS_OF_A_GROUP)
    return next(groups for groups in range(most, 0, -1) if channels % groups == 0)
