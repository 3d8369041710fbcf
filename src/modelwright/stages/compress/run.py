"""Compress: take the model through the steps of the recipe, measure it after each, and give what is left as the model."""

from __future__ import annotations

import shutil
from typing import Any

import numpy as np

from ...core import registry
from ...core.errors import GateFailed, RecipeError
from ...core.files import write_json
from ...core.randomness import derive_seed
from ...core.stage import Context
from ...engine.dataset import read_part
from ...engine.golden import write_golden
from ...engine.groups import MOST_CODES, read_groups
from ...engine.predictor import build_task, open_predictor
from ...engine.quality import Judge
from ...engine.resident import hold
from ...tasks.task import Examples, Grouping
from .bench import Bench
from .claims import claims_of_model, claims_of_step
from .generators import export_generator
from .settings import Compress
from .table import Measured, Ruler

TABLE, TRAINING = "compression.json", "training.json"


def run(context: Context) -> None:
    """Give the compressed model, and the table of what each step did to it.

    Raises:
        RecipeError: a step cannot be done to this model.
        DamagedArtifact: a compressed file does not answer as its reference does.
        GateFailed: a quantised model decides otherwise too often.
        Interrupted: asked to stop; nothing was stored.
    """
    settings: Compress = context.settings
    dataset = context.inputs["dataset"]
    training, validation = (hold(read_part(dataset.path, part)) for part in ("train", "validation"))
    shutil.rmtree(context.work, ignore_errors=True)
    context.work.mkdir(parents=True)
    folder = context.inputs["model"].path
    rows: list[dict[str, Any]] = []
    if settings.steps and "pixels" in validation.learnt:
        folder, rows = export_generator(context, training, validation, folder)
    elif settings.steps:
        ruler = _ruler(context, validation)
        models = [ruler.open(folder)]
        rows.append({"name": "0:before", **models[0].alone})
        for number, step in enumerate(settings.steps, 1):
            after, row = _take_step(context, number, step, ruler, (training, validation), models[-1], models[0])
            rows.append(row)
            models.append(after)
        folder = models[-1].folder
        context.check_interrupt(len(models) - 1, len(models) - 1, "timing the models in turn")
        for row, latency in zip(rows, ruler.latencies(models), strict=True):
            row["latency"] = latency
            context.claim(*claims_of_step(row, dataset.digest))
        context.claim(*claims_of_model(rows[-1], dataset.digest))
    table = context.work / "table"
    table.mkdir()
    write_json(table / TABLE, {"steps": rows})
    context.give("compression", table)
    # A copy, as giving moves what is given, and the model of the stage before stays where it is.
    given = context.work / "model"
    shutil.copytree(folder, given)
    context.give("model", given)


def _ruler(context: Context, validation: Examples) -> Ruler:
    settings: Compress = context.settings
    judge = Judge(
        build_task(context.recipe.sections["task"]),
        np.asarray(validation.columns["target"]),
        settings.resamples,
        settings.confidence,
        derive_seed(context.recipe.seed, "bootstrap"),
    )
    good = _good_classes(settings.positive, validation.learnt["classes"])
    return Ruler(judge, validation, _groups(context), good, settings.rounds, context.meter)


def _groups(context: Context) -> dict[str, Grouping]:
    """Return the groups that are compared: those asked for, or all that were declared and have names."""
    found = read_groups(context.inputs["groups"].path, "validation")
    asked = context.settings.groups
    for column in asked:
        if not found[column].names:
            raise RecipeError(
                f"the column '{column}' holds more than {MOST_CODES} distinct numbers",
                where="compress.groups",
                expected="a column whose values are groups",
                next_step="add a column with ranges to the data",
            )
    return {column: found[column] for column in asked or found if found[column].names}


def _good_classes(stated: tuple[str, ...], classes: list[str]) -> tuple[int, ...]:
    if not stated:
        return (1,) if len(classes) == 2 else ()
    unknown = [name for name in stated if name not in classes]
    if unknown or len(set(stated)) == len(classes):
        raise RecipeError(
            f"'{unknown[0]}' is not a class" if unknown else "all classes count as good",
            where="compress.positive",
            expected=f"some, but not all, of {', '.join(classes[:20])}",
        )
    return tuple(sorted(classes.index(name) for name in stated))


def _take_step(
    context: Context,
    number: int,
    step: Any,
    ruler: Ruler,
    parts: tuple[Examples, Examples],
    before: Measured,
    first: Measured,
) -> tuple[Measured, dict[str, Any]]:
    """Make the folder of the next model, measure it, and refuse it if it is quantised and decides otherwise."""
    name = f"{number}:{step.kind}"
    total = len(context.settings.steps)
    context.check_interrupt(number - 1, total, f"compressing: {name}")

    def tell(done: int, of: int, message: str) -> None:
        context.check_interrupt(done, of, f"{name}: {message}" if done in (0, of) else "")

    bench = Bench(
        build_task(context.recipe.sections["task"]),
        *parts,
        seed=derive_seed(context.recipe.seed, "compress", number),
        tell=tell,
        place=f"compress.steps[{number - 1}]",
    )
    folder = context.work / f"step-{number}"
    folder.mkdir()
    facts: dict[str, Any] = registry.function_of("compression", step.kind)(step, bench, before.folder, folder)
    # How the model was trained stays with it.
    shutil.copy(before.folder / TRAINING, folder / TRAINING)
    write_golden(folder, open_predictor(folder), bench.validation)
    after = ruler.open(folder)
    row = {"name": name, "settings": step.model_dump(mode="json"), "facts": facts, **ruler.row(after, before, first)}
    _require_agreement(context.settings.least_agreement, step, row, bench)
    context.note("compressed", step=name, model=after.digest, bytes=after.size, before=before.size, **_brief(row))
    return after, row


def _brief(row: dict[str, Any]) -> dict[str, Any]:
    return {"accuracy": row["metrics"]["accuracy"]["value"], "agreement": row["to_before"]["agreement"]}


def _require_agreement(least: float, step: Any, row: dict[str, Any], bench: Bench) -> None:
    found = row["to_before"]["agreement"]
    if step.kind == "quantise" and found < least:
        raise GateFailed(
            f"the quantised model decides as the model before on {found:.2%} of {len(bench.validation)} validation examples",
            where=bench.place,
            expected=f"at least {least:.2%}; the model was refused",
            next_step="choose another step.how, raise step.calibration, or lower compress.least_agreement",
        )
