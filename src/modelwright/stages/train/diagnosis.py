"""The diagnosis of a training: what went wrong or may go better, in words, with what to try next."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import torch

from ...core import registry
from ...core.evidence import Evidence
from ...core.randomness import derive_seed
from ...core.recipe import Recipe
from ...core.stage import Context
from ...engine.fit import Fit, measure_fit
from ...methods.diagnosis.curves import judge_curves, judge_descent, judge_start
from ...methods.diagnosis.finding import Finding
from ...methods.diagnosis.fit import judge_confidence, judge_fit
from ...methods.diagnosis.gradients import Layer, Sample, judge_dead_units, judge_gradients, judge_updates
from ...methods.diagnosis.players import judge_players, standing
from ...tasks.task import Examples
from .remedies import next_steps
from .trained import Trained

GAP_SOURCE = "Efron and Tibshirani 1993, section 8.3"
# So few steps are a trial and no training: what has not been learnt yet is no finding.
FEWEST_STEPS = 100
TOO_EARLY = ("no_better_than_guessing", "underfitting", "loss_not_falling")
DEAD_SOURCE = "Maas, Hannun and Ng 2013, section 2"


def diagnose(context: Context, trained: Trained, training: Examples, validation: Examples) -> dict[str, Any]:
    """Return the findings, worst first, and the numbers behind them; say the bad ones aloud."""
    context.progress(message="diagnosing the training")
    recipe = context.recipe
    fit = measure_fit(
        trained.predictor, training, validation, plain=_is_plain(recipe), seed=derive_seed(recipe.seed, "diagnosis")
    )
    comparing: Any = recipe.sections["train"]
    losses_of_pairs = registry.function_of("preference", comparing.preference.kind)(comparing.preference)
    if losses_of_pairs is not None:
        # Who guesses has gained nothing.
        fit = replace(fit, losses=replace(fit.losses, guessing=float(losses_of_pairs(torch.zeros(1)))))
    if "players" in trained.record:
        # What they minimise says little: each loss depends on the other player.
        found = judge_players(trained.record["players"])
    else:
        found = [*_of_training(recipe, trained, fit), *judge_fit(fit.losses)]
    if 0 < trained.steps < FEWEST_STEPS:
        found = [finding for finding in found if finding.code not in TOO_EARLY]
    # A model that knows nothing has nothing to be sure of.
    if fit.confidence and not any(finding.code == "no_better_than_guessing" for finding in found):
        found += judge_confidence(fit.confidence)
    order = ("severe", "warning", "note")
    findings = []
    for finding in sorted(found, key=lambda item: order.index(item.severity)):
        steps = next_steps(finding, recipe)
        findings.append({**finding.to_json(), "next": steps})
        if finding.severity != "note":
            advice = f" Try {' or '.join(steps[:2])}." if steps else ""
            context.progress(message=f"{finding.severity}: {finding.sentence()}{advice}")
    return {
        "findings": findings,
        "fit": {**asdict(fit.losses), "confidence": fit.confidence and asdict(fit.confidence), "n": fit.n},
    }


def _of_training(recipe: Recipe, trained: Trained, fit: Fit) -> list[Finding]:
    """Return what the course of a training by steps shows; a model fitted at once has none."""
    record = trained.record
    settings: Any = recipe.sections["train"]
    if "trace" not in record:
        return []
    samples = samples_of(record["trace"])
    found = [*judge_gradients(samples, settings.clip_norm), *judge_updates(samples)]
    found += judge_dead_units({name: (dead, units) for name, (dead, units) in record["dead_units"].items()})
    epochs = [(point["step"], point["loss"]) for point in record["loss"]]
    judged = [(point["step"], point["loss"]) for point in record["validation"]]
    # Mixed and smoothed labels have a loss of their own, which says nothing about where it should begin and end; and so have pairs.
    if record["trace"] and not settings.mixing and settings.preference.kind == "none":
        first = record["trace"][0]["loss"]
        begun = math.inf if first is None else first
        learnt = trained.predictor.learnt
        found += judge_start(begun, len(learnt["classes"]) if "classes" in learnt else learnt["size"])
        found += judge_descent(begun, [loss for _, loss in epochs], fit.losses.guessing)
    return [*found, *judge_curves(epochs, judged, kept_last=settings.keep == "last")]


def samples_of(points: Sequence[dict[str, Any]]) -> list[Sample]:
    """Return what the watch has seen of the first turn; what was not finite is stored as nothing."""

    def number(value: float | None) -> float:
        return math.inf if value is None else value

    turn = points[0]["turn"] if points else ""
    return [
        Sample(
            point["step"],
            number(point["norm"]),
            {name: Layer(number(seen[0]), number(seen[1]), seen[2]) for name, seen in point["layers"].items()},
        )
        for point in points
        if point["turn"] == turn
    ]


def _is_plain(recipe: Recipe) -> bool:
    """Return whether training minimised the mean loss over the training part as it is."""
    settings: Any = recipe.sections["train"]
    kinds = (settings.objective.kind, settings.sampler.kind, settings.resample.kind)
    balanced = getattr(recipe.sections["model"], "balanced", False)
    others = balanced or settings.mixing or settings.preference.kind != "none"
    return kinds == ("mean", "shuffled", "none") and not others


def diagnosis_claims(record: dict[str, Any], about: dict[str, str]) -> list[Evidence]:
    """Return the two numbers of a diagnosis that a gate may ask for."""
    fit = record["diagnosis"]["fit"]
    gap, n = fit["gap"], fit["n"]
    claims = [
        Evidence(
            "overfitting_gap",
            gap["value"],
            unit="" if "players" in record else "nats",
            low=gap["low"],
            high=gap["high"],
            confidence=gap["confidence"],
            n=n,
            about=about,
            method=f"validation loss less training loss of the kept model, {n} examples of each; percentile bootstrap, "
            f"{gap['resamples']} resamples",
            source=GAP_SOURCE,
        )
    ]
    claims += _standing(record.get("players") or [], about)
    dead = record.get("dead_units") or {}
    units = sum(total for _, total in dead.values())
    if not units:
        reason = "the model has no ReLU units"
        return [
            *claims,
            Evidence("dead_units", None, about=about, status="not_applicable", reason=reason, source=DEAD_SOURCE),
        ]
    share = sum(count for count, _ in dead.values()) / units
    method = f"share of {units} ReLU units that answer zero to every validation example looked at, at most 512"
    return [*claims, Evidence("dead_units", share, unit="fraction", about=about, method=method, source=DEAD_SOURCE)]


def _standing(points: list[dict[str, Any]], about: dict[str, str]) -> list[Evidence]:
    """Return how two players stood at the end, where there are two."""
    if not points:
        return []
    right, diversity = standing(points)
    last = "over the last quarter of the run"
    return [
        Evidence(
            "discriminator_right",
            right,
            unit="fraction",
            about=about,
            method=f"share of real and generated pictures, patch by patch, that the discriminator knew, {last}",
        ),
        Evidence(
            "output_diversity",
            diversity,
            about=about,
            method=f"deviation of outputs within a batch, as a share of that of their contents, {last}",
        ),
    ]
