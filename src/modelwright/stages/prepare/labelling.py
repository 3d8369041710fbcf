"""Asking for labels: of rows without one, those that would tell a trained model most."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...core import registry
from ...core.errors import DataError, RecipeError
from ...core.randomness import derive_seed
from ...core.recipe import Recipe
from ...core.run import Run
from ...engine.dataset import read_part
from ...engine.predictor import Predictor, answer_in_batches, open_predictor
from ...methods.selection.scores import apart, bald, entropy, furthest, margin
from ...sources.checks import contents_of
from ...sources.rows import Rows
from ...tasks.task import Examples
from ...tasks.tokens import PADDING

# Answers of a network under dropout that make up the committee; features that texts are folded into; rows told apart from.
COMMITTEE, FOLDED, KNOWN = 20, 256, 2000


def choose_rows(folder: Path, pool: str, count: int, by: str) -> list[dict[str, Any]]:
    """Return the rows of a pool that a person should label next, the most telling first, with the score of each.

    The pool is read as the recipe of the run reads its data. A row whose content the run has already is not asked for.

    Raises:
        DataError: the pool has no row that is new.
        RecipeError: the run has no model, or one that cannot answer in this way.
    """
    run = Run(folder)
    model = run.artifact("model")
    if model is None:
        raise RecipeError("no model was trained in this run", where=folder, next_step="modelwright train RECIPE")
    recipe, predictor = run.recipe(), open_predictor(model.path)
    if "classes" not in predictor.learnt:
        raise RecipeError("this model knows no classes", where=folder, expected="a model of a classification")
    rows = _new_ones(run, _read_pool(recipe, pool))
    examples = predictor.task.examples(_labelled(rows, predictor), predictor.learnt)
    if by == "random":
        order = np.random.default_rng(derive_seed(recipe.seed, "label")).permutation(len(rows))
        return _told(rows, [(int(row), 0.0) for row in order[:count]], predictor.predict(examples), predictor)
    if by == "diversity":
        dataset = run.artifact("dataset")
        assert dataset is not None, "there is a model"
        known = _features(read_part(dataset.path, "train"))[:KNOWN]
        answers = predictor.predict(examples)
        chosen = furthest(_features(examples), known, count)
        return _told(rows, [(row, 0.0) for row in chosen], answers, predictor)
    if by == "mixed":
        answers = predictor.predict(examples)
        scores, seed = margin(answers), derive_seed(recipe.seed, "label")
        chosen = apart(_features(examples), scores, count, seed)
        return _told(rows, [(row, float(scores[row])) for row in chosen], answers, predictor)
    if by == "bald":
        answers_MNC = _committee(predictor, examples, derive_seed(recipe.seed, "label"))
        scores, answers = bald(answers_MNC), answers_MNC.mean(axis=0)
    else:
        answers = predictor.predict(examples)
        scores = entropy(answers)
    ranked = np.argsort(-scores, kind="stable")[:count]
    return _told(rows, [(int(row), float(scores[row])) for row in ranked], answers, predictor)


def _read_pool(recipe: Recipe, pool: str) -> Rows:
    """Read a pool as the data is read; it needs no label."""
    stated: dict[str, Any] = recipe.sections["data"].model_dump(mode="json")
    if "path" not in stated:
        raise RecipeError("this source reads no file", where="data", expected="a source with a path")
    stated = {**stated, "path": str(Path(pool).absolute()), **({"label": "auto"} if "label" in stated else {})}
    settings = registry.settings_of("source", stated["kind"]).model_validate(stated)
    rows: Rows = registry.function_of("source", stated["kind"])(settings, recipe.base)
    return rows


def _new_ones(run: Run, rows: Rows) -> Rows:
    """Leave out what the run has been given already, and what the pool holds twice."""
    data: Any = run.recipe().sections["data"]
    known = set(contents_of(registry.function_of("source", data.kind)(data, run.recipe().base)))
    new = []
    for row, content in enumerate(contents_of(rows)):
        if content not in known:
            new.append(row)
            known.add(content)
    if not new:
        raise DataError("the pool holds no row that is new", where="the pool", expected="rows without a label")
    return rows.take(new)


def _labelled(rows: Rows, predictor: Predictor) -> Rows:
    """Return the rows without what stands where a label would: it is what is asked for."""
    return Rows({name: column for name, column in rows.columns.items() if name != "label"}, rows.origins, (), {}, None)


def _committee(predictor: Predictor, examples: Examples, seed: int) -> np.ndarray:
    """Return the answers of a network under dropout, several times over.

    Raises:
        RecipeError: the model has no dropout.
    """
    import torch

    network = predictor.network
    dropped = [] if network is None else [part for part in network.modules() if "Dropout" in type(part).__name__]
    if not any(getattr(part, "p", 0) or getattr(part, "probability", 0) for part in dropped):
        raise RecipeError(
            "this model has no dropout, so it cannot disagree with itself",
            where="--by bald",
            expected="a network with model.dropout above 0",
            next_step="use --by uncertainty",
        )
    network.eval()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed % 2**63)
        for part in dropped:
            part.train()
        answers = [answer_in_batches(network, predictor.task, examples) for _ in range(COMMITTEE)]
    network.eval()
    return np.stack(answers)


def _features(examples: Examples) -> np.ndarray:
    """Return what can be told of each row without a model: pixels, numbers of a table, tokens folded into a few counts."""
    found = []
    for name, column in examples.columns.items():
        array = np.asarray(column)
        if name == "tokens":
            found.append(np.stack([_folded(row) for row in array]))
        elif name not in ("target", "length") and array.dtype.kind in "fiub":
            found.append(array.reshape(len(array), -1).astype(np.float64))
    return np.concatenate(found, axis=1)


def _folded(tokens: np.ndarray) -> np.ndarray:
    """Return how often tokens occur, by the remainder of their numbers, at length 1."""
    present = tokens[tokens != PADDING].astype(np.int64)
    counts = np.bincount(present % FOLDED, minlength=FOLDED).astype(np.float64)
    return counts / max(1.0, float(np.linalg.norm(counts)))


def _told(
    rows: Rows, ranked: list[tuple[int, float]], answers: np.ndarray, predictor: Predictor
) -> list[dict[str, Any]]:
    classes = predictor.learnt["classes"]
    return [
        {
            "row": rows.origins[row],
            "score": round(score, 6),
            "label": classes[int(answers[row].argmax())],
            "probability": round(float(answers[row].max()), 6),
        }
        for row, score in ranked
    ]
