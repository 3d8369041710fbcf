"""Questions that list their own answers: how often the most likely one is right, before and after training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...core.errors import DataError
from ...core.evidence import Evidence
from ...core.stage import Context
from ...engine.choosing import score_choices
from ...engine.predictor import Predictor
from ...tasks.options import CHOICE_BYTES, CHOICES, RIGHT, options_of
from ...tasks.task import Examples
from .choices import question_of
from .settings import Evaluate
from .shares import share_claim
from .untrained import untrained

FILES = ("chosen", "chosen_before")
BROWN = "Brown et al. 2020, section 2.4"


def require_options(test: Examples) -> None:
    """Check that every test conversation lists what may be answered.

    Raises:
        DataError: one does not.
    """
    without = np.flatnonzero(np.asarray(test.columns[RIGHT]) < 0) if RIGHT in test.columns else np.zeros(1)
    if len(without):
        raise DataError(
            f"test conversation {int(without[0]) + 1} lists no choices",
            where="evaluate.choices.by_row",
            expected=f"a column {CHOICES} beside messages, with a list of texts in each row",
            next_step="add it, or leave evaluate.choices.by_row out",
        )


def score(context: Context, predictor: Predictor, test: Examples) -> dict[str, np.ndarray]:
    """Return the log-likelihood of each row's choices, by name; where a row has fewer than another, minus infinity.

    Shapes: n examples -> "chosen", "chosen_before" (n, most choices) float64
    """
    settings: Evaluate = context.settings
    options = [options_of(test.columns, index) for index in range(len(test))]
    prompts = [question_of(test, index)[0] for index in range(len(test))]

    def of(network: Any, when: str) -> np.ndarray:
        found = np.full((len(test), max(map(len, options))), -np.inf)
        for index, (prompt, choices) in enumerate(zip(prompts, options, strict=True)):
            context.check_interrupt(index, len(test), f"weighing the answers {when}")
            found[index, : len(choices)] = score_choices(network, [prompt], choices)[0]
        return found

    found = {"chosen": of(predictor.network, "after training")}
    if settings.choices.before:
        found["chosen_before"] = of(untrained(context, predictor.learnt), "before training")
    return found


def claims(context: Context, folder: Path, test: Examples, about: dict[str, str]) -> list[Evidence]:
    """Return what is claimed of the choices, with intervals, from what `score` found and was stored."""
    settings: Evaluate = context.settings
    claimed = []
    for name in FILES[: 2 if settings.choices.before else 1]:
        likelihoods = np.load(folder / f"{name}.npy", allow_pickle=False)
        for item in _judged(likelihoods, test, settings.confidence):
            claimed.append(replace(item, name=item.name if name == FILES[0] else f"before[{item.name}]", about=about))
    return claimed


def _judged(likelihoods: np.ndarray, test: Examples, confidence: float) -> Iterator[Evidence]:
    """Yield how often the likeliest choice is right: of the whole likelihood, and of that of each byte."""
    right = np.asarray(test.columns[RIGHT])
    in_bytes = np.ones_like(likelihoods)
    for index in range(len(test)):
        own = test.columns[CHOICE_BYTES].row(index)
        in_bytes[index, : len(own)] = own
    chance = float((1 / np.isfinite(likelihoods).sum(axis=1)).mean())
    for name, values, what in (
        ("choice_accuracy", likelihoods, "the most likely of each row's own answers"),
        (
            "choice_accuracy_by_byte",
            likelihoods / in_bytes,
            "the answer of each row's own that is most likely for its bytes",
        ),
    ):
        hits = int((values.argmax(axis=1) == right).sum())
        method = f"{what}; guessing reaches {chance:.4g}"
        yield share_claim(name, hits, len(right), confidence, method, BROWN)
