"""The interval of a difference of means: against plain resampling, and how often it holds the truth."""

from __future__ import annotations

import numpy as np
import pytest

from modelwright.methods.diagnosis import gap
from modelwright.methods.diagnosis.gap import bootstrap_difference, bootstrap_mean


def test_the_value_is_the_plain_difference_and_the_interval_is_that_of_the_normal() -> None:
    generator = np.random.default_rng(0)
    first, second = generator.normal(2.0, 1.0, 400), generator.normal(1.0, 2.0, 900)
    found = bootstrap_difference(first, second, resamples=4000, generator=generator)
    assert found.value == pytest.approx(first.mean() - second.mean(), abs=1e-12)
    width = 1.96 * np.sqrt(first.var() / 400 + second.var() / 900)
    assert found.low == pytest.approx(found.value - width, abs=0.02)
    assert found.high == pytest.approx(found.value + width, abs=0.02)


def test_it_covers_as_often_as_it_says() -> None:
    generator = np.random.default_rng(1)
    held = 0
    for _ in range(200):
        first, second = generator.exponential(1.5, 60), generator.exponential(1.0, 60)
        found = bootstrap_difference(first, second, resamples=300, confidence=0.9, generator=generator)
        held += found.low <= 0.5 <= found.high
    assert 0.83 <= held / 200 <= 0.96


def test_chunks_change_nothing_and_one_example_has_no_width(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(2).normal(size=50)
    whole = bootstrap_mean(values, generator=np.random.default_rng(3))
    monkeypatch.setattr(gap, "CHUNK_BYTES", 1)
    pieces = bootstrap_mean(values, generator=np.random.default_rng(3))
    assert whole == pieces
    assert whole.low < whole.value < whole.high
    alone = bootstrap_mean(np.array([0.3]), generator=np.random.default_rng(3))
    assert (alone.value, alone.low, alone.high) == (0.3, 0.3, 0.3)
