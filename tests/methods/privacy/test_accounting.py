"""Epsilon: two accountants that were written apart agree, and the noise that is chosen keeps within what was asked for."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest

from modelwright.core.errors import MissingExtra, RecipeError
from modelwright.methods.privacy.accounting import epsilon_pld, epsilon_prv, noise_for, versions

APART = 0.02


def configurations(count: int, seed: int) -> list[tuple[float, float, int, float]]:
    """Return random (rate, noise, steps, delta) as trainings have them, none so private that epsilon says nothing."""
    generator = np.random.default_rng(seed)
    found: list[tuple[float, float, int, float]] = []
    while len(found) < count:
        rate, noise = float(np.exp(generator.uniform(math.log(5e-4), math.log(0.3)))), float(generator.uniform(0.6, 5))
        steps, delta = (
            int(np.exp(generator.uniform(math.log(20), math.log(5000)))),
            float(10 ** generator.uniform(-7, -4)),
        )
        # mu of the central limit, good enough to leave out what is next to perfectly private or not private at all.
        if 0.05 < rate * math.sqrt(steps * math.expm1(1 / noise**2)) < 3:
            found.append((rate, noise, steps, delta))
    return found


@pytest.mark.parametrize("configuration", configurations(2, 1))
def test_two_accountants_agree(configuration: tuple[float, float, int, float]) -> None:
    one, other = epsilon_prv(*configuration), epsilon_pld(*configuration)
    assert abs(one - other) <= APART * other
    assert one >= other * 0.999, "ours is the upper bound"


@pytest.mark.full
def test_two_accountants_agree_on_fifty_configurations() -> None:
    apart = []
    for configuration in configurations(50, 2):
        one, other = epsilon_prv(*configuration), epsilon_pld(*configuration)
        apart.append(abs(one - other) / other)
    assert len(apart) == 50
    assert max(apart) <= APART, sorted(apart)[-5:]


def test_epsilon_is_what_others_measured() -> None:
    """Row 28 of the comparison that the choice of accountant rests on: PLD 6.4927 where the Gaussian approximation says 5.97."""
    assert epsilon_prv(0.064, 1.0, 300, 1e-4) == pytest.approx(6.4927, rel=0.01)
    assert epsilon_prv(0.064, 1.0, 0, 1e-4) == epsilon_pld(0.064, 1.0, 0, 1e-4) == 0.0


@pytest.mark.parametrize("epsilon", [0.5, 3.0])
def test_the_noise_keeps_within_epsilon_and_is_not_more_than_needed(epsilon: float) -> None:
    noise = noise_for(epsilon, 1e-5, 0.1, 50)
    assert 0.97 * epsilon <= epsilon_prv(0.1, noise, 50, 1e-5) <= epsilon
    assert epsilon_prv(0.1, 0.95 * noise, 50, 1e-5) > epsilon


def test_more_steps_less_noise_and_larger_batches_cost_more() -> None:
    base = epsilon_prv(0.1, 2.0, 40, 1e-5)
    assert epsilon_prv(0.1, 2.0, 80, 1e-5) > base
    assert epsilon_prv(0.1, 1.5, 40, 1e-5) > base
    assert epsilon_prv(0.2, 2.0, 40, 1e-5) > base
    assert epsilon_prv(0.1, 2.0, 40, 1e-7) > base


def test_what_cannot_be_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_noise(**asked: float) -> float:
        raise ValueError("The privacy budget is too low.")

    with monkeypatch.context() as patch:
        patch.setattr("opacus.accountants.utils.get_noise_multiplier", no_noise)
        with pytest.raises(RecipeError, match="no noise keeps 100 steps within epsilon 0.01"):
            noise_for(0.01, 1e-9, 0.5, 100)
    assert epsilon_prv(1.0, 2.0, 50, 1e-5) == pytest.approx(20.6755, rel=0.01), "every example in every batch"
    for module, use in (("opacus.accountants", epsilon_prv), ("dp_accounting", epsilon_pld)):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, module, None)
            with pytest.raises(MissingExtra, match=module.split(".")[0].replace("_", "-")) as caught:
                use(0.123, 1.234, 5, 1e-5)
            assert "modelwright[privacy]" in caught.value.problems[0].next_step
    assert set(versions()) == {"opacus", "dp-accounting"}
