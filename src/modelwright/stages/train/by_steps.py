"""Training by steps: the loop, resumable at every step."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from ...core.errors import DataError, RecipeError
from ...core.randomness import derive_seed
from ...core.stage import Context
from ...engine.checkpoint import load_newest
from ...engine.loop import train
from ...engine.observers import Keeper, LossHistory, Validation
from ...engine.predictor import save_model, torch_predictor
from ...engine.rules import NonFiniteGuard
from ...layouts.local import Local
from ...tasks.task import Examples, Task
from .parts import build_load, build_objective, build_rules, build_sampler, build_turn
from .settings import Train
from .trained import Trained


def fit_by_steps(
    context: Context, task: Task, network: torch.nn.Module, training: Examples, validation: Examples
) -> Trained:
    """Train a network, from the newest whole checkpoint if there is one.

    Raises:
        Interrupted: asked to stop; a checkpoint was saved first.
        DataError: the loss stopped being a number, three steps in a row.
    """
    settings: Train = context.settings
    layout = Local(precision=settings.precision, micro_batch=settings.micro_batch)
    network = layout.place(network)
    sampler = build_sampler(settings, training.columns["target"], derive_seed(context.recipe.seed, "sampler"))
    per_epoch = sampler.steps_per_epoch
    total = settings.length.steps(per_epoch)
    turn = build_turn(settings, task, network, total, per_epoch)
    guard, history = NonFiniteGuard(), LossHistory(per_epoch)
    every = settings.validate_every.steps(per_epoch)
    predictor = torch_predictor(network, task, training.learnt)
    watch = Validation(
        predictor, validation, settings.early_stopping, every=every, total=total, keep_best=settings.keep == "best"
    )
    memories = {"history": history, "validation": watch, "guard": guard}
    folder = context.work / "checkpoints"
    keeper = Keeper(
        context,
        folder,
        [turn],
        memories,
        every=settings.save.every.steps(per_epoch),
        total=total,
        keep=settings.save.keep,
    )
    start = _resume(context, keeper)
    began = time.monotonic()
    if not (watch.exhausted or guard.exhausted):
        with _single_examples_explained():
            train(
                turns=[turn],
                batches=sampler.batches(start, total),
                load=build_load(settings, task, training),
                layout=layout,
                objective=build_objective(settings, training),
                rules=build_rules(settings, guard),
                observers=[history, watch, keeper],
                seed_of_step=lambda step: derive_seed(context.recipe.seed, "step", step),
            )
    seconds = time.monotonic() - began
    _stop_if_not_finite(guard, keeper.step)
    watch.finish(network)
    _refuse_broken_weights(watch, settings)
    sections = context.recipe.sections
    return Trained(
        predictor,
        save=lambda place: save_model(place, network, sections["task"], sections["model"], training.learnt),
        kept=watch.kept,
        record=_record(history, watch, guard),
        steps=watch.last_step,
        skipped=guard.skipped,
        seconds=seconds,
        examples_seen=(keeper.step - start) * settings.batch,
    )


def _record(history: LossHistory, watch: Validation, guard: NonFiniteGuard) -> dict[str, Any]:
    """Return what is stored with the model. Nothing here depends on the clock: equal trainings have equal digests."""
    return {
        "loss": history.points,
        "validation": watch.history,
        "kept_step": watch.kept_step,
        "skipped_steps": guard.skipped,
    }


@contextmanager
def _single_examples_explained() -> Iterator[None]:
    """Say what to do when batch normalisation meets a batch of one example with one pixel left."""
    try:
        yield
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise RecipeError(
            "batch normalisation met a batch of one example, which has nothing to be normalised by",
            where="train.batch",
            expected="a batch (and micro-batch) that leaves no single example at the end of an epoch",
            next_step="change train.batch by one, or set model.normalisation: none",
        ) from None


def _stop_if_not_finite(guard: NonFiniteGuard, step: int) -> None:
    if guard.exhausted:
        raise DataError(
            f"the loss was not a finite number in {guard.in_a_row} steps in a row",
            where=f"train, step {step}",
            expected="finite losses",
            next_step="lower train.optimiser.lr, set train.clip_norm, or look for bad values in the data",
        )


def _refuse_broken_weights(watch: Validation, settings: Train) -> None:
    """A last step may break the weights without any later training loss to show it."""
    if not math.isfinite(watch.kept["loss"]):
        raise DataError(
            f"the weights that would be kept have a validation loss of {watch.kept['loss']}",
            where=f"train, step {watch.kept_step}",
            expected="a finite validation loss",
            next_step="lower train.optimiser.lr, or set train.clip_norm"
            + ("" if settings.keep == "best" else " or train.keep: best"),
        )


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
