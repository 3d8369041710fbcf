"""The rule for labels: models that did not see a row say how possible its label is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...core.errors import DataError, MissingExtra
from ...core.recipe import Recipe
from ...engine.dataset import read_origins, read_part
from ...engine.predictor import open_predictor
from ...methods.cleaning.settings import LabelErrors
from .cleaning import Dirt


def label_errors(settings: LabelErrors, dirt: Dirt) -> Iterator[tuple[int, str]]:
    """Find training rows with an unlikely label, the worst first.

    Raises:
        DataError: a class has too few rows for each fold's model to know it.
        MissingExtra: cleanlab is not installed.
    """
    filters, rank = _cleanlab()
    classes, probabilities = _out_of_fold(settings, dirt)
    train = [int(index) for index in dirt.parts["train"] if dirt.rows.origins[index] in probabilities]
    answers = np.stack([probabilities[dirt.rows.origins[index]] for index in train])
    code = {name: number for number, name in enumerate(classes)}
    labels = np.array([code[str(dirt.rows.columns["label"][index])] for index in train])
    quality = rank.get_label_quality_scores(labels, answers, method="self_confidence")
    order = np.argsort(quality, kind="stable")
    count = (
        round(settings.share * len(train))
        if settings.share
        else int(filters.find_label_issues(labels, answers, n_jobs=1).sum())
    )
    for row in order[:count].tolist():
        likely = classes[int(answers[row].argmax())]
        yield (
            train[row],
            f"labelled {classes[labels[row]]}, which models that did not see it give {quality[row]:.1%}; they say {likely}",
        )


def _out_of_fold(settings: LabelErrors, dirt: Dirt) -> tuple[list[str], dict[str, np.ndarray]]:
    """Train the recipe's model once a fold; return the classes, and what each row's model says of it by origin."""
    probabilities: dict[str, np.ndarray] = {}
    classes: list[str] = []
    for fold in range(settings.folds):
        made = dirt.context.run_recipe(_recipe_of_fold(dirt.context.recipe, fold, settings.folds), "train")
        dataset, model = made.artifact("dataset"), made.artifact("model")
        judged = read_part(dataset.path, "test")
        found: list[str] = judged.learnt["classes"]
        if classes and found != classes:
            raise DataError(
                "the folds do not know the same classes",
                where="prepare.clean.label_errors",
                expected=f"at least {settings.folds} rows of each class",
                next_step="leave rare classes out of the rule, or use fewer folds",
            )
        classes = found
        answers = open_predictor(model.path).predict(judged)
        probabilities.update(zip(read_origins(dataset.path, "test"), answers, strict=True))
    return classes, probabilities


def _recipe_of_fold(recipe: Recipe, fold: int, folds: int) -> Recipe:
    """Return the recipe whose model is judged on one fold of all that is not the test part, without this rule and what follows it."""
    rules: list[Any] = []
    for settings in recipe.sections["prepare"].clean:  # type: ignore[attr-defined]
        if isinstance(settings, LabelErrors):
            break
        rules.append(settings.model_dump(mode="json"))
    return recipe.edited(
        {
            "name": f"{recipe.name}-labels-{fold + 1}-of-{folds}",
            "prepare.clean": rules,
            "prepare.split.folds": folds,
            "prepare.split.fold": fold,
        }
    )


def _cleanlab() -> tuple[Any, Any]:
    try:
        from cleanlab import filter as filters
        from cleanlab import rank
    except ImportError:
        raise MissingExtra(
            "the rule label_errors needs the package cleanlab",
            where="prepare.clean",
            expected="cleanlab",
            next_step="pip install 'modelwright[data]'",
        ) from None
    return filters, rank
