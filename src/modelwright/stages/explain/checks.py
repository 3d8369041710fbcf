"""Sanity checks of attributions: each can fail, and says so.

Parts that go first should matter more than parts that go in any order, and a model that learnt nothing should be explained
otherwise than this one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...core.evidence import Evidence
from ...core.randomness import derive_seed
from ...methods.attribution.curves import area, curve, weightiest_first
from ...methods.attribution.similarity import beyond_chance
from ...methods.statistics.intervals import t_interval
from .question import Answer, Question
from .subject import Subject

# Examples that each random model is asked about, and rows from which columns are taken at once.
EXAMPLES, ROWS = 4, 500
DELETION = "Petsiuk, Das and Saenko 2018, section 4"
RANDOMISATION = "Adebayo et al. 2018, section 3"
COMPLETENESS = "Sundararajan, Taly and Yan 2017, proposition 1"

Curves = dict[str, list[np.ndarray]]


@dataclass(frozen=True)
class Chance:
    """What taking parts in random orders does to each example: mean curves, and the mean of the areas under them."""

    curves: Curves
    areas: dict[str, np.ndarray]


def take_at_random(question: Question, orders: int) -> Chance:
    """Take the parts of each example away, and put them back, in some random orders."""
    curves: Curves = {"deletion": [], "insertion": []}
    for number, (cut, target) in enumerate(zip(question.cuts, question.targets.tolist(), strict=True)):
        question.tell(number, len(question.cuts))
        generator = np.random.default_rng(derive_seed(question.seed, "orders", number))
        ask, drawn = cut.asked(question.subject, target), [generator.permutation(len(cut.parts)) for _ in range(orders)]
        for name in curves:
            curves[name].append(np.mean([curve(ask, order, name == "insertion") for order in drawn], axis=0))
    return Chance(curves, {name: np.array([float(area(one)) for one in found]) for name, found in curves.items()})


def check_order(
    method: str, answer: Answer, question: Question, chance: Chance, confidence: float, about: dict[str, str]
) -> tuple[list[Evidence], dict[str, Any]]:
    """Take parts in the order of their weights, and compare with random orders of the same examples."""
    claims, shown = [], {}
    for name, found in _curves(answer, question).items():
        areas = np.array([float(area(one)) for one in found])
        gains = chance.areas[name] - areas if name == "deletion" else areas - chance.areas[name]
        what = "fallen faster" if name == "deletion" else "risen faster"
        how = (
            f"how much more the probability has {what}, as an area over the share of parts taken, than in random orders of the same "
            "parts; Student's t over validation examples"
        )
        claims.append(_gain(f"attribution_{name}[{method}]", gains, how, confidence, about))
        shown[name] = {"curve": _mean_curve(found), "random": _mean_curve(chance.curves[name])}
    return claims, shown


def check_whole_order(
    method: str, answer: Answer, question: Question, orders: int, confidence: float, about: dict[str, str]
) -> tuple[list[Evidence], dict[str, Any]]:
    """Take columns from all rows at once in the order of their weights, and compare the accuracy with that of random orders."""
    veil, pool = question.view.veil, question.pool.take(np.arange(min(ROWS, len(question.pool))))
    if veil is None:
        raise AssertionError("only tables have attributions that speak of the model as a whole")
    targets = np.asarray(pool.columns["target"])

    def accuracy(masks: np.ndarray) -> np.ndarray:
        question.tell(0, 0)
        predict = question.subject.predictor.predict
        return np.array([(predict(veil(pool, mask)).argmax(axis=1) == targets).mean() for mask in masks])

    generator = np.random.default_rng(derive_seed(question.seed, "orders of columns"))
    columns = len(answer.weights[0])
    drawn = [generator.permutation(columns) for _ in range(max(2, 2 * orders))]
    claims, shown = [], {}
    for name in ("deletion", "insertion"):
        found = curve(accuracy, weightiest_first(answer.weights[0]), name == "insertion")
        chance = [curve(accuracy, order, name == "insertion") for order in drawn]
        gains = (area(np.array(chance)) - area(found)) * (1 if name == "deletion" else -1)
        what = "fallen faster" if name == "deletion" else "risen faster"
        how = (
            f"how much more the accuracy on {len(pool)} validation examples has {what}, as an area over the share of columns taken "
            "from all rows, than in a random order; Student's t over random orders"
        )
        claims.append(_gain(f"attribution_{name}[{method}]", gains, how, confidence, about))
        shown[name] = {"curve": found.tolist(), "random": _mean_curve(chance)}
    return claims, shown


def _gain(name: str, gains: np.ndarray, method: str, confidence: float, about: dict[str, str]) -> Evidence:
    low, high = t_interval(gains.tolist(), confidence)
    passed = low > 0
    return Evidence(
        name,
        float(gains.mean()),
        unit="fraction",
        low=low,
        high=high,
        confidence=confidence,
        n=len(gains),
        method=method,
        source=DELETION,
        about=about,
        status="measured" if passed else "failed",
        reason="" if passed else "the interval does not lie above 0: not shown to be better than a random order",
    )


def _curves(answer: Answer, question: Question) -> Curves:
    curves: Curves = {"deletion": [], "insertion": []}
    for cut, target, weights in zip(question.cuts, question.targets.tolist(), answer.weights, strict=True):
        ask, order = cut.asked(question.subject, target), weightiest_first(weights)
        for name in curves:
            curves[name].append(curve(ask, order, name == "insertion"))
    return curves


def _mean_curve(curves: list[np.ndarray]) -> list[float]:
    """Return the mean over examples on a common scale from 0 to 1; a short text has fewer steps than others."""
    points = max(len(one) for one in curves)
    common = np.linspace(0, 1, points)
    found: list[float] = np.mean(
        [np.interp(common, np.linspace(0, 1, len(one)), one) for one in curves], axis=0
    ).tolist()
    return found


def check_randomisation(
    method: str,
    attribute: Callable[[Question], Answer],
    answer: Answer,
    question: Question,
    random_models: list[Subject],
    most: float,
    confidence: float,
    about: dict[str, str],
) -> Evidence:
    """Ask models that learnt nothing the same, and compare their explanations with those of this one."""
    count = min(EXAMPLES, len(question.cuts))
    means = []
    for other in random_models:
        asked = replace(question, subject=other, cuts=question.cuts[:count], targets=question.targets[:count])
        weights = attribute(asked).weights
        means.append(
            float(np.mean([beyond_chance(*pair) for pair in zip(answer.weights[:count], weights, strict=True)]))
        )
    low, high = t_interval(means, confidence)
    passed = high < most
    return Evidence(
        f"attribution_randomisation[{method}]",
        float(np.mean(means)),
        low=low,
        high=min(1.0, high),
        confidence=confidence,
        n=len(means),
        method="rank correlation of the weights with those for models that learnt nothing (weights shuffled, or fitted to labels in "
        "random order), its sign left out, beyond what weights in random order have: 0 as much, 1 the same weights; mean over "
        f"{count} validation examples, Student's t over these models",
        source=RANDOMISATION,
        about=about,
        status="measured" if passed else "failed",
        reason=""
        if passed
        else f"the interval does not lie below {most:g}: not shown to differ from what it says of a model that learnt nothing",
    )


def check_completeness(method: str, answer: Answer, tolerance: float, about: dict[str, str]) -> Evidence:
    """Compare what the weights add up to with the change of the score that they are to explain."""
    missed = sum(answer.gaps) / max(sum(answer.changes), 1e-12)
    passed = missed <= tolerance
    return Evidence(
        f"attribution_completeness[{method}]",
        missed,
        unit="fraction",
        n=len(answer.gaps),
        method="by how much the weights of each example miss the change between nothing and everything shown, as a share of it",
        source=COMPLETENESS,
        about=about,
        status="measured" if passed else "failed",
        reason="" if passed else f"more than {tolerance:g}",
    )
