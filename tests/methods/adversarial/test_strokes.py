"""Patches as heaps: beside an outside distance, and what a distance of heaps sees and what it does not."""

from __future__ import annotations

import pytest
import torch
from scipy.stats import wasserstein_distance

from modelwright.methods.adversarial import strokes


def pictures(seed: int, count: int = 2, side: int = 24) -> torch.Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_the_distance_is_that_of_scipy(monkeypatch: pytest.MonkeyPatch) -> None:
    filters = torch.randn(2, 3, 7, 7, generator=torch.Generator().manual_seed(3))
    monkeypatch.setattr(strokes, "_directions", lambda device: filters)
    monkeypatch.setattr(strokes, "SIZES", 1)
    one, other = pictures(0), pictures(1) * 0.5
    expected = []
    for mine, theirs in zip(one, other, strict=True):
        heaps = [
            [
                [
                    float((side[:, row : row + 7, column : column + 7] * filter_).sum())
                    for row in range(0, 18, 2)
                    for column in range(0, 18, 2)
                ]
                for side in (mine, theirs)
            ]
            for filter_ in filters
        ]
        expected.append(sum(wasserstein_distance(*pair) for pair in heaps) / len(filters))
    assert strokes.strokes_apart(one, other).tolist() == pytest.approx(expected, rel=1e-4)


def test_where_patches_lie_does_not_count_and_what_they_show_does() -> None:
    stripes = torch.zeros(1, 3, 32, 32)
    stripes[:, :, ::4] = 1
    stripes[:, :, 1::4] = 1
    standing = stripes.transpose(2, 3).contiguous()
    moved, grey = stripes.roll(4, dims=2), torch.full_like(stripes, 0.5)
    torch.manual_seed(0)
    assert strokes.strokes_apart(stripes, moved).item() == pytest.approx(0, abs=1e-6)
    assert strokes.strokes_apart(stripes, standing).item() > 0.1
    assert strokes.strokes_apart(stripes, grey).item() > 0.1


def test_a_picture_can_be_painted_by_descending() -> None:
    style = torch.zeros(1, 3, 16, 16)
    style[:, 0, ::2] = 1
    output = torch.zeros_like(style).requires_grad_()
    torch.manual_seed(0)
    before = strokes.strokes_apart(output, style).item()
    optimiser = torch.optim.Adam([output], lr=0.05)
    for _ in range(60):
        optimiser.zero_grad()
        strokes.strokes_apart(output, style).sum().backward()
        optimiser.step()
    assert strokes.strokes_apart(output, style).item() < before / 2
