"""Pairs of answers: how often the model finds the better one more likely, before and after training, and what it has gained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ...core.evidence import Evidence
from ...core.randomness import derive_seed
from ...core.stage import Context
from ...engine.predictor import Predictor, likelihoods_in_batches
from ...methods.statistics.ratio import bootstrap_ratio
from ...tasks.task import Examples
from .settings import Evaluate
from .shares import share_claim
from .untrained import begins_outside, untrained

AFTER, BEFORE = "preferred", "preferred_before"
RAFAILOV = "Rafailov et al. 2023, section 5.2"


def score(context: Context, predictor: Predictor, test: Examples) -> dict[str, np.ndarray]:
    """Return the log-likelihoods of both answers of each pair: after training and, of weights from outside, before it.

    Shapes: n pairs -> "preferred", "preferred_before" (n, 2) float64
    """

    def of(network: Any, when: str) -> np.ndarray:
        heed = partial(context.check_interrupt, total=len(test), message=f"comparing the answers {when}")
        return likelihoods_in_batches(network.eval(), predictor.task, test, heed)

    found = {AFTER: of(predictor.network, "after training")}
    if begins_outside(context):
        found[BEFORE] = of(untrained(context, predictor.learnt), "before training")
    return found


def claims(context: Context, folder: Path, about: dict[str, str]) -> list[Evidence]:
    """Return what is claimed of the pairs, with intervals, from what `score` found and was stored."""
    files = {name: folder / f"{name}.npy" for name in (AFTER, BEFORE)}
    found = {name: np.load(file, allow_pickle=False) for name, file in files.items() if file.exists()}
    settings: Evaluate = context.settings
    seed = derive_seed(context.recipe.seed, "bootstrap")
    margins = {name: values[:, 0] - values[:, 1] for name, values in found.items()}
    judge = partial(_judged, settings, seed)
    claimed = [
        *judge(
            "preference",
            margins[AFTER],
            "log-likelihood of the chosen answer less that of the other, nats, summed over tokens",
        )
    ]
    if BEFORE in margins:
        before = judge("preference", margins[BEFORE], "the same, by the weights from outside")
        claimed += [replace(item, name=f"before[{item.name}]") for item in before]
        preference: Any = context.recipe.sections["train"].preference  # type: ignore[attr-defined]
        if preference.kind != "none":
            rewards = preference.beta * (margins[AFTER] - margins[BEFORE])
            method = f"beta {preference.beta:g} times what the chosen answer gained over the other since the weights from outside"
            claimed += judge("reward", rewards, method)
    return [replace(item, about=about) for item in claimed]


def _judged(settings: Evaluate, seed: int, name: str, margins: np.ndarray, what: str) -> Iterator[Evidence]:
    """Yield the share of pairs whose margin is positive, and the mean margin."""
    n, right = len(margins), int((margins > 0).sum())
    method = f"share of pairs with a positive margin: {what}"
    yield share_claim(f"{name}_accuracy", right, n, settings.confidence, method, RAFAILOV)
    mean = bootstrap_ratio(
        margins,
        np.ones(n),
        np.arange(n),
        resamples=settings.resamples,
        confidence=settings.confidence,
        generator=np.random.default_rng(seed),
    )
    yield Evidence(
        f"{name}_margin",
        mean.value,
        unit="nats",
        low=mean.low,
        high=mean.high,
        confidence=mean.confidence,
        n=n,
        method=f"mean of the {what}; percentile bootstrap over pairs, {settings.resamples} resamples",
        source=RAFAILOV,
    )
