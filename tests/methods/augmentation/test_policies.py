"""Policies and disturbances: each against a plain reference, and never beyond black and white."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from modelwright.methods.augmentation import policies
from modelwright.methods.augmentation.disturbance import add_noise, blur, erase
from modelwright.methods.augmentation.pictures import crop_padded, warp
from modelwright.methods.augmentation.policies import CHANGES, USUAL, rand_augment, trivial_augment


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(size: int = 64, channels: int = 3, side: int = 12) -> torch.Tensor:
    return torch.randint(0, 256, (size, channels, side, side), generator=generator(9)).float()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("border", ["constant", "nearest", "reflect"])
def test_policies_keep_to_the_range_and_to_their_generator(channels: int, border: str) -> None:
    images = pictures(channels=channels)
    for policy in (
        lambda source: trivial_augment(images, source, border, 90.0),
        lambda source: rand_augment(images, source, 2, 0.5, border, 90.0),
    ):
        first, again, other = (policy(generator(seed)) for seed in (1, 1, 2))
        assert torch.equal(first, again)
        assert not torch.equal(first, other)
        assert first.min() >= 0
        assert first.max() <= 255
        changed = (first != images).flatten(1).any(dim=1).float().mean()
        assert 0.6 < changed < 1.01


def test_every_change_is_drawn() -> None:
    chosen = policies._choose(pictures(2000, 1, 2), generator())
    assert torch.bincount(chosen, minlength=len(CHANGES)).min() > 2000 / len(CHANGES) / 2


def by_name(name: str, images: torch.Tensor, signed: float) -> torch.Tensor:
    return getattr(policies, f"_{name}")(images, torch.full((len(images),), signed), USUAL, "constant")


def test_changes_against_pillow() -> None:
    """What Pillow does to one picture at a time."""
    images = pictures(6)
    arrays = [image.permute(1, 2, 0).numpy().astype(np.uint8) for image in images]
    for name, reference in {
        "solarise": lambda picture: ImageOps.solarize(picture, 128),
        "posterise": lambda picture: ImageOps.posterize(picture, 4),
        "stretch": ImageOps.autocontrast,
    }.items():
        signed = {"solarise": 127 / 255, "posterise": 1.0, "stretch": 0.5}[name]
        ours = by_name(name, images, signed)
        theirs = torch.stack(
            [torch.from_numpy(np.array(reference(Image.fromarray(array)))).permute(2, 0, 1).float() for array in arrays]
        )
        assert (ours - theirs).abs().max() <= 1.01, name


def test_equalise_spreads_and_keeps_the_order() -> None:
    images = (pictures(4) / 8 + 100).round()
    changed = by_name("equalise", images, 0.5)
    assert changed.amin() == 0
    assert changed.amax() == pytest.approx(255, abs=1e-3)
    flat, moved = images[0, 0].flatten(), changed[0, 0].flatten()
    order = flat.argsort(stable=True)
    assert (moved[order].diff() >= 0).all()
    assert torch.equal(by_name("equalise", torch.full((1, 1, 4, 4), 7.0), 0.5), torch.zeros(1, 1, 4, 4))


def test_full_and_no_strength_of_blends() -> None:
    images = pictures(3)
    for name in ("brightness", "contrast", "saturation", "sharpness", "shear_x", "shift_y", "rotate"):
        torch.testing.assert_close(by_name(name, images, 0.0), images, atol=0.1, rtol=1e-4)
        assert not torch.allclose(by_name(name, images, 1.0), images, atol=1.0), name
    torch.testing.assert_close(by_name("brightness", images, -1.0), images * 0.1)


@pytest.mark.parametrize(("border", "left"), [("constant", 0.0), ("nearest", 1.0), ("reflect", 2.0)])
def test_what_comes_into_view(border: str, left: float) -> None:
    """A picture whose columns are 1, 2, 3, ... is cropped with a border of one pixel: what stands left of the first column?"""
    images = torch.arange(1.0, 7.0).expand(200, 1, 6, 6)
    cropped = crop_padded(images, 1, generator(), border=border)
    assert left in cropped[:, 0, 3, 0].unique().tolist()
    assert set(cropped[:, 0, 3, 0].tolist()) == {left, 1.0, 2.0}
    moved = warp(images + 10, generator(), shift=0.5, border=border)
    assert (moved.amin() < 10) == (border == "constant")


def test_noise_has_the_deviation_asked_for() -> None:
    images = torch.full((50, 1, 20, 20), 100.0)
    noisy = add_noise(images, 5.0, generator())
    assert (noisy - images).std() == pytest.approx(5.0, rel=0.03)
    assert torch.equal(noisy, add_noise(images, 5.0, generator()))


def test_blur_keeps_the_mean_and_takes_the_detail() -> None:
    images = pictures(40, side=24)
    blurred = blur(images, 3.0, generator())
    assert blurred.shape == images.shape
    torch.testing.assert_close(blurred.mean(dim=(1, 2, 3)), images.mean(dim=(1, 2, 3)), rtol=0.05, atol=2.0)
    assert blurred.std(dim=(2, 3)).median() < 0.5 * images.std(dim=(2, 3)).median()
    torch.testing.assert_close(blur(torch.full((2, 3, 8, 8), 7.0), 2.0, generator()), torch.full((2, 3, 8, 8), 7.0))


def test_erasing_covers_one_rectangle_of_the_share_asked_for() -> None:
    images = torch.ones(600, 1, 20, 20)
    erased = erase(images, 0.5, generator())
    areas = (erased == 0).flatten(1).sum(dim=1)
    assert 0.4 < (areas > 0).float().mean() < 0.6
    shares = areas[areas > 0] / 400
    assert shares.min() >= 0.01
    assert shares.max() <= 0.36
    hole = erased[int(areas.argmax()), 0] == 0
    assert hole.any(dim=1).sum() * hole.any(dim=0).sum() == areas.max()
