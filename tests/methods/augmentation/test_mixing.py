"""Mixed examples and softened labels: what goes in comes out, in the shares that the targets say."""

from __future__ import annotations

import pytest
import torch

from modelwright.methods.augmentation.mixing import cutmix, mixup, smooth_labels


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def batch(size=6, side=9):
    # Example k is an image of the constant k, and a class of its own: shares can be read off the result.
    images = torch.arange(size).float().view(-1, 1, 1, 1).expand(size, 2, side, side + 3).clone()
    return images, smooth_labels(torch.arange(size), size)


def test_smoothing_agrees_with_torchs_loss():
    logits, labels = torch.randn(5, 4, generator=generator()), torch.tensor([0, 3, 1, 1, 2])
    ours = torch.nn.functional.cross_entropy(logits, smooth_labels(labels, 4, 0.2))
    torch.testing.assert_close(ours, torch.nn.functional.cross_entropy(logits, labels, label_smoothing=0.2))
    assert smooth_labels(labels, 4).sum() == 5


@pytest.mark.parametrize("mix", [mixup, cutmix])
@pytest.mark.parametrize("seed", range(8))
def test_targets_are_the_shares_of_the_pixels(mix, seed):
    images, targets = batch()
    kept = images.clone()
    mixed, shares = mix(images, targets, 1.0, generator(seed))
    torch.testing.assert_close(mixed.mean((1, 2, 3)), shares @ torch.arange(6.0))
    torch.testing.assert_close(shares.sum(1), torch.ones(6))
    assert torch.equal(images, kept)


@pytest.mark.parametrize("mix", [mixup, cutmix])
def test_the_generator_alone_decides(mix):
    images, targets = batch()
    state = torch.get_rng_state()
    first, again, other = (mix(images, targets, 1.0, generator(seed))[0] for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)


def test_cutmix_replaces_one_box():
    images, targets = batch()
    for seed in range(20):
        mixed, _ = cutmix(images, targets, 1.0, generator(seed))
        changed = (mixed != images).any(1).any(0)
        rows, columns = changed.any(1).nonzero(), changed.any(0).nonzero()
        if len(rows):
            box = changed[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
            assert box.all()
            assert changed.sum() == box.numel()


def test_mean_share_and_spread_are_betas():
    images, targets = torch.eye(2), torch.eye(2)
    source = generator(3)
    shares = torch.stack([mixup(images, targets, 0.5, source)[1].max() for _ in range(2000)])
    # The larger of Beta(1/2, 1/2) and its complement has the mean 1/2 + 1/pi; half of the draws mix nothing.
    mixed = shares[shares < 1]
    assert 0.42 < len(mixed) / 2000 < 0.58
    assert mixed.mean().item() == pytest.approx(0.5 + 1 / torch.pi, abs=0.02)
