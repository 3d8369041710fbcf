"""What is measured of pictures, beside the formulas of the papers written out in loops."""

from __future__ import annotations

import numpy as np
import pytest

from modelwright.methods.statistics.kernel_distance import difference, kernel_distance
from modelwright.methods.statistics.pictures import edge_agreement, structural_similarity, transfer_colours

DICE = np.random.default_rng(0)
FIRST, SECOND = DICE.normal(size=(9, 5)), DICE.normal(0.5, 1.2, size=(7, 5))


def by_loops(first: np.ndarray, second: np.ndarray) -> float:
    """Return the unbiased squared distance, one product at a time."""
    kernel = lambda a, b: (sum(x * y for x, y in zip(a, b, strict=True)) / len(a) + 1) ** 3
    inner = [kernel(a, b) for i, a in enumerate(first) for j, b in enumerate(first) if i != j]
    outer = [kernel(a, b) for i, a in enumerate(second) for j, b in enumerate(second) if i != j]
    both = [kernel(a, b) for a in first for b in second]
    return float(np.mean(inner) + np.mean(outer) - 2 * np.mean(both))


def test_the_kernel_distance_is_that_of_the_paper() -> None:
    found = kernel_distance(FIRST, SECOND)
    assert found.value == pytest.approx(by_loops(FIRST, SECOND))
    without_first = [by_loops(np.delete(FIRST, row, axis=0), SECOND) for row in range(len(FIRST))]
    without_second = [by_loops(FIRST, np.delete(SECOND, row, axis=0)) for row in range(len(SECOND))]
    assert found.without_first == pytest.approx(np.array(without_first))
    assert found.without_second == pytest.approx(np.array(without_second))
    variance = sum((len(side) - 1) * np.var(side) for side in (without_first, without_second))
    assert found.high - found.value == pytest.approx(1.959964 * variance**0.5, rel=1e-6)


def test_a_kernel_distance_of_one_kind_is_near_zero_and_its_interval_covers() -> None:
    covered = 0
    for _ in range(60):
        drawn = DICE.normal(size=(2, 40, 5))
        found = kernel_distance(drawn[0], drawn[1])
        covered += found.low <= 0 <= found.high
    assert covered >= 51
    value, low, high = difference(kernel_distance(FIRST, SECOND), kernel_distance(FIRST, SECOND))
    assert (value, low, high) == (0.0, 0.0, 0.0)


def test_structural_similarity_is_that_of_the_paper() -> None:
    one, other = DICE.uniform(0, 255, (2, 1, 24, 20, 3))
    grey = [np.pad(side[0] @ np.array([0.299, 0.587, 0.114]), 5, mode="symmetric") for side in (one, other)]
    line = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window = np.outer(line, line) / line.sum() ** 2
    values = []
    for row in range(24):
        for column in range(20):
            a, b = (side[row : row + 11, column : column + 11] for side in grey)
            mean_a, mean_b = (window * a).sum(), (window * b).sum()
            spread_a, spread_b = (window * (a - mean_a) ** 2).sum(), (window * (b - mean_b) ** 2).sum()
            shared = (window * (a - mean_a) * (b - mean_b)).sum()
            first, second = (0.01 * 255) ** 2, (0.03 * 255) ** 2
            above = (2 * mean_a * mean_b + first) * (2 * shared + second)
            values.append(above / ((mean_a**2 + mean_b**2 + first) * (spread_a + spread_b + second)))
    assert structural_similarity(one, other)[0] == pytest.approx(np.mean(values))
    assert structural_similarity(one, one)[0] == pytest.approx(1)


def test_edges_are_found_again_a_pixel_apart_and_no_farther() -> None:
    blank = np.full((1, 24, 24, 3), 255.0)
    square, near, far = blank.copy(), blank.copy(), blank.copy()
    for picture, move in ((square, 0), (near, 1), (far, 7)):
        picture[0, 4 + move : 12 + move, 4 + move : 12 + move] = 0
    assert edge_agreement(square, square)[0] == 1
    assert edge_agreement(square, near)[0] > 0.9
    assert edge_agreement(square, far)[0] < 0.5
    assert edge_agreement(square, blank)[0] == 0


def test_moved_colours_have_mean_and_spread_of_the_style() -> None:
    content = DICE.integers(100, 150, (3, 8, 8, 3), dtype=np.uint8)
    style = DICE.integers(60, 120, (2, 8, 8, 3), dtype=np.uint8)
    moved = transfer_colours(content, style)
    for measure in (np.mean, np.std):
        assert measure(moved, axis=(0, 1, 2)) == pytest.approx(measure(style, axis=(0, 1, 2)), abs=0.5)
