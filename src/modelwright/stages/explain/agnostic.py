"""Attributions that only ask: any model that answers will do."""

from __future__ import annotations

import numpy as np

from ...methods.attribution.occlusion import occlude
from ...methods.attribution.permutation import permutation_importance
from ...methods.attribution.settings import Occlusion, Permutation, Shapley
from ...methods.attribution.shapley import by_kernel, by_sampling
from .question import Answer, Question


def run_occlusion(settings: Occlusion, question: Question) -> Answer:
    """Hide one part of each example after the other."""
    weights = []
    for number, (cut, target) in enumerate(zip(question.cuts, question.targets.tolist(), strict=True)):
        question.tell(number, len(question.cuts))
        weights.append(occlude(cut.asked(question.subject, target), len(cut.parts)))
    return Answer(tuple(weights))


def run_shapley(settings: Shapley, question: Question) -> Answer:
    """Estimate the Shapley values of the parts of each example.

    Raises:
        MissingExtra: captum is not installed.
    """
    weights, gaps, changes = [], [], []
    for number, (cut, target) in enumerate(zip(question.cuts, question.targets.tolist(), strict=True)):
        question.tell(number, len(question.cuts))
        ask, parts = cut.asked(question.subject, target), len(cut.parts)
        if settings.how == "kernel":
            found = by_kernel(ask, parts, settings.samples * parts, question.seed + number)
        else:
            found = by_sampling(ask, parts, settings.samples, question.seed + number)
        nothing, everything = ask(np.array([[False] * parts, [True] * parts]))
        weights.append(found)
        changes.append(abs(float(everything - nothing)))
        gaps.append(abs(float(found.sum() - (everything - nothing))))
    return Answer(tuple(weights), gaps=tuple(gaps), changes=tuple(changes))


def run_permutation(settings: Permutation, question: Question) -> Answer:
    """Deal out one column after the other over the rows of the pool; every example has the same weights."""
    deal, pool, view = question.view.deal, question.pool, question.view
    if deal is None:
        raise AssertionError(f"permutation serves tables, and this view has {len(view.names)} features that are none")
    targets = np.asarray(pool.columns["target"])

    def accuracy(cells: np.ndarray) -> float:
        question.tell(0, 0)
        return float((question.subject.predictor.predict(deal(pool, cells)).argmax(axis=1) == targets).mean())

    columns = pool.learnt["columns"]
    mean, deviation = permutation_importance(accuracy, len(pool), len(columns), settings.repeats, question.seed)
    facts = {
        "columns": [column["name"] for column in columns],
        "mean": mean.tolist(),
        "deviation": deviation.tolist(),
        "rows": len(pool),
        "repeats": settings.repeats,
    }
    return Answer((mean,) * len(question.cuts), whole=True, facts=facts)
