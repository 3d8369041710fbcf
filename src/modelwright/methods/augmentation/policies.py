"""Policies: one of many changes, or a few of them, drawn anew for each picture, with a strength that is drawn or given.

Pictures are float from 0 to 255. Each change works on the pictures that drew it, all at once.
Legend: B batch, C channels, H height, W width.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional

from .pictures import grey, sample_by

WHITE = 255.0


@dataclass(frozen=True)
class Reach:
    """How far each change goes at full strength."""

    shear: float
    shift: float
    degrees: float
    factor: float
    bits_left: int


# The wide space of TrivialAugment, and the one of RandAugment; shifts are shares of the side.
WIDE = Reach(shear=0.99, shift=1.0, degrees=135.0, factor=0.99, bits_left=2)
USUAL = Reach(shear=0.3, shift=0.45, degrees=30.0, factor=0.9, bits_left=4)

# pictures, signed strength of each from -1 to 1, reach, what comes into view -> pictures
Change = Callable[[Tensor, Tensor, Reach, str], Tensor]


def trivial_augment(
    images: Tensor, generator: Generator, border: str = "constant", middle: Tensor | float = 0.0
) -> Tensor:
    """Change each picture in one way, drawn evenly, with a strength drawn evenly.

    Shapes: images (batch, channels, height, width) -> the same
    Source: Mueller and Hutter 2021, TrivialAugment, algorithm 1 and table 7 (wide).
    """
    strength_B = _draw(images, generator)
    return _change(images, _choose(images, generator), strength_B * _sign(images, generator), WIDE, border, middle)


def rand_augment(
    images: Tensor,
    generator: Generator,
    changes: int,
    strength: float,
    border: str = "constant",
    middle: Tensor | float = 0.0,
) -> Tensor:
    """Change each picture in `changes` ways, each drawn evenly, all with the same strength.

    Shapes: images (batch, channels, height, width) -> the same
    Units: strength as a share of the largest, 0 to 1
    Source: Cubuk et al. 2020, RandAugment, section 3.
    """
    for _ in range(changes):
        signed_B = strength * _sign(images, generator)
        images = _change(images, _choose(images, generator), signed_B, USUAL, border, middle)
    return images


def _draw(images: Tensor, generator: Generator) -> Tensor:
    return torch.rand(len(images), generator=generator, device=generator.device).to(images.device)


def _sign(images: Tensor, generator: Generator) -> Tensor:
    return (_draw(images, generator) < 0.5).float() * 2 - 1


def _choose(images: Tensor, generator: Generator) -> Tensor:
    return torch.randint(len(CHANGES), (len(images),), generator=generator, device=generator.device).to(images.device)


def _change(
    images: Tensor, chosen_B: Tensor, signed_B: Tensor, reach: Reach, border: str, middle: Tensor | float
) -> Tensor:
    changed = images.clone()
    for number, change in enumerate(CHANGES):
        rows = (chosen_B == number).nonzero().flatten()
        if len(rows):
            # What comes into view is the middle: sampling itself knows no other filling than zero.
            offset = middle if change in MOVES else 0.0
            moved = change(images[rows] - offset, signed_B[rows], reach, border) + offset
            changed[rows] = moved.clamp(0, WHITE)
    return changed


def _identity(images: Tensor, signed_B: Tensor, reach: Reach, border: str) -> Tensor:
    return images


def _move(images: Tensor, border: str, columns: dict[tuple[int, int], Tensor]) -> Tensor:
    theta_B23 = torch.eye(2, 3, device=images.device).repeat(len(images), 1, 1)
    for (row, column), values_B in columns.items():
        theta_B23[:, row, column] = values_B
    return sample_by(images, theta_B23, border=border)


def _shear_x(images: Tensor, signed_B: Tensor, reach: Reach, border: str) -> Tensor:
    return _move(images, border, {(0, 1): signed_B * reach.shear})


def _shear_y(images: Tensor, signed_B: Tensor, reach: Reach, border: str) -> Tensor:
    return _move(images, border, {(1, 0): signed_B * reach.shear})


def _shift_x(images: Tensor, signed_B: Tensor, reach: Reach, border: str) -> Tensor:
    return _move(images, border, {(0, 2): 2 * signed_B * reach.shift})


def _shift_y(images: Tensor, signed_B: Tensor, reach: Reach, border: str) -> Tensor:
    return _move(images, border, {(1, 2): 2 * signed_B * reach.shift})


def _rotate(images: Tensor, signed_B: Tensor, reach: Reach, border: str) -> Tensor:
    angle_B = signed_B * math.radians(reach.degrees)
    ratio = images.shape[2] / images.shape[3]
    cosine_B, sine_B = angle_B.cos(), angle_B.sin()
    return _move(images, border, {(0, 0): cosine_B, (0, 1): -sine_B * ratio, (1, 0): sine_B / ratio, (1, 1): cosine_B})


def _blend(images: Tensor, other: Tensor, signed_B: Tensor, reach: Reach) -> Tensor:
    """Mix with another form of the picture, beyond it where the factor is above 1."""
    factor_B111 = (1 + signed_B * reach.factor).view(-1, 1, 1, 1)
    return torch.lerp(other, images, factor_B111)


def _brightness(images: Tensor, signed_B: Tensor, reach: Reach, border: str) -> Tensor:
    return _blend(images, torch.zeros_like(images), signed_B, reach)


def _contrast(images: Tensor, signed_B: Tensor, reach: Reach, border: str) -> Tensor:
    mean_B111 = grey(images).mean(dim=(1, 2, 3), keepdim=True)
    return _blend(images, mean_B111.expand_as(images), signed_B, reach)


def _saturation(images: Tensor, signed_B: Tensor, reach: Reach, border: str) -> Tensor:
    return _blend(images, grey(images).expand_as(images), signed_B, reach)


def _sharpness(images: Tensor, signed_B: Tensor, reach: Reach, border: str) -> Tensor:
    kernel = torch.ones(3, 3)
    kernel[1, 1] = 5
    channels = images.shape[1]
    weights = (kernel / kernel.sum()).expand(channels, 1, 3, 3)
    padded = functional.pad(images, (1, 1, 1, 1), mode="replicate")
    return _blend(images, functional.conv2d(padded, weights, groups=channels), signed_B, reach)


def _posterise(images: Tensor, signed_B: Tensor, reach: Reach, border: str) -> Tensor:
    bits_B = 8 - (signed_B.abs() * (8 - reach.bits_left)).round()
    width_B111 = (2.0 ** (8 - bits_B)).view(-1, 1, 1, 1)
    return (images / width_B111).floor() * width_B111


def _solarise(images: Tensor, signed_B: Tensor, reach: Reach, border: str) -> Tensor:
    threshold_B111 = ((1 - signed_B.abs()) * WHITE).view(-1, 1, 1, 1)
    return torch.where(images < threshold_B111, images, WHITE - images)


def _stretch(images: Tensor, signed_B: Tensor, reach: Reach, border: str) -> Tensor:
    low_BC11, high_BC11 = images.amin(dim=(2, 3), keepdim=True), images.amax(dim=(2, 3), keepdim=True)
    width_BC11 = high_BC11 - low_BC11
    return torch.where(width_BC11 > 0, (images - low_BC11) * WHITE / width_BC11.clamp(min=1e-6), images)


def _equalise(images: Tensor, signed_B: Tensor, reach: Reach, border: str) -> Tensor:
    """Give every grey value of a channel the same share of it, by rank; equal values stay equal."""
    levels = images.round().clamp(0, WHITE).long().flatten(2)
    counts = torch.zeros(*levels.shape[:2], 256).scatter_add_(2, levels, torch.ones(levels.shape))
    upto = counts.cumsum(dim=2)
    first = upto.gather(2, levels.amin(dim=2, keepdim=True))
    ranks = (upto.gather(2, levels) - first) / (upto[:, :, -1:] - first).clamp(min=1)
    return (ranks * WHITE).view_as(images)


MOVES = (_shear_x, _shear_y, _shift_x, _shift_y, _rotate)
CHANGES: tuple[Change, ...] = (
    _identity,
    *MOVES,
    _brightness,
    _contrast,
    _saturation,
    _sharpness,
    _posterise,
    _solarise,
    _stretch,
    _equalise,
)
