"""How a pre-trained encoder sees pictures: what distances between pictures are measured with, and never trained with.

Legend: B batch, C channels, H height, W width, D features.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from .backbone import DEVIATION, MEAN, read_weights
from .efficientnet_lite import EfficientNetLite0
from .pretrained_settings import Backbone

# Blocks after which is looked: strides 2, 4, 8 and 16.
LOOKED_AT = (0, 2, 4, 10)
# Smaller pictures are enlarged: the encoder was trained on large ones.
SMALLEST = 128
AT_ONCE_PIXELS = 1 << 19
NAME = "EfficientNet-Lite0, trained on ImageNet"


class Perception:
    """State: the encoder with its published weights, which nothing changes."""

    def __init__(self) -> None:
        self.encoder = EfficientNetLite0().eval().requires_grad_(False)
        found = read_weights(Backbone(), Path())
        assert found is not None, "the default of a backbone is pre-trained"
        prefix = "backbone."
        self.encoder.load_state_dict({name.removeprefix(prefix): tensor for name, tensor in found.weights.items()})
        self.digest = found.digest

    @torch.inference_mode()
    def look(self, pixels_BHWC: np.ndarray) -> tuple[list[torch.Tensor], torch.Tensor]:
        """Return what is seen at four depths, and the features of each whole picture.

        Shapes: pixels (batch, height, width, 3) uint8 -> (list of (batch, channels, ...) float, (batch, features) float)
        """
        images = torch.from_numpy(pixels_BHWC.astype(np.float32)).permute(0, 3, 1, 2)
        if min(images.shape[2:]) < SMALLEST:
            factor = SMALLEST / min(images.shape[2:])
            images = functional.interpolate(images, scale_factor=factor, mode="bilinear", antialias=True)
        stream = (images - MEAN[0]) / DEVIATION[0]
        stream = functional.relu6(self.encoder.stem(stream))
        seen = []
        for place, block in enumerate(self.encoder.blocks):
            stream = block(stream)
            if place in LOOKED_AT:
                seen.append(stream)
        return seen, functional.relu6(self.encoder.last(stream)).mean(dim=(2, 3))

    def features(self, pixels: np.ndarray) -> np.ndarray:
        """Return the features of each picture.

        Shapes: pixels (n, height, width, 3) uint8 -> (n, 1280) float64
        """
        return np.concatenate([self.look(pixels[part])[1].double().numpy() for part in _parts(pixels)])

    def distances(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Return the perceptual distance of each pair: unit features at each place compared, over all depths.

        Shapes: one (n, height, width, 3) uint8, other (n, height, width, 3) uint8 -> (n,) float64
        """
        found = []
        for part in _parts(one):
            both = [self.look(side[part])[0] for side in (one, other)]
            depths = [
                (functional.normalize(mine, dim=1) - functional.normalize(theirs, dim=1))
                .square()
                .sum(dim=1)
                .mean(dim=(1, 2))
                for mine, theirs in zip(*both, strict=True)
            ]
            found.append(torch.stack(depths).mean(dim=0).double().numpy())
        return np.concatenate(found)

    def textures(self, pixels: np.ndarray) -> list[np.ndarray]:
        """Return the products of channels of each picture at each depth, averaged over the places.

        Shapes: pixels (n, height, width, 3) uint8 -> list of (n, channels, channels) float64
        """
        grams: list[list[Any]] = [[] for _ in LOOKED_AT]
        for part in _parts(pixels):
            for found, seen in zip(grams, self.look(pixels[part])[0], strict=True):
                flat = seen.flatten(2)
                found.append((flat @ flat.transpose(1, 2) / flat.shape[2]).double().numpy())
        return [np.concatenate(found) for found in grams]


def texture_distances(textures: list[np.ndarray], wanted: list[np.ndarray]) -> np.ndarray:
    """Return how far the textures of each picture are from the mean ones that are wanted: 0 equal, 1 as far as none at all.

    Shapes: textures list of (n, channels, channels) float, wanted list of (m, channels, channels) float -> (n,) float
    """
    found = []
    for mine, theirs in zip(textures, wanted, strict=True):
        mean = theirs.mean(axis=0)
        found.append(((mine - mean) ** 2).sum(axis=(1, 2)) / (mean**2).sum())
    distances: np.ndarray = np.mean(found, axis=0)
    return distances


def _parts(pixels: np.ndarray) -> list[slice]:
    size = max(1, AT_ONCE_PIXELS // max(SMALLEST**2, pixels.shape[1] * pixels.shape[2]))
    return [slice(start, start + size) for start in range(0, len(pixels), size)]
