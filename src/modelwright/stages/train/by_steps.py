"""Training by steps: the loop, resumable at every step."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from ...core.crew import Crew
from ...core.digest import digest_of
from ...core.errors import DataError, Interrupted, RecipeError
from ...core.randomness import derive_seed
from ...core.stage import Context
from ...engine.dead_units import count_dead_units
from ...engine.loop import Verdict, train
from ...engine.observers import Keeper, Validation
from ...engine.pictures import FILM
from ...engine.predictor import save_model
from ...engine.state import digest_of_state, take_state
from ...tasks.task import Examples, Task
from .adapter import FOLDER as ADAPTER
from .adapter import keep_adapter
from .assembly import Assembly, assemble
from .rewinding import Rewinds, cannot_go_on
from .settings import Train
from .thrift import make_plain
from .trained import Trained

# The first step takes longer than any other: memory is fetched, and a network may be compiled.
WARMING_UP, COMPILING = 1.4, 15.0


def fit_by_steps(
    context: Context, task: Task, network: torch.nn.Module, training: Examples, validation: Examples
) -> Trained | None:
    """Train a network, from the newest whole checkpoint if there is one; return what the first process has of it.

    Raises:
        Interrupted: asked to stop; a checkpoint was saved first.
        DataError: steps that could not be taken, more of them than the recipe accepts.
    """
    settings: Train = context.settings
    made = assemble(context, task, network, training, validation)
    rewinds = Rewinds(context.work / "rewinds.json", settings.guard.rewinds)
    start = _resume(context, made.keeper)
    if made.private:
        made.private.accountant.agree(start)
    if start == 0 and settings.guard.then == "rewind":
        # Something to go back to.
        made.keeper.save()
    began, cpu_began = time.monotonic(), time.process_time()
    with context.crew.watched(COMPILING if settings.compile else WARMING_UP):
        _train_on(context, made, rewinds, start)
    seconds = time.monotonic() - began
    kept = made.watch.finish(made.turns[0].model)
    final_state = _digest_of_all(context.crew, made)
    spent = context.crew.collect(time.process_time() - cpu_began)
    if context.crew.rank:
        return None
    context.meter.others = sum(spent[1:])
    _refuse_broken_weights(made.watch, settings)
    record = _record(made, rewinds, final_state)
    if made.private:
        made.private.leave(kept, made.turns[0].model)
        record["privacy"] = made.private.record(kept, made.order)
    record["dead_units"] = count_dead_units(kept, task, validation)
    adapter = keep_adapter(context, kept, made.turns[0].model)
    predictor = make_plain(made.predictor, kept)
    sections = context.recipe.sections

    def save(place: Path) -> None:
        _save(place, adapter, kept, sections, training.learnt)
        if made.film:
            made.film.write(place / FILM)

    return Trained(
        predictor,
        save=save,
        kept=made.watch.kept,
        record=record,
        steps=made.watch.last_step,
        skipped=made.guard.skipped + len(rewinds.passed_over),
        seconds=seconds,
        examples_seen=(made.keeper.step - start) * settings.batch,
        rewinds=rewinds.count,
        waited=made.loader.waited,
        saving=made.keeper.saving_seconds,
    )


def _save(
    place: Path, adapter: Path | None, network: torch.nn.Module, sections: dict[str, Any], learnt: dict[str, Any]
) -> None:
    """Store the model, and beside it what was added to outside weights."""
    save_model(place, network, sections["task"], sections["model"], learnt)
    if adapter is not None:
        shutil.copytree(adapter, place / ADAPTER)


def _train_on(context: Context, made: Assembly, rewinds: Rewinds, start: int) -> None:
    """Run the loop to its end, going back where the guard says so."""
    verdict = made.guard.standing
    made.watch.catch_up(made.turns[0].model)
    while verdict >= Verdict.REWIND or not (made.watch.exhausted or start >= made.total):
        if verdict is Verdict.STOP:
            raise cannot_go_on(made.guard, made.keeper.step, rewinds.count)
        if verdict is Verdict.REWIND:
            start = rewinds.go_back(context, made.keeper, made.guard)
            made.watch.catch_up(made.turns[0].model)
        with _single_examples_explained(), _saved_before_validation(made):
            verdict = train(
                turns=made.turns,
                batches=made.loader.batches(rewinds.without_passed_over(made.sampler.batches(start, made.total))),
                layout=made.layout,
                objective=made.objective,
                rules=made.rules,
                observers=made.observers,
                seed_of_step=lambda step: _seed_of_step(context.recipe.seed, step, made.layout.stream),
            )
        if verdict < Verdict.REWIND:
            break


def _digest_of_all(crew: Crew, made: Assembly) -> str:
    """Return the digest of all that a checkpoint would hold now, in whichever process it is."""
    now = made.keeper.now()
    # Weights and optimiser are in all processes; what was measured and remembered, in the first.
    own = take_state(now.step, made.keeper.turns, {}) if crew.rank else now
    return digest_of_state(own) if crew.size == 1 else digest_of(crew.collect(digest_of_state(own)))


def _seed_of_step(seed: int, step: int, stream: int) -> int:
    """Return what the random numbers of a step come from; processes that compute different things draw different ones."""
    return derive_seed(seed, "step", step, stream) if stream else derive_seed(seed, "step", step)


def _record(made: Assembly, rewinds: Rewinds, final_state: str) -> dict[str, Any]:
    """Return what is stored with the model. Nothing here depends on the clock: equal trainings have equal digests."""
    return {
        "loss": made.history.points,
        "validation": made.watch.history,
        "kept_step": made.watch.kept_step,
        "skipped_steps": made.guard.skipped + len(rewinds.passed_over),
        "passed_over": rewinds.passed_over,
        "rate_test": made.rate_test,
        "data_order": made.order.digest,
        "trace": made.trace.points,
        **({"players": made.game.points} if made.game else {}),
        **({"film": made.film.steps} if made.film else {}),
        # Weights, optimiser, history: all that a checkpoint would hold now. Equal digests, equal trainings.
        "final_state": final_state,
    }


@contextmanager
def _saved_before_validation(made: Assembly) -> Iterator[None]:
    """Save the step that was to be validated when somebody asked to stop; the validation is made up for after the resume."""
    try:
        yield
    except Interrupted:
        if made.watch.due:
            made.keeper.save_at(made.watch.last_step)
        raise


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
    checkpoint, complaints = keeper.newest()
    for complaint in complaints:
        context.note("checkpoint damaged", reason=complaint)
        context.progress(message=f"damaged, going back to the one before: {complaint}")
    if checkpoint is None:
        return 0
    keeper.restore(checkpoint)
    context.note("training resumed", step=checkpoint.step)
    context.progress(checkpoint.step, keeper.total, f"resumed after step {checkpoint.step}")
    return checkpoint.step
