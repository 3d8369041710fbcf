"""Export of a generator: nothing is decided by its pictures, so that it is measured by size, time and how alike they are."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ...core import registry
from ...core.artifact import artifact_digest, manifest_of
from ...core.randomness import derive_seed
from ...core.stage import Context
from ...engine.golden import write_golden
from ...engine.onnx_network import FILE
from ...engine.predictor import WEIGHTS, Predictor, build_task, open_predictor
from ...engine.timing import cost_of, time_in_turn
from ...tasks.task import Examples
from .bench import Bench
from .claims import claims_of_generator

TRAINING = "training.json"
# How many pictures are answered for the cost of one, and at once where answers are timed.
PICTURES, AT_ONCE = 8, 1


def export_generator(
    context: Context, training: Examples, validation: Examples, before: Path
) -> tuple[Path, list[dict[str, Any]]]:
    """Take the steps, of which there is one kind; return the folder of the last model, and the table.

    Raises:
        RecipeError: the network has a part that cannot be exported.
        DamagedArtifact: the file does not answer as the network does, at some size of picture.
    """
    folders: list[Path] = [before]
    facts: list[dict[str, Any]] = [{}]
    for number, step in enumerate(context.settings.steps, 1):
        context.check_interrupt(number - 1, len(context.settings.steps), f"compressing: {number}:{step.kind}")
        bench = Bench(
            build_task(context.recipe.sections["task"]),
            training,
            validation,
            seed=derive_seed(context.recipe.seed, "compress", number),
            tell=lambda done, of, message: context.check_interrupt(done, of),
            place=f"compress.steps[{number - 1}]",
        )
        folder = context.work / f"step-{number}"
        folder.mkdir()
        facts.append(registry.function_of("compression", step.kind)(step, bench, folders[-1], folder))
        shutil.copy(folders[-1] / TRAINING, folder / TRAINING)
        write_golden(folder, open_predictor(folder), validation)
        folders.append(folder)
    predictors = [open_predictor(folder) for folder in folders]
    rows = [_row(context, folder, predictor, validation) for folder, predictor in zip(folders, predictors, strict=True)]
    times = time_in_turn(predictors, validation, AT_ONCE, context.settings.rounds)
    for number, (row, latency, fact) in enumerate(zip(rows, times, facts, strict=True)):
        step = context.settings.steps[number - 1] if number else None
        row |= {"name": f"{number}:{step.kind if step else 'before'}", "facts": fact}
        row |= {"settings": step.model_dump(mode="json")} if step else {}
        ratios = {
            "ratio_to_before": times[max(0, number - 1)].p50 / latency.p50,
            "ratio_to_first": times[0].p50 / latency.p50,
        }
        row["latency"] = {str(AT_ONCE): {"p50": latency.p50, "p99": latency.p99, "n": latency.n, **ratios}}
    context.claim(*claims_of_generator(rows[-1], rows[0], context.inputs["dataset"].digest))
    context.note("compressed", step=rows[-1]["name"], bytes=rows[-1]["bytes"], parity=rows[-1]["facts"].get("parity"))
    return folders[-1], rows


def _row(context: Context, folder: Path, predictor: Predictor, validation: Examples) -> dict[str, Any]:
    some = validation.take(np.arange(min(PICTURES, len(validation))))
    weights = folder / (FILE if (folder / FILE).exists() else WEIGHTS)
    return {
        "model": artifact_digest("model", manifest_of(folder)),
        "bytes": weights.stat().st_size,
        "parameters": predictor.parameters,
        "cost": asdict(cost_of(predictor, some, context.meter)),
    }
