"""Train: by steps or at once, as the model asks; store the model with golden examples and say what was measured."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import Any

import numpy as np

from ...core import registry
from ...core.evidence import Evidence
from ...core.stage import Context
from ...engine.dataset import read_part
from ...engine.golden import write_golden
from ...engine.memory import keep_freed_memory
from ...engine.predictor import WEIGHTS, build_task
from ...models.at_once import AtOnce
from ...tasks.task import Examples, Task
from .trained import Trained


def run(context: Context) -> None:
    """Train the model of a recipe on the training part; the validation part decides what is kept.

    Raises:
        Interrupted: asked to stop; a checkpoint was saved first.
        DataError: the loss stopped being a number, three steps in a row.
    """
    dataset = context.inputs["dataset"].path
    training, validation = (_resident(read_part(dataset, part)) for part in ("train", "validation"))
    task = build_task(context.recipe.sections["task"])
    trained = _fit(context, task, training, validation)
    folder = context.work / "model"
    # A killed process may have left a part of it.
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    trained.save(folder)
    (folder / "training.json").write_text(json.dumps(trained.record))
    write_golden(folder, trained.predictor, validation)
    size = (folder / WEIGHTS).stat().st_size
    about = {"model": context.give("model", folder).digest, "dataset": context.inputs["dataset"].digest}
    context.claim(*_claims(trained, size, len(validation), about))


def _fit(context: Context, task: Task, training: Examples, validation: Examples) -> Trained:
    section: Any = context.recipe.sections["model"]
    build = registry.function_of("model", section.kind)
    if getattr(type(section), "at_once", False):
        from .at_once import fit_at_once

        model: AtOnce = build(section, training.learnt)
        return fit_at_once(context, task, model, training, validation)
    import torch

    from .by_steps import fit_by_steps
    from .parts import build_network, choose_threads, read_pretrained

    keep_freed_memory(context.settings.memory)
    torch.set_num_threads(choose_threads(context.settings, context))
    pretrained = read_pretrained(context)
    if pretrained:
        training = replace(training, learnt={**training.learnt, **pretrained.facts})
    network = build_network(context, build, training.learnt, pretrained)
    return fit_by_steps(context, task, network, training, validation)


def _resident(examples: Examples) -> Examples:
    """Hold the columns in memory: small data is read once, not page by page in random order."""
    return Examples({name: np.array(column) for name, column in examples.columns.items()}, examples.learnt)


def _claims(trained: Trained, size: int, judged: int, about: dict[str, str]) -> list[Evidence]:
    claims = [
        Evidence(
            "validation_accuracy",
            trained.kept["accuracy"],
            n=judged,
            about=about,
            method="share of right answers on the validation part",
        ),
        Evidence(
            "validation_loss",
            trained.kept["loss"],
            unit="nats",
            n=judged,
            about=about,
            method="mean loss on the validation part",
        ),
        Evidence("parameters", trained.predictor.parameters, unit="parameters", about=about, method="counted"),
        Evidence("size", size, unit="bytes", about=about, method="bytes of the weights file"),
        Evidence("steps", trained.steps, unit="steps", about=about, method="counted"),
        Evidence("skipped_steps", trained.skipped, unit="steps", about=about, method="steps whose loss was not finite"),
        Evidence(
            "training_seconds",
            round(trained.seconds, 3),
            unit="seconds",
            about=about,
            method="wall clock of the last sitting",
        ),
    ]
    if trained.examples_seen and trained.seconds:
        rate = round(trained.examples_seen / trained.seconds, 1)
        claims.append(
            Evidence(
                "examples_per_second",
                rate,
                unit="examples/s",
                about=about,
                method="last sitting, validation and saving included",
            )
        )
    return claims
