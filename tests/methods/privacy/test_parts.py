"""Clipping, noise and sampling: what they do, and to how many digits."""

from __future__ import annotations

import math
import os

import numpy as np
import pytest
import torch

from modelwright.methods.privacy.clipping import clip_each
from modelwright.methods.privacy.noise import noise_from, system_noise
from modelwright.methods.privacy.sampling import draw_poisson


def test_each_example_is_clipped_by_its_norm_over_all_parameters() -> None:
    generator = torch.Generator().manual_seed(1)
    matrices, vectors = (torch.randn(6, *shape, generator=generator) for shape in ((3, 4), (4,)))
    scales = torch.tensor([0.01, 0.1, 1.0, 3.0, 10.0, 1e6])
    gradients = [matrices * scales.view(-1, 1, 1), vectors * scales.view(-1, 1)]
    (first, second), norms = clip_each(gradients, 2.5)
    expected = [torch.zeros(3, 4), torch.zeros(4)]
    for example in range(6):
        norm = math.sqrt(sum(float(gradient[example].double().square().sum()) for gradient in gradients))
        assert float(norms[example]) == pytest.approx(norm, rel=1e-5)
        for total, gradient in zip(expected, gradients, strict=True):
            total += gradient[example] * min(1.0, 2.5 / norm)
    torch.testing.assert_close(first, expected[0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(second, expected[1], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 3e38])
def test_an_example_without_a_finite_norm_contributes_nothing(bad: float) -> None:
    gradient = torch.tensor([[3.0, 4.0], [bad, bad], [0.3, 0.4]])
    (summed,), _ = clip_each([gradient], 1.0)
    torch.testing.assert_close(summed, torch.tensor([0.9, 1.2]), atol=1e-5, rtol=0)


def test_no_example_contributes_more_than_the_limit() -> None:
    for seed in range(20):
        gradient = torch.randn(1, 1000, generator=torch.Generator().manual_seed(seed)) * 100
        (summed,), _ = clip_each([gradient], 0.7)
        assert float(summed.double().norm()) <= 0.7


def test_the_noise_is_standard_normal() -> None:
    from scipy.stats import kstest

    drawn = system_noise(torch.Size((100, 100)))
    assert drawn.shape == (100, 100)
    assert drawn.dtype == torch.float32
    assert kstest(drawn.flatten().numpy(), "norm").pvalue > 1e-6
    assert len(drawn.unique()) > 9990


@pytest.mark.parametrize("byte", [b"\x00", b"\xff"])
def test_the_worst_bytes_give_finite_noise(byte: bytes) -> None:
    assert noise_from(lambda count: byte * count, torch.Size((3,))).isfinite().all()


def test_noise_asks_the_system_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    real = os.urandom
    monkeypatch.setattr(os, "urandom", lambda count: asked.append(count) or real(count))
    system_noise(torch.Size((5, 2)))
    # Four normal numbers for each, from eight bytes each.
    assert asked == [5 * 2 * 4 * 8]


def test_a_draw_follows_from_key_and_step_alone() -> None:
    one = [draw_poisson(500, 0.1, 12345, step).tolist() for step in (0, 1, 2)]
    assert one == [draw_poisson(500, 0.1, 12345, step).tolist() for step in (0, 1, 2)]
    assert one[0] != one[1] != one[2]
    assert one[0] != draw_poisson(500, 0.1, 12346, 0).tolist()
    assert draw_poisson(500, 0.1, 2**128 - 1, 7).tolist() != draw_poisson(500, 0.1, 2**128 - 2, 7).tolist()


def test_examples_are_drawn_by_themselves() -> None:
    drawn = np.zeros((2000, 40), bool)
    for step in range(2000):
        drawn[step, draw_poisson(40, 0.2, 99, step)] = True
    assert drawn.mean() == pytest.approx(0.2, abs=6 * math.sqrt(0.16 / drawn.size))
    assert drawn.sum(axis=1).var() == pytest.approx(40 * 0.16, rel=6 * math.sqrt(2 / 2000))
    # No two examples, and no two steps, know of each other.
    off = np.corrcoef(drawn.T) - np.eye(40)
    assert np.abs(off).max() < 6 / math.sqrt(2000)
    assert draw_poisson(3, 1e-9, 1, 0).tolist() == []
    assert draw_poisson(3, 1.0, 1, 0).tolist() == [0, 1, 2]
