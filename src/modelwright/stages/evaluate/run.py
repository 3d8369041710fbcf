"""Evaluate: open the test part once per model, measure everything with intervals, keep the worst examples for people to see."""

from __future__ import annotations

import gc
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...core import registry
from ...core.evidence import Evidence, not_applicable
from ...core.files import write_json
from ...core.metering import Reading
from ...core.randomness import derive_seed
from ...core.stage import Context
from ...engine.dataset import read_part
from ...engine.predictor import BATCH, Predictor, build_task, open_predictor
from ...methods.statistics.calibration import reliability_curve
from ...tasks.task import Examples
from .floor import compare_with_floor
from .folds import cross_validate
from .opening import answer_once
from .settings import Evaluate


def run(context: Context) -> None:
    """Judge the model of a recipe."""
    # What a training in this process has left in circles is given back before another network is opened.
    gc.collect()
    settings: Evaluate = context.settings
    section: Any = context.recipe.sections["task"]
    if section.kind in registry.names("judge"):
        registry.function_of("judge", section.kind)(context)
        return
    about = {"model": context.inputs["model"].digest, "dataset": context.inputs["dataset"].digest}
    predictions, drawn = answer_once(context, about, "answering the test part", lambda: _answers(context))
    answers, targets = (
        np.load(predictions.path / f"{name}.npy", allow_pickle=False) for name in ("answers", "targets")
    )
    context.check_interrupt(message="measuring")
    task = build_task(context.recipe.sections["task"])
    claims = task.metrics(
        targets, answers, settings.resamples, settings.confidence, derive_seed(context.recipe.seed, "bootstrap")
    )
    examples = read_part(context.inputs["dataset"].path, "test")
    classes: list[str] = examples.learnt["classes"]
    context.claim(
        *(_named(item, classes, about) for item in claims), _energy_per_answer(context, drawn, len(targets), about)
    )
    folds = cross_validate(context, settings.folds, about) if settings.folds else []
    floors = compare_with_floor(context, targets, answers, about) if settings.floor == "auto" else []
    folder = context.work / "evaluation"
    # A killed process may have left a part of it.
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    summary = {
        "classes": classes,
        "confusion": _confusion(targets, answers, len(classes)),
        "reliability": [bin_.__dict__ for bin_ in reliability_curve(targets, answers)],
        "worst": _worst(folder, context, examples, targets, answers, settings.worst),
        "folds": folds,
        "floors": floors,
    }
    write_json(folder / "summary.json", summary)
    context.give("evaluation", folder)


def _answers(context: Context) -> tuple[dict[str, np.ndarray], Reading]:
    """Ask the model about the test part; return answers and true classes, and what the answers cost."""
    test = read_part(context.inputs["dataset"].path, "test")
    predictor: Predictor = open_predictor(context.inputs["model"].path)
    before = context.meter.read()
    answers = predictor.predict(test)
    drawn = context.meter.read().minus(before)
    return {"answers": answers, "targets": np.asarray(test.columns["target"])}, drawn


def _energy_per_answer(context: Context, drawn: Reading | None, answers: int, about: dict[str, str]) -> Evidence:
    if drawn is None:
        return not_applicable(
            "energy_per_answer", "the answers were there already; --from-scratch asks for them again", **about
        )
    return context.meter.energy("energy_per_answer", drawn, answers, about, f"{answers} answers in batches of {BATCH}")


def _named(item: Evidence, classes: list[str], about: dict[str, str]) -> Evidence:
    """Bind a claim to its artifacts, and call a class by its name: recall[3] -> recall[cat]."""
    base, bracket, index = item.name.partition("[")
    name = f"{base}[{classes[int(index[:-1])]}]" if bracket else base
    return replace(item, name=name, about=about)


def _confusion(targets: np.ndarray, answers: np.ndarray, classes: int) -> list[list[int]]:
    """Count: row = true class, column = answer."""
    cells = np.bincount(targets * classes + answers.argmax(axis=1), minlength=classes * classes)
    table: list[list[int]] = cells.reshape(classes, classes).tolist()
    return table


def _worst(
    folder: Path, context: Context, examples: Examples, targets: np.ndarray, answers: np.ndarray, count: int
) -> list[dict[str, Any]]:
    """Store the examples with the largest loss, as a page may show them."""
    task = build_task(context.recipe.sections["task"])
    right = answers[np.arange(len(targets)), targets]
    worst = []
    for rank, index in enumerate(np.argsort(right, kind="stable")[:count]):
        shown = task.render(examples, int(index))
        if "image" in shown:
            (folder / f"worst-{rank:02d}.png").write_bytes(shown["image"])
            shown = {"image": f"worst-{rank:02d}.png"}
        classes = examples.learnt["classes"]
        answer = int(answers[index].argmax())
        worst.append(
            {
                **shown,
                "row": int(index),
                "target": classes[targets[index]],
                "answer": classes[answer],
                "probability_of_target": float(right[index]),
                "probability_of_answer": float(answers[index, answer]),
            }
        )
    return worst
