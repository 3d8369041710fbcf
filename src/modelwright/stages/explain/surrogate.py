"""The global surrogate: a model that people can read, fitted to the answers of one that they cannot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core import registry
from ...core.evidence import Evidence, not_applicable
from ...methods.statistics.intervals import wilson_interval
from ...methods.surrogate.linear import fit_linear
from ...methods.surrogate.rules import rules_of
from ...methods.surrogate.settings import LinearSurrogate, NoSurrogate, TreeSurrogate
from ...methods.surrogate.tree import choose_pruning, grow
from .view import Name

SOURCE = "Craven and Shavlik 1996"
# Weights of a linear surrogate that a page shows for each class.
WEIGHTS = 8


@dataclass(frozen=True)
class Imitated:
    """What a surrogate learns from and is judged on: readable features, and what a model decided."""

    features: np.ndarray
    decisions: np.ndarray
    held_out: np.ndarray
    held_out_decisions: np.ndarray
    names: tuple[Name, ...]
    classes: list[str]
    seed: int


# The variants of a surrogate by name ('' is the one that counts): decisions on what was held out, size, what a page shows.
Variants = dict[str, tuple[np.ndarray, int, dict[str, Any]]]


def run_none(settings: NoSurrogate, imitated: Imitated) -> Variants:
    """Fit nothing."""
    return {}


def run_tree(settings: TreeSurrogate, imitated: Imitated) -> Variants:
    """Grow a tree, prune it, and keep both."""
    asked = (imitated.features, imitated.decisions, settings.depth, settings.leaf_rows)
    strength = choose_pruning(*asked, imitated.seed) if settings.pruning == "auto" else settings.pruning
    grown = {"": grow(*asked, strength, imitated.seed), "before pruning": grow(*asked, 0.0, imitated.seed)}
    return {
        name: (
            found.decide(imitated.held_out),
            found.leaves,
            {
                "pruning": found.pruning,
                "rules": [] if name else rules_of(found.tree, list(imitated.names), imitated.classes),
            },
        )
        for name, found in grown.items()
    }


def run_linear(settings: LinearSurrogate, imitated: Imitated) -> Variants:
    """Fit logistic regression; its size is the number of features."""
    fitted = fit_linear(imitated.features, imitated.decisions, settings.strength)
    shown = {
        imitated.classes[number]: [
            {"feature": imitated.names[place][1], "weight": float(weights[place])}
            for place in np.argsort(-np.abs(weights), kind="stable")[:WEIGHTS]
        ]
        for number, weights in fitted.weights().items()
    }
    return {"": (fitted.decide(imitated.held_out), imitated.features.shape[1], {"weights": shown})}


def fit_and_judge(
    settings: Any, imitated: Imitated, whom: str, confidence: float, about: dict[str, str]
) -> tuple[list[Evidence], dict[str, Any]]:
    """Fit a surrogate to the decisions of a model; return its fidelity as evidence, and what a page shows.

    `whom` names the model where it is not the one that the run explains.
    """
    base, suffix = f"surrogate_fidelity[{settings.kind}]", f"[{whom}]" if whom else ""
    if len(np.unique(imitated.decisions)) < 2:
        reason = "the model decides alike on every example that the surrogate could learn from"
        return [not_applicable(f"{base}{suffix}", reason, **about)], {"kind": settings.kind, "reason": reason}
    count = len(imitated.held_out_decisions)
    frequent = np.bincount(imitated.decisions).argmax()
    floor = float((imitated.held_out_decisions == frequent).mean())
    claims, shown = [], {"kind": settings.kind, "floor": floor, "n": count, "variants": {}}
    for variant, (decided, size, facts) in registry.function_of("surrogate", settings.kind)(settings, imitated).items():
        slice_ = suffix + (f"[{variant}]" if variant else "")
        right = int((decided == imitated.held_out_decisions).sum())
        low, high = wilson_interval(right, count, confidence)
        claims.append(
            Evidence(
                f"{base}{slice_}",
                right / count,
                unit="fraction",
                low=low,
                high=high,
                confidence=confidence,
                n=count,
                about=about,
                method=f"share of validation examples on which the surrogate decides as the model; always the most frequent decision: "
                f"{floor:.4f}; Wilson",
                source=SOURCE,
            )
        )
        if settings.kind == "tree":
            claims.append(
                Evidence(
                    f"surrogate_leaves[tree]{slice_}", size, unit="leaves", about=about, method="rules of the surrogate"
                )
            )
        shown["variants"][variant] = {"fidelity": right / count, "low": low, "high": high, "size": size, **facts}
    return claims, shown
