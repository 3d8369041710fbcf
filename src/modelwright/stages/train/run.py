"""Train: put the parts of the loop together, train or resume, store the model."""

from __future__ import annotations

import json
import os
import time
from typing import Any

import numpy as np

from ...core import registry
from ...core.errors import DataError
from ...core.evidence import Evidence
from ...core.randomness import derive_seed
from ...core.stage import Context
from ...engine.checkpoint import load_newest
from ...engine.dataset import read_part
from ...engine.golden import write_golden
from ...engine.loop import GradientRule, train
from ...engine.observers import Keeper, LossHistory, Validation
from ...engine.predictor import build_task, save_model, torch_predictor
from ...engine.rules import NonFiniteGuard, clip_norm, l1
from ...engine.samplers import Shuffled
from ...engine.turn import Turn
from ...layouts.local import Local
from ...tasks.task import Examples, Task
from .settings import Train


def run(context: Context) -> None:
    """Train the model of a recipe on the training part; the validation part decides what is kept.

    Raises:
        Interrupted: asked to stop; a checkpoint was saved first.
        DataError: the loss stopped being a number, three steps in a row.
    """
    import torch

    settings: Train = context.settings
    torch.set_num_threads(_threads(settings, context))
    dataset = context.inputs["dataset"].path
    training, validation = _resident(read_part(dataset, "train")), _resident(read_part(dataset, "validation"))
    task = build_task(context.recipe.sections["task"])
    layout = Local(precision=settings.precision, micro_batch=settings.micro_batch)
    model = layout.place(_model(context, training))
    sampler = Shuffled(len(training), settings.batch, derive_seed(context.recipe.seed, "sampler"))
    total = settings.length.steps(sampler.steps_per_epoch)
    turn = _turn(settings, task, model, total, sampler.steps_per_epoch)
    guard = NonFiniteGuard()
    history = LossHistory(sampler.steps_per_epoch)
    watch = Validation(
        torch_predictor(model, task, training.learnt), validation, settings.early_stopping,
        every=settings.validate_every.steps(sampler.steps_per_epoch), total=total, keep_best=settings.keep == "best",
    )
    keeper = Keeper(
        context, context.work / "checkpoints", [turn], {"history": history, "validation": watch},
        every=settings.save.every.steps(sampler.steps_per_epoch), total=total, keep=settings.save.keep,
    )
    start = _resume(context, keeper)
    began = time.monotonic()
    if not watch.exhausted:
        train(
            turns=[turn],
            batches=sampler.batches(start, total),
            load=lambda indices: task.collate(training, indices),
            layout=layout,
            objective=lambda losses, batch: losses,
            rules=_rules(settings, guard),
            observers=[history, watch, keeper],
            seed_of_step=lambda step: derive_seed(context.recipe.seed, "step", step),
        )
    seconds = time.monotonic() - began
    if guard.in_a_row >= guard.patience:
        raise DataError(
            f"the loss was not a finite number in {guard.in_a_row} steps in a row", where=f"train, step {keeper.step}",
            expected="finite losses", next_step="lower train.optimiser.lr, set train.clip_norm, or look for bad values in the data",
        )
    watch.finish(model)
    _store(context, model, training, history, watch, guard, seconds, keeper.step - start)


def _threads(settings: Train, context: Context) -> int:
    if settings.threads != "auto":
        return int(settings.threads)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    chosen: int = context.choose("train.threads", lambda: (cores, "the cores this process may use"))
    return chosen


def _resident(examples: Examples) -> Examples:
    """Hold the columns in memory: small data is read once, not page by page in random order."""
    return Examples({name: np.array(column) for name, column in examples.columns.items()}, examples.learnt)


def _model(context: Context, training: Examples) -> Any:
    import torch

    section: Any = context.recipe.sections["model"]
    torch.manual_seed(derive_seed(context.recipe.seed, "initialise"))
    return registry.function_of("model", section.kind)(section, training.learnt)


def _turn(settings: Train, task: Task, model: Any, total: int, steps_per_epoch: int) -> Turn:
    optimiser = registry.function_of("optimiser", settings.optimiser.kind)(settings.optimiser, model.named_parameters())
    factor = registry.function_of("schedule", settings.schedule.kind)(settings.schedule, total, steps_per_epoch)
    return Turn("model", model, lambda batch: task.losses(model, batch), task.sizes, optimiser, factor)


def _rules(settings: Train, guard: NonFiniteGuard) -> list[GradientRule]:
    rules: list[GradientRule] = [guard]
    if settings.l1:
        rules.append(l1(settings.l1))
    if settings.clip_norm:
        rules.append(clip_norm(settings.clip_norm))
    return rules


def _resume(context: Context, keeper: Keeper) -> int:
    """Put back the newest whole checkpoint of an interrupted training; return the step to go on with."""
    checkpoint, complaints = load_newest(keeper.folder) if keeper.folder.exists() else (None, [])
    for complaint in complaints:
        context.note("checkpoint damaged", reason=complaint)
        context.progress(message=f"damaged, going back to the one before: {complaint}")
    if checkpoint is None:
        return 0
    keeper.restore(checkpoint)
    context.note("training resumed", step=checkpoint.step)
    context.progress(checkpoint.step, keeper.total, f"resumed after step {checkpoint.step}")
    return checkpoint.step


def _store(
    context: Context, model: Any, training: Examples, history: LossHistory, watch: Validation, guard: NonFiniteGuard, seconds: float, steps: int
) -> None:
    folder = context.work / "model"
    folder.mkdir(exist_ok=True)
    save_model(folder, model, context.recipe.sections["task"], context.recipe.sections["model"], training.learnt)
    # Nothing in the artifact depends on the clock, so that equal trainings have equal digests.
    record = {"loss": history.points, "validation": watch.history, "kept_step": watch.kept_step, "skipped_steps": guard.skipped}
    (folder / "training.json").write_text(json.dumps(record))
    write_golden(folder, watch.predictor, watch.examples)
    size = (folder / "model.safetensors").stat().st_size
    about = {"model": context.give("model", folder).digest, "dataset": context.inputs["dataset"].digest}
    kept = watch.kept
    context.claim(
        Evidence("validation_accuracy", kept["accuracy"], n=len(watch.examples), about=about, method="share of correct answers on the validation part"),
        Evidence("validation_loss", kept["loss"], unit="nats", n=len(watch.examples), about=about, method="mean loss on the validation part"),
        Evidence("parameters", watch.predictor.parameters, unit="parameters", about=about, method="counted"),
        Evidence("size", size, unit="bytes", about=about, method="bytes of the weights file"),
        Evidence("steps", watch.last_step, unit="steps", about=about, method="counted"),
        Evidence("skipped_steps", guard.skipped, unit="steps", about=about, method="steps whose loss was not finite"),
        Evidence("training_seconds", round(seconds, 3), unit="seconds", about=about, method="wall clock of the last sitting"),
    )
    if steps and seconds:
        rate = steps * context.settings.batch / seconds
        context.claim(Evidence("examples_per_second", round(rate, 1), about=about, method="last sitting, validation and saving included"))


