"""How alike two pictures are: structural similarity, and edges that stand in both.

B batch, H height, W width, C channels; pixels from 0 to 255.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.float64]
BRIGHTNESS = np.array([0.299, 0.587, 0.114])
DEVIATION, RANGE = 1.5, 255.0
# An edge of one picture is found in the other if one is there within so many pixels.
NEAR = 1
# As an edge counts what rises by this share of the range from one pixel to the next.
RISE = 0.08


def structural_similarity(one: Floats, other: Floats) -> Floats:
    """Return the mean structural similarity of the brightness of each pair: 1 for equal pictures.

    Shapes: one (n, height, width, 3) float, other (n, height, width, 3) float -> (n,) float
    Source: Wang et al. 2004, equation 13, with a Gaussian window of deviation 1.5.
    """
    return np.array([_similarity(a @ BRIGHTNESS, b @ BRIGHTNESS) for a, b in zip(one, other, strict=True)])


def _similarity(a: Floats, b: Floats) -> float:
    def smooth(picture: Floats) -> Floats:
        smoothed: Floats = ndimage.gaussian_filter(picture, DEVIATION, truncate=3.5)
        return smoothed

    first, second = (0.01 * RANGE) ** 2, (0.03 * RANGE) ** 2
    mean_a, mean_b = smooth(a), smooth(b)
    spread_a, spread_b = smooth(a * a) - mean_a**2, smooth(b * b) - mean_b**2
    shared = smooth(a * b) - mean_a * mean_b
    above = (2 * mean_a * mean_b + first) * (2 * shared + second)
    below = (mean_a**2 + mean_b**2 + first) * (spread_a + spread_b + second)
    return float((above / below).mean())


def edge_agreement(one: Floats, other: Floats) -> Floats:
    """Return the F1 of the edges of each pair: which of the one are in the other, and the other way round.

    Shapes: one (n, height, width, 3) float, other (n, height, width, 3) float -> (n,) float
    Source: Martin, Fowlkes and Malik 2004, section 3, with a tolerance of one pixel; Sobel's gradient.
    """
    return np.array([_agreement(_edges(a), _edges(b)) for a, b in zip(one, other, strict=True)])


def _edges(picture: Floats) -> NDArray[np.bool_]:
    bright = ndimage.gaussian_filter(picture @ BRIGHTNESS, 1.0)
    # Sobel's weights add up to eight for a rise of one from pixel to pixel.
    rise = np.hypot(ndimage.sobel(bright, 0), ndimage.sobel(bright, 1)) / 8
    edges: NDArray[np.bool_] = rise > RISE * RANGE / 2
    return edges


def _agreement(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    if not a.any() and not b.any():
        return 1.0
    wide_a, wide_b = (ndimage.binary_dilation(edges, np.ones((3, 3)), iterations=NEAR) for edges in (a, b))
    found, real = (a & wide_b).sum() / max(1, a.sum()), (b & wide_a).sum() / max(1, b.sum())
    return float(2 * found * real / (found + real)) if found + real else 0.0


def transfer_colours(content: NDArray[np.uint8], style: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Give pictures the mean and the spread of each channel that pictures of style have on the whole.

    Shapes: content (n, height, width, 3) uint8, style (m, height, width, 3) uint8 -> (n, height, width, 3) uint8
    Source: Reinhard et al. 2001, equations 10 and 11, channel by channel.
    """
    mean, spread = (
        np.stack([side.reshape(-1, 3).mean(axis=0), side.reshape(-1, 3).std(axis=0)])
        for side in (content.astype(np.float64), style.astype(np.float64))
    )
    moved = (content - mean[0]) / np.maximum(mean[1], 1e-6) * spread[1] + spread[0]
    return np.rint(np.clip(moved, 0, 255)).astype(np.uint8)
