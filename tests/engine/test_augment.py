"""The augmentation of a training batch: off by default, refused where there are no pictures, colours in pixel space."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from modelwright.core.errors import RecipeError
from modelwright.engine.augment import build_augment
from modelwright.methods.augmentation.settings import Augment
from modelwright.tasks.image import collate
from modelwright.tasks.task import Batch, Examples

LEARNT = {"mean": [120.0, 90.0, 60.0], "deviation": [50.0, 60.0, 70.0], "classes": ["a", "b"]}


def batch() -> Batch:
    image = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
    return collate(Examples({"image": image, "target": np.zeros(6, dtype=np.int64)}, LEARNT), np.arange(6))


def test_nothing_asked_for_is_nothing_done():
    assert build_augment(Augment(), "image", LEARNT) is None
    assert build_augment(Augment(), "text", {}) is None


def test_what_is_no_picture_is_refused():
    with pytest.raises(RecipeError, match=r"train\.augment.*the task is text"):
        build_augment(Augment(flip=0.5), "text", {})


@pytest.mark.parametrize(
    "settings",
    [
        {"flip": 0.5},
        {"crop": 2},
        {"rotation": 9.0, "shear": 3.0},
        {"zoom": 0.2},
        {"shift": 0.2},
        {"brightness": 0.3},
        {"cutout": 3},
    ],
)
def test_a_step_depends_on_its_seed_alone(settings):
    change = build_augment(Augment(**settings), "image", LEARNT)
    first, again, other = (change(batch(), torch.Generator().manual_seed(seed)).inputs["image"] for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.shape == (6, 3, 8, 8)
    assert first.is_contiguous(memory_format=torch.channels_last)


def test_colours_stay_those_of_a_picture():
    change = build_augment(Augment(brightness=0.9, contrast=0.9, saturation=0.9), "image", LEARNT)
    changed = change(batch(), torch.Generator().manual_seed(0)).inputs["image"]
    pixels = changed * torch.tensor(LEARNT["deviation"]).view(3, 1, 1) + torch.tensor(LEARNT["mean"]).view(3, 1, 1)
    assert pixels.min() > -1e-3
    assert pixels.max() < 255 + 1e-3
    assert not torch.equal(changed, batch().inputs["image"])
