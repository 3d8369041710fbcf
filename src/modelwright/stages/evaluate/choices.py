"""Conversations as questions with given answers: which answer the model finds most likely, before and after training."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np

from ...core.errors import DataError
from ...core.evidence import Evidence
from ...core.randomness import derive_seed
from ...core.stage import Context
from ...engine.choosing import score_choices
from ...engine.predictor import Predictor
from ...tasks import classification
from ...tasks.chat import COUNTED
from ...tasks.ragged import Ragged
from ...tasks.task import Examples
from ...tasks.vocabulary import Vocabulary
from .settings import Evaluate
from .untrained import untrained

# What is claimed of the choices; a class stands in brackets.
CLAIMED = ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "f1_macro", "log_loss")


def require_conversations(test: Examples) -> None:
    """Check that there are answers to be chosen from.

    Raises:
        DataError: the data holds no conversations.
    """
    if COUNTED not in test.columns:
        raise DataError(
            "the data holds texts and no conversations",
            where="evaluate.choices.answers",
            expected="a column messages",
            next_step="leave evaluate.choices out",
        )


def score(context: Context, predictor: Predictor, test: Examples) -> dict[str, np.ndarray]:
    """Return the log-likelihood of each choice for each conversation, by name: after training and, if asked for, before it.

    Shapes: n examples -> "chosen", "chosen_before" (n, choices) float64; "right" (n,) int64
    Raises:
        DataError: an answer of the test part is none of the choices.
    """
    settings: Evaluate = context.settings
    vocabulary = Vocabulary(predictor.learnt)
    choices = [vocabulary.encode(text).tokens.tolist() for text in settings.choices.answers]
    questions = [question_of(test, index) for index in range(len(test))]
    right = _right(settings.choices.answers, [vocabulary.decode(answer) for _, answer in questions])
    prompts = [prompt for prompt, _ in questions]

    def of(network: Any, when: str) -> np.ndarray:
        return score_choices(
            network,
            prompts,
            choices,
            lambda done: context.check_interrupt(done, len(prompts), f"weighing the answers {when}"),
        )

    found = {"right": right, "chosen": of(predictor.network, "after training")}
    if settings.choices.before:
        found["chosen_before"] = of(untrained(context, predictor.learnt), "before training")
    return found


def claims(settings: Evaluate, found: dict[str, np.ndarray], about: dict[str, str], seed: int) -> list[Evidence]:
    """Return what is claimed of the choices, with intervals.

    Shapes: "right" (n,) int64, the others (n, choices) float64 -> claims
    """
    answers = settings.choices.answers
    bootstrap = derive_seed(seed, "bootstrap")
    claimed = []
    for name, prefix in (("chosen", ""), ("chosen_before", "before")):
        if name not in found:
            continue
        likelihoods = found[name] - found[name].max(axis=1, keepdims=True)
        shares = np.exp(likelihoods) / np.exp(likelihoods).sum(axis=1, keepdims=True)
        for item in classification.metrics(found["right"], shares, settings.resamples, settings.confidence, bootstrap):
            base, bracket, index = item.name.partition("[")
            if base not in CLAIMED:
                continue
            stated = f"choice_{base}" + (f"[{answers[int(index[:-1])]}]" if bracket else "")
            method = f"the most likely of {len(answers)} answers to each conversation; {item.method}"
            claimed.append(replace(item, name=f"{prefix}[{stated}]" if prefix else stated, about=about, method=method))
    return claimed


def question_of(test: Examples, index: int) -> tuple[list[int], list[int]]:
    """Return what stands before the last answer of a conversation, and that answer without its end."""
    tokens = cast(Ragged, test.columns["tokens"]).row(index).tolist()
    counted = cast(Ragged, test.columns[COUNTED]).row(index).tolist()
    begins = max(place for place in range(1, len(counted)) if counted[place] and not counted[place - 1])
    return tokens[:begins], tokens[begins:]


def _right(answers: tuple[str, ...], given: list[str]) -> np.ndarray:
    numbers = {text: number for number, text in enumerate(answers)}
    for row, text in enumerate(given):
        if text not in numbers:
            raise DataError(
                f"the answer is {text[:60]!r}",
                where=f"test part, conversation {row + 1}",
                expected=f"one of {', '.join(map(repr, answers))}",
                next_step="name all answers in evaluate.choices.answers, or leave it out",
            )
    return np.asarray([numbers[text] for text in given], dtype=np.int64)
