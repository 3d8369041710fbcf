"""Every finding is made by what it speaks of and by nothing less; its numbers fit into its words."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from modelwright.methods.diagnosis.curves import judge_curves, judge_descent, judge_start
from modelwright.methods.diagnosis.finding import Finding
from modelwright.methods.diagnosis.fit import Losses, judge_confidence, judge_fit
from modelwright.methods.diagnosis.gap import Gap
from modelwright.methods.diagnosis.gradients import (
    Layer,
    Sample,
    judge_dead_units,
    judge_gradients,
    judge_updates,
)

GUESSING = math.log(10)


def gap(value: float, width: float = 0.02) -> Gap:
    return Gap(value, value - width, value + width, 0.95, 1000)


GOOD = Losses(0.10, 0.11, 0.97, 0.96, GUESSING, gap(0.01))


def samples(norms: list[float], gradients: list[float], update: float = 1e-3) -> list[Sample]:
    """Make one sample for each norm; every sample has the same layers."""
    layers = {f"layer{index}": Layer(gradient, 1.0, update) for index, gradient in enumerate(gradients)}
    return [Sample(100 * index, norm, layers) for index, norm in enumerate(norms)]


HEALTHY = samples([1.2, 0.9, 0.5, 0.3], [0.2, 0.3, 0.4, 0.4])


def falling(last: float, count: int = 20) -> list[tuple[float, float]]:
    """Make a curve that falls from 2 and lies at `last` well before its end."""
    return [(10.0 * step, max(last, 2.0 * 0.6**step)) for step in range(1, count + 1)]


CASES = {
    "no_better_than_guessing": judge_fit(replace(GOOD, training=2.31, validation=2.32)),
    "underfitting": judge_fit(replace(GOOD, training=1.9, validation=1.91, training_accuracy=0.3)),
    "overfitting": judge_fit(replace(GOOD, training=0.01, validation=1.0, gap=gap(0.99))),
    "overconfident": judge_confidence(gap(0.12)),
    "underconfident": judge_confidence(gap(-0.12)),
    "loud_start": judge_start(9.0, 10),
    "loss_not_falling": judge_descent(2.32, [2.31, 2.30, 2.31], GUESSING),
    "validation_turned": judge_curves(falling(0.01), [*falling(0.2, 12), (130.0, 0.5)], kept_last=True),
    "still_falling": judge_curves(falling(0.0, 10), falling(1e-9, 10), kept_last=False),
    "plateau": judge_curves(falling(0.3), falling(0.4), kept_last=False),
    "exploding_gradients": judge_gradients(samples([1.0, 5e4, math.inf], [0.2, 0.3, 0.4, 0.4]), 0.0),
    "always_clipped": judge_gradients(HEALTHY, 0.01),
    "vanishing_gradients": judge_gradients(samples([1.0] * 3, [1e-9, 1e-6, 1e-3, 0.9]), 0.0),
    "leap": judge_updates([*samples([1.0], [1.0], update=4.0), *HEALTHY]),
    "long_steps": judge_updates(samples([1.0] * 3, [1.0], update=0.3)),
    "short_steps": judge_updates(samples([1.0] * 3, [1.0], update=1e-8)),
    "dead_units": judge_dead_units({"first": (3, 64), "second": (40, 64)}),
}
SEVERE = {
    "no_better_than_guessing", "overfitting", "loss_not_falling", "exploding_gradients", "vanishing_gradients", "leap",
    "long_steps", "short_steps", "dead_units",
}  # fmt: skip


@pytest.mark.parametrize("code", CASES)
def test_the_planted_fault_is_found_and_no_other(code: str) -> None:
    (finding,) = CASES[code]
    assert finding.code == code
    assert (finding.severity == "severe") == (code in SEVERE)
    assert finding.remedies
    sentence = finding.sentence()
    assert "{" not in sentence
    assert sentence.endswith(".")
    stored = finding.to_json()
    assert all(isinstance(value, str) or math.isfinite(value) for value in stored["numbers"].values())


def test_a_healthy_training_has_no_finding() -> None:
    found = [
        *judge_fit(GOOD),
        *judge_confidence(gap(0.03)),
        *judge_start(2.35, 10),
        *judge_descent(2.35, [1.0, 0.4, 0.2], GUESSING),
        *judge_curves(falling(0.05, 10), falling(0.11, 10), kept_last=False),
        *judge_gradients(HEALTHY, 1.0),
        *judge_updates(HEALTHY),
        *judge_dead_units({"first": (2, 64)}),
    ]
    assert found == []


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        # A gap that may be none.
        (judge_fit(replace(GOOD, gap=gap(0.3, 0.3))), []),
        # Narrow, but more than noise: a warning and no more.
        (judge_fit(replace(GOOD, gap=gap(0.2))), ["warning"]),
        # Class weights raise the plain loss above guessing without anything being wrong.
        (judge_fit(replace(GOOD, training=2.4, validation=2.4, plain=False)), []),
        (judge_start(math.inf, 10), ["severe"]),
        (judge_start(60.0, 10), ["severe"]),
        # A model with weights from outside begins low and stays there.
        (judge_descent(0.05, [0.05, 0.049], GUESSING), []),
        (judge_descent(2.3, [], GUESSING), []),
        (judge_curves([], falling(0.4, 4), kept_last=False), []),
        # Clipping that halves a step is what clipping is for.
        (judge_gradients(HEALTHY, 0.25), []),
        # Three layers are too few to tell vanishing from another scale.
        (judge_gradients(samples([1.0] * 3, [1e-9, 1e-3, 1.0]), 0.0), []),
        # A schedule that ends at zero has short steps in the end, not always.
        (judge_updates([*HEALTHY, *samples([1.0] * 9, [1.0], update=1e-9)]), []),
        (judge_updates([Sample(0, 1.0, {"layer": Layer(1.0, 1.0, None)})]), []),
        (judge_dead_units({"first": (20, 64)}), ["warning"]),
        (judge_dead_units({"first": (12, 64)}), []),
        (judge_dead_units({}), []),
        (judge_gradients([], 1.0), []),
    ],
)
def test_edges(found: list[Finding], expected: list[str]) -> None:
    assert [finding.severity for finding in found] == expected


def test_a_gradient_that_grew_is_told_from_one_that_is_enormous() -> None:
    (grown,) = judge_gradients(samples([0.5, 0.6, 90.0, 0.5, 0.4], [0.2, 0.3]), 0.0)
    assert (grown.code, grown.severity, grown.numbers["step"]) == ("exploding_gradients", "warning", 200)
    # Losses that end near zero have gradients that do, too: the first ones did not explode.
    assert judge_gradients(samples([3.0, 1.0, 0.01, 0.001, 0.001], [0.2, 0.3]), 0.0) == []


def test_a_rate_is_not_raised_where_the_loss_rose() -> None:
    assert "rate_up" in judge_descent(2.3, [2.3], GUESSING)[0].remedies
    assert "rate_up" not in judge_descent(2.3, [40.0], GUESSING)[0].remedies
    assert "rate_up" not in judge_fit(replace(GOOD, training=30.0, validation=30.0))[0].remedies


def test_the_last_weights_are_blamed_only_where_they_were_kept() -> None:
    turned = [*falling(0.2, 12), (130.0, 0.5)]
    kept_best, kept_last = (judge_curves([], turned, kept_last=kept)[0] for kept in (False, True))
    assert (kept_best.severity, kept_last.severity) == ("note", "warning")
    assert kept_last.words.startswith(kept_best.words)
    assert kept_last.words != kept_best.words
