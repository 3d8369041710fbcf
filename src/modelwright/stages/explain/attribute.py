"""Attributions: which parts an answer rests on, and whether what is said of that can be believed."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ...core import registry
from ...core.randomness import derive_seed
from ...core.stage import Context
from .case import Case, some_rows
from .checks import Chance, check_completeness, check_order, check_randomisation, check_whole_order, take_at_random
from .question import Answer, Question
from .settings import Explain
from .shown import choose, draw
from .subject import Subject, with_nothing_learnt

# What float32 loses of a sum that is exact by construction.
ROUNDING = 1e-3


def attribute(context: Context, case: Case, folder: Path) -> dict[str, Any]:
    """Explain some examples by each attribution, put each to the test on others, and return what the report shows."""
    settings: Explain = context.settings
    if not settings.attributions:
        return {"examples": [], "attributions": []}
    answers = case.subject.predictor.predict(case.validation)
    seed = derive_seed(context.recipe.seed, "attribution")
    checked = some_rows(case.validation, settings.checks.examples, derive_seed(seed, "checked"))
    chosen = choose(settings.shown, np.asarray(case.validation.columns["target"]), answers)
    tested, seen = (
        _question(context, case, rows, answers, seed) for rows in (checked.tolist(), [row for row, _ in chosen])
    )
    context.check_interrupt(message="taking parts away at random")
    chance = take_at_random(tested, settings.checks.orders)
    others = [
        with_nothing_learnt(case.subject, case.training, derive_seed(seed, "random model", number))
        for number in range(settings.checks.models)
    ]
    explained: dict[str, Answer] = {}
    shown: list[dict[str, Any]] = []
    for part in settings.attributions:
        context.check_interrupt(message=f"attributing: {part.kind}")
        shown.append(_test(context, part, tested, chance, others, case.about))
        if chosen and not shown[-1]["whole"]:
            explained[part.kind] = registry.function_of("attribution", part.kind)(part, seen)
    drawn = draw(folder, case.subject.predictor.task, case.validation, chosen, seen.cuts, answers, explained)
    return {"examples": drawn, "attributions": shown, "checked": len(checked)}


def _question(context: Context, case: Case, rows: list[int], answers: np.ndarray, seed: int) -> Question:
    """Ask why these examples were answered as they were."""
    pool = case.validation.take(some_rows(case.validation, context.settings.examples, seed))
    cuts = tuple(case.view.cut(case.validation, row) for row in rows)
    tell = partial(context.check_interrupt, message="")
    return Question(case.subject, case.view, cuts, answers[rows].argmax(axis=1), pool, seed, tell)


def _test(
    context: Context, part: Any, tested: Question, chance: Chance, others: list[Subject], about: dict[str, str]
) -> dict[str, Any]:
    """Let one attribution answer, and claim what its sanity checks find."""
    settings: Explain = context.settings
    ask = partial(registry.function_of("attribution", part.kind), part)
    answer: Answer = ask(tested)
    claims, curves = (
        check_whole_order(part.kind, answer, tested, settings.checks.orders, settings.confidence, about)
        if answer.whole
        else check_order(part.kind, answer, tested, chance, settings.confidence, about)
    )
    most = settings.checks.most_similar
    claims.append(check_randomisation(part.kind, ask, answer, tested, others, most, settings.confidence, about))
    if answer.gaps:
        claims.append(check_completeness(part.kind, answer, getattr(part, "tolerance", ROUNDING), about))
    context.claim(*claims)
    checks = [claim.to_json() for claim in claims]
    return {"kind": part.kind, "whole": answer.whole, "facts": answer.facts, "curves": curves, "checks": checks}
