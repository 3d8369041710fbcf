"""Membership inference: how many training examples an outsider picks out while hardly ever being wrong."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.evidence import Evidence
from ...core.run import Run
from ...core.stage import Context
from ...engine.dataset import read_part
from ...engine.predictor import Predictor, open_predictor
from ...engine.subset import draw_subset
from ...methods.privacy.membership import attack, log_odds, stand_out
from ...methods.statistics.intervals import wilson_interval
from ...tasks.task import Examples
from .settings import Privacy

HALF, MOST_EPSILON = 0.5, 100.0
SOURCE = "Carlini et al. 2022; Yeom et al. 2018 where there are no shadow models"


def audit_membership(
    context: Context, settings: Privacy, spent: dict[str, Any], about: dict[str, str]
) -> dict[str, Any]:
    """Score training and validation examples, claim what an attack finds, and return what the report shows.

    The validation part stands for those who were not in training; the test part stays closed.
    """
    dataset = context.inputs["dataset"].path
    subset = context.recipe.sections["train"].subset  # type: ignore[attr-defined]
    parts = [read_part(dataset, part) for part in ("train", "validation")]
    parts[0] = parts[0].take(draw_subset(len(parts[0]), subset.share, subset.seed))
    context.check_interrupt(message="asking the model about training and validation examples")
    target = _odds(open_predictor(context.inputs["model"].path), parts)
    count = len(parts[0])
    scores = _stand_out(context, settings, spent, target, parts) if settings.shadows else target
    found = attack(scores[:count], scores[count:], settings.false_positives)
    low, high = wilson_interval(found.right, found.members, settings.confidence)
    how = (
        f"confidence compared with {settings.shadows} models trained on random halves, each example by those that did not see it"
        if settings.shadows
        else "threshold on the confidence in the right class"
    )
    coarse = "" if found.allowed else "; fewer others than one false positive needs, so none was allowed"
    method = f"{how}; {found.members} training examples against {found.others} validation examples"
    context.claim(
        Evidence(
            "membership_tpr",
            found.rate,
            unit="fraction",
            low=low,
            high=high,
            confidence=settings.confidence,
            n=found.members,
            about=about,
            method=f"share of training examples found at {settings.false_positives:.2%} of others wrongly taken for such; {method}"
            f"{coarse}",
            source=SOURCE,
        ),
        Evidence(
            "membership_auc",
            found.area,
            unit="fraction",
            n=found.members,
            about=about,
            method=f"probability that a training example scores higher than another one; {method}",
            source=SOURCE,
        ),
    )
    return {
        **found.__dict__,
        "low": low,
        "high": high,
        "confidence": settings.confidence,
        "shadows": settings.shadows,
        "false_positives": settings.false_positives,
    }


def _odds(predictor: Predictor, parts: list[Examples]) -> np.ndarray:
    """Return the log odds of the right class, of training then of validation examples."""
    right = []
    for part in parts:
        answers, targets = predictor.predict(part), np.asarray(part.columns["target"])
        right.append(log_odds(answers[np.arange(len(targets)), targets]))
    return np.concatenate(right)


def _stand_out(
    context: Context, settings: Privacy, spent: dict[str, Any], target: np.ndarray, parts: list[Examples]
) -> np.ndarray:
    """Train shadow models on halves of the training part, and compare."""
    subset = context.recipe.sections["train"].subset  # type: ignore[attr-defined]
    count = len(parts[0])
    whole = len(read_part(context.inputs["dataset"].path, "train"))
    own = draw_subset(whole, subset.share, subset.seed)
    odds, absent = np.empty((settings.shadows, len(target))), np.ones((settings.shadows, len(target)), bool)
    for number in range(settings.shadows):
        seed = subset.seed + number + 1
        context.check_interrupt(number, settings.shadows, f"shadow model {number + 1} of {settings.shadows}")
        edits = {
            "name": f"{context.recipe.name}-shadow-{number + 1}",
            "train.subset.share": HALF,
            "train.subset.seed": seed,
            **_as_loud(spent),
        }
        inner: Run = context.run_recipe(context.recipe.edited(edits), "train")
        model = inner.artifact("model")
        if model is None:
            raise AssertionError("a trained run has a model")
        odds[number] = _odds(open_predictor(model.path), parts)
        absent[number, :count] = ~np.isin(own, draw_subset(whole, HALF, seed))
    return stand_out(target, odds, absent)


def _as_loud(spent: dict[str, Any]) -> dict[str, Any]:
    """Return the edits by which a shadow model is trained with the noise of the model that is audited.

    It sees half of the examples, so that its own epsilon is larger; nobody ever gets to see it.
    """
    return {"train.privacy.noise": spent["noise"], "train.privacy.epsilon": MOST_EPSILON} if spent else {}
