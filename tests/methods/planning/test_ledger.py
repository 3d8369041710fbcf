"""The factor and the interval that past runs give to the next plan."""

from __future__ import annotations

import pytest

from modelwright.methods.planning.ledger import UNKNOWN, factor_of


def entries(*ratios: float, machine: str = "here") -> list[dict]:
    return [{"machine": machine, "planned_seconds": 2.0, "seconds": 2.0 * ratio} for ratio in ratios]


def test_without_past_runs_little_is_known() -> None:
    assert factor_of([], "here") == UNKNOWN
    assert factor_of(entries(3.0, machine="there"), "here") == UNKNOWN


def test_few_runs_move_the_middle_and_not_the_width() -> None:
    assert factor_of(entries(2.0, 2.0), "here") == pytest.approx((2.0, 2.0 * UNKNOWN[1], 2.0 * UNKNOWN[2]))


def test_many_runs_give_their_own_interval() -> None:
    middle, low, high = factor_of(entries(*(0.9 + 0.01 * place for place in range(21))), "here")
    assert (middle, low, high) == pytest.approx((1.0, 0.91, 1.09))
