"""Augmented pictures: shape and type stay, strength 0 does nothing, and the generator alone decides."""

from __future__ import annotations

import math

import pytest
import torch

from modelwright.methods.augmentation.pictures import crop_padded, cut_out, flip_horizontally, jitter_colours, warp


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def pictures(size=16, channels=3, height=8, width=10, dtype=torch.uint8):
    values = torch.randint(1, 256, (size, channels, height, width), generator=generator(9), dtype=torch.uint8)
    return values if dtype is torch.uint8 else values.to(dtype) / 255


CHANGES = {
    "flip": lambda images, source: flip_horizontally(images, 0.5, source),
    "crop": lambda images, source: crop_padded(images, 2, source),
    "warp": lambda images, source: warp(images, source, degrees=20, zoom=0.2, shear=10, shift=0.1),
    "colours": lambda images, source: jitter_colours(images, source, brightness=0.4, contrast=0.4, saturation=0.4),
    "cutout": lambda images, source: cut_out(images, 4, source),
}
NOTHING = {
    "flip": lambda images, source: flip_horizontally(images, 0.0, source),
    "crop": lambda images, source: crop_padded(images, 0, source),
    "warp": lambda images, source: warp(images, source),
    "colours": lambda images, source: jitter_colours(images, source),
    "cutout": lambda images, source: cut_out(images, 0, source),
}


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", CHANGES)
def test_shape_type_and_randomness(name, channels, dtype):
    images = pictures(channels=channels, dtype=dtype)
    kept, state = images.clone(), torch.get_rng_state()
    first, again, other = (CHANGES[name](images, generator(seed)) for seed in (1, 1, 2))
    assert first.shape == images.shape
    assert first.dtype == dtype
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(images, kept)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("name", NOTHING)
def test_strength_zero_is_nothing(name):
    torch.testing.assert_close(NOTHING[name](pictures(), generator()), pictures(), atol=0, rtol=0)
    floats = pictures(dtype=torch.float32)
    torch.testing.assert_close(NOTHING[name](floats, generator()), floats)


def test_flip_mirrors_about_the_share_asked_for():
    images = pictures(size=400, channels=1, height=2, width=3)
    flipped = flip_horizontally(images, 0.3, generator())
    mirrored = (flipped == images.flip(3)).all((1, 2, 3))
    assert ((flipped == images).all((1, 2, 3)) | mirrored).all()
    assert 0.2 < mirrored.float().mean() < 0.4


def test_crop_is_a_window_of_the_padded_picture_and_reaches_every_place():
    images = pictures(size=200, channels=2, height=4, width=5)
    cropped = crop_padded(images, 1, generator(), fill=7)
    padded = torch.nn.functional.pad(images, (1, 1, 1, 1), value=7)
    windows = torch.stack([padded[:, :, top : top + 4, left : left + 5] for top in range(3) for left in range(3)])
    same = (windows == cropped).all((2, 3, 4))
    assert same.any(0).all()
    assert same.any(1).all()


def test_cutout_covers_one_square_and_nothing_else():
    covered = cut_out(pictures(size=60), 4, generator()) == 0
    assert (covered.all(1) == covered.any(1)).all()
    for mask in covered[:, 0]:
        rows, columns = mask.any(1).sum(), mask.any(0).sum()
        assert mask.sum() == rows * columns
        assert 2 <= rows <= 4
        assert 2 <= columns <= 4


@pytest.mark.parametrize(("height", "width"), [(41, 41), (31, 61)])
def test_warp_rotates_by_the_angle_and_not_more(height, width):
    # A ball at a known distance from the middle: its centre of mass after a pure rotation tells the angle.
    rows, columns = torch.meshgrid(torch.arange(height) - height // 2, torch.arange(width) - width // 2, indexing="ij")
    ball = torch.exp(-((rows**2 + (columns - 8) ** 2) / 4.0)).expand(64, 1, height, width)
    turned = warp(ball, generator(), degrees=30)
    mass = turned.sum((1, 2, 3))
    down, right = (turned * rows).sum((1, 2, 3)) / mass, (turned * columns).sum((1, 2, 3)) / mass
    torch.testing.assert_close(torch.hypot(down, right), torch.full((64,), 8.0), atol=0.05, rtol=0)
    angles = torch.atan2(down, right) * 180 / math.pi
    assert angles.abs().max() <= 30.5
    assert angles.max() > 20
    assert angles.min() < -20


@pytest.mark.parametrize("border", ["constant", "nearest", "reflect"])
def test_warp_mirrors_as_mirroring_first_does(border):
    images = torch.rand(8, 3, 6, 9)
    one, other = torch.Generator().manual_seed(5), torch.Generator().manual_seed(5)
    changes = {"degrees": 20.0, "zoom": 0.2, "shear": 10.0, "shift": 0.1, "border": border}
    expected = warp(flip_horizontally(images, 0.5, one), one, **changes)
    torch.testing.assert_close(warp(images, other, flip=0.5, **changes), expected, rtol=0, atol=1e-5)
    assert not torch.allclose(warp(images, torch.Generator().manual_seed(5), **changes), expected, atol=0.1)


def test_warp_zooms_shifts_and_fills():
    disc = torch.zeros(64, 1, 41, 41)
    disc[:, :, 16:25, 16:25] = 1
    area = warp(disc, generator(), zoom=0.5).sum((1, 2, 3)) / 81
    assert 1 / 1.5**2 - 0.05 < area.min() < 0.7
    assert 1.7 < area.max() < 1.5**2 + 0.05
    moved = warp(torch.full((64, 1, 20, 20), 5.0), generator(), shift=0.25, fill=-1.0)
    assert moved.min() == pytest.approx(-1)
    assert moved.max() == pytest.approx(5)
    assert ((moved > 4.99).float().mean((1, 2, 3)) > 0.75**2 - 0.1).all()


def test_colours_change_as_the_words_say():
    images = pictures(dtype=torch.float32) * 0.4
    factor = jitter_colours(images, generator(), brightness=0.5) / images
    assert (factor.amax((1, 2, 3)) - factor.amin((1, 2, 3))).max() < 1e-4
    assert 0.5 <= factor.min() < factor.max() <= 1.5
    grey = images.mean(1, keepdim=True).expand_as(images)
    torch.testing.assert_close(jitter_colours(grey, generator(), saturation=0.9), grey)
    flat = torch.full((4, 1, 3, 3), 0.3)
    torch.testing.assert_close(jitter_colours(flat, generator(), contrast=0.9), flat)
    assert jitter_colours(pictures(), generator(), brightness=1.0).max() == 255
