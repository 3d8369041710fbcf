"""Fairness: what the model does to each declared group of the test part, how far the groups lie apart, what would help.

A number over all rows says nothing here: without groups there is no claim, and a group that is too small or lacks one of the
outcomes is named instead of measured.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.errors import RecipeError
from ...core.evidence import Evidence, not_applicable
from ...core.randomness import derive_seed
from ...core.stage import Context
from ...engine.dataset import read_part
from ...methods.fairness.outcomes import DISPARITIES, count_outcomes
from ...methods.fairness.uncertainty import estimate_disparities, estimate_rates, resample_counts
from ...methods.statistics.intervals import Estimate
from .fairness_settings import Fairness
from .groups import Comparison, comparisons
from .mitigation import Answers, mitigated

RATES_SOURCE = "Hardt, Price and Srebro 2016"
GAPS_SOURCE = "Agarwal et al. 2018; fairlearn"


def audit_fairness(context: Context, about: dict[str, str]) -> dict[str, Any]:
    """Compare the declared groups, claim what was found, and return what the report shows.

    Raises:
        RecipeError: nobody has said which answer is good for people, or a class of that name does not exist.
    """
    settings: Fairness = context.settings.fairness
    if not settings.columns:
        return {}
    context.check_interrupt(message="comparing groups")
    learnt = read_part(context.inputs["dataset"].path, "validation").learnt
    good = _good_classes(settings, learnt["classes"])
    before = Answers.of_test(context, good)
    compared = comparisons(context, settings, "test")
    shown = [_compare(context, settings, one, before, about, "fairness") for one in compared]
    table: list[dict[str, Any]] = []
    if settings.mitigations:
        table.append({"name": "as it is", **_row(shown[0], before)})
        for name, after, details in mitigated(context, settings, compared[0], before, good):
            if after is None:
                table.append({"name": name, **details})
                context.claim(*_not_tried(f"mitigated[{name}][{compared[0].name}]", details["reason"], about))
                continue
            found = _compare(context, settings, compared[0], after, about, f"mitigated[{name}]")
            table.append({"name": name, **details, **_row(found, after)})
    return {
        "positive": [learnt["classes"][index] for index in good],
        "least": settings.least,
        "confidence": settings.confidence,
        "constraint": settings.constraint,
        "comparisons": shown,
        "mitigations": table,
    }


def _good_classes(settings: Fairness, classes: list[str]) -> list[int]:
    stated = list(settings.positive)
    if not stated and len(classes) == 2:
        return [1]
    unknown = [name for name in stated if name not in classes]
    if unknown or not stated or len(set(stated)) == len(classes):
        raise RecipeError(
            f"'{unknown[0]}' is not a class"
            if unknown
            else f"there are {len(classes)} classes, and {len(stated)} count as good",
            where="audit.fairness.positive",
            expected=f"some, but not all, of {', '.join(classes[:20])}",
            next_step="name the classes that are good for the people they are given to",
        )
    return sorted(classes.index(name) for name in stated)


def _compare(
    context: Context, settings: Fairness, compared: Comparison, answers: Answers, about: dict[str, str], claim: str
) -> dict[str, Any]:
    """Measure one comparison, claim it, and return it as plain data."""
    counts_G8 = count_outcomes(compared.codes, answers.truly, answers.answered, answers.right, len(compared.groups))
    there = np.flatnonzero(counts_G8.sum(axis=1))
    # The same resamples for the model as it is and as it would be.
    seed = derive_seed(context.recipe.seed, f"fairness/{compared.name}")
    drawn_RG8 = resample_counts(counts_G8, settings.resamples, np.random.default_rng(seed))
    rates = estimate_rates(counts_G8, drawn_RG8, settings.confidence)
    method = f"{compared.name}: percentile bootstrap, {settings.resamples} resamples, not narrower than Wilson's"
    groups = []
    for group in there.tolist():
        rows = int(counts_G8[group].sum())
        small = rows < settings.least
        why = f"{rows} rows, fewer than {settings.least}: too few to judge" if small else ""
        items = {name: _rate(values[group], name, why) for name, values in rates.items()}
        groups.append({"name": compared.groups[group], "rows": rows, "reason": why, "rates": items})
        context.claim(
            *(
                _evidence(
                    f"{claim}[{compared.groups[group]}][{name}]",
                    values[group],
                    items[name]["reason"],
                    about,
                    method,
                    RATES_SOURCE,
                )
                for name, values in rates.items()
            )
        )
    large = there[counts_G8[there].sum(axis=1) >= settings.least]
    left_out = [compared.groups[group] for group in there.tolist() if group not in large]
    reason = "" if len(large) > 1 else f"{len(large)} group with at least {settings.least} rows: nobody to compare with"
    gaps = estimate_disparities(counts_G8[large], drawn_RG8[:, large], settings.confidence) if not reason else {}
    method = f"largest against smallest rate of {', '.join(compared.groups[group] for group in large.tolist())}; bootstrap of all pairs"
    method += f"; too small to compare: {', '.join(left_out)}" if left_out else ""
    for name in DISPARITIES:
        item = gaps.get(name) or Estimate(None, None, None, int(counts_G8.sum()), 0, settings.confidence)
        why = reason or ("" if item.value is not None else _lacking(rates, large, compared))
        context.claim(_evidence(f"{claim}[{compared.name}][{name}]", item, why, about, method, GAPS_SOURCE))
    return {
        "name": compared.name,
        "groups": groups,
        "left_out": left_out,
        "reason": reason,
        "gaps": {name: _plain(item) for name, item in gaps.items()},
    }


MISSING_KIND = {
    "tpr": "no row of this group is truly favourable",
    "fpr": "every row of this group is truly favourable",
    "ppv": "no row of this group was answered favourably",
}


def _not_tried(claim: str, reason: str, about: dict[str, str]) -> list[Evidence]:
    return [not_applicable(f"{claim}[{name}]", reason, **about) for name in DISPARITIES]


def _rate(item: Estimate, name: str, why: str) -> dict[str, Any]:
    return {**_plain(item), "reason": why or ("" if item.value is not None else MISSING_KIND.get(name, "no rows"))}


def _lacking(rates: dict[str, list[Estimate]], large: np.ndarray, compared: Comparison) -> str:
    missing = [
        f"{compared.groups[group]}: {MISSING_KIND[name]}"
        for name in ("tpr", "fpr")
        for group in large.tolist()
        if rates[name][group].value is None
    ]
    return "; ".join(missing) or "nobody was answered favourably"


def _evidence(name: str, item: Estimate, reason: str, about: dict[str, str], method: str, source: str) -> Evidence:
    if reason or item.value is None:
        return Evidence(
            name,
            None,
            n=item.n,
            about=about,
            status="not_applicable",
            reason=reason or "it does not exist",
            source=source,
        )
    return Evidence(
        name,
        item.value,
        unit="fraction",
        low=item.low,
        high=item.high,
        confidence=item.confidence,
        n=item.n,
        method=method,
        source=source,
        about=about,
    )


def _plain(item: Estimate) -> dict[str, Any]:
    return {"value": item.value, "low": item.low, "high": item.high, "n": item.n}


def _row(found: dict[str, Any], answers: Answers) -> dict[str, Any]:
    return {"accuracy": float(answers.right.mean()), "gaps": found["gaps"], "groups": found["groups"]}
