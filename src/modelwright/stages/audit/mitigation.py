"""What would treat the groups more alike: thresholds by group after training, or another objective in training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.run import Run
from ...core.stage import Context
from ...engine.dataset import read_part
from ...engine.predictor import open_predictor
from ...methods.fairness.thresholds import Thresholds, choose_thresholds
from .fairness_settings import Fairness
from .groups import Comparison, comparisons


@dataclass(frozen=True)
class Answers:
    """What was answered to each row: whether it is and was called favourable, whether it is right, and how strongly it was called so."""

    truly: np.ndarray
    answered: np.ndarray
    right: np.ndarray
    scores: np.ndarray

    @classmethod
    def of(cls, targets: np.ndarray, probabilities: np.ndarray, good: list[int]) -> Answers:
        """Read answers as favourable or not."""
        chosen = probabilities.argmax(axis=1)
        truly, answered = np.isin(targets, good), np.isin(chosen, good)
        return cls(truly, answered, chosen == targets, favourable(probabilities, good))

    @classmethod
    def of_test(cls, context: Context, good: list[int]) -> Answers:
        """Return the answers to the test part, as the stage that opened it has kept them."""
        return cls._stored(context.inputs["predictions"].path, good)

    @classmethod
    def _stored(cls, folder: Any, good: list[int]) -> Answers:
        targets, probabilities = (
            np.load(folder / f"{name}.npy", allow_pickle=False) for name in ("targets", "answers")
        )
        return cls.of(targets, probabilities, good)

    @classmethod
    def of_run(cls, made: Run, good: list[int]) -> Answers:
        """Return the answers of another run of the same recipe."""
        predictions = made.artifact("predictions")
        if predictions is None:
            raise AssertionError("an evaluated run has predictions")
        return cls._stored(predictions.path, good)


def favourable(probabilities: np.ndarray, good: list[int]) -> np.ndarray:
    """Return how probable a favourable class is.

    Shapes: (n, classes) float -> (n,) float
    """
    found: np.ndarray = probabilities[:, good].sum(axis=1)
    return found


def mitigated(
    context: Context, settings: Fairness, compared: Comparison, before: Answers, good: list[int]
) -> Iterator[tuple[str, Answers | None, dict[str, Any]]]:
    """Yield the name of each mitigation asked for, the test part's answers with it, and what the report says of it.

    One that cannot be tried has no answers, and a `reason`.
    """
    for name in settings.mitigations:
        if name == "thresholds":
            chosen = _choose(context, settings, good)
            if chosen is None:
                yield name, None, {"reason": f"fewer than two groups of the validation part have {settings.least} rows"}
                continue
            yield name, _with_thresholds(before, compared.codes, chosen), _told(chosen, compared, settings)
        else:
            after = Answers.of_run(_train_again(context, settings, name), good)
            assert np.array_equal(after.truly, before.truly), "the same rows of the test part, in the same order"
            yield name, after, {}


def _choose(context: Context, settings: Fairness, good: list[int]) -> Thresholds | None:
    """Choose thresholds on the validation part, if two groups there are large enough; the test part only shows what they do."""
    context.check_interrupt(message="choosing thresholds")
    validation = read_part(context.inputs["dataset"].path, "validation")
    compared = comparisons(context, settings, "validation")[0]
    probabilities = open_predictor(context.inputs["model"].path).predict(validation)
    truly = np.isin(np.asarray(validation.columns["target"]), good)
    # A group that is too small here keeps the threshold that everybody had.
    codes, large = compared.codes, np.bincount(compared.codes, minlength=len(compared.groups)) >= settings.least
    known = [group for group in np.flatnonzero(large).tolist() if _has_both(truly[codes == group], settings.constraint)]
    if len(known) < 2:
        return None
    scores = favourable(probabilities, good)
    rows = np.isin(codes, known)
    place = {group: at for at, group in enumerate(known)}
    found = choose_thresholds(
        scores[rows],
        truly[rows],
        np.array([place[group] for group in codes[rows].tolist()], dtype=np.int64),
        len(known),
        settings.constraint,
        settings.tolerance,
    )
    every = tuple(found.of_group[place[group]] if group in place else 0.5 for group in range(len(compared.groups)))
    return Thresholds(every, found.gap, found.accuracy)


def _has_both(truly: np.ndarray, constraint: str) -> bool:
    return constraint == "demographic_parity" or bool(truly.any() and not truly.all())


def _with_thresholds(before: Answers, codes: np.ndarray, chosen: Thresholds) -> Answers:
    answered = before.scores >= np.asarray(chosen.of_group)[codes]
    return Answers(before.truly, answered, answered == before.truly, before.scores)


def _told(chosen: Thresholds, compared: Comparison, settings: Fairness) -> dict[str, Any]:
    return {
        "thresholds": dict(zip(compared.groups, chosen.of_group, strict=True)),
        "constraint": settings.constraint,
        "validation_gap": chosen.gap,
        "validation_accuracy": chosen.accuracy,
    }


def _train_again(context: Context, settings: Fairness, objective: str) -> Run:
    """Run the same recipe with another objective, up to its answers on the test part."""
    context.check_interrupt(message=f"training again with {objective}")
    edits: dict[str, Any] = {
        "name": f"{context.recipe.name}-{objective}",
        "train.objective": {"kind": objective, "column": settings.columns[0]},
        "evaluate.floor": "none",
        "evaluate.folds": 0,
    }
    inner: Run = context.run_recipe(context.recipe.edited(edits), "evaluate")
    return inner
