"""Train: by steps or at once, as the model asks; store the model with golden examples and say what was measured."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import Any

from ...core import registry
from ...core.evidence import Evidence
from ...core.files import write_bytes
from ...core.randomness import derive_seed
from ...core.stage import Context
from ...engine.contact import CONTACT, contact_sheet
from ...engine.dataset import read_part
from ...engine.golden import write_golden
from ...engine.memory import keep_freed_memory
from ...engine.predictor import WEIGHTS, build_task
from ...engine.resident import free_bytes, hold
from ...engine.subset import take_subset
from ...models.at_once import AtOnce
from ...tasks.task import Examples, Task
from .diagnosis import diagnose, diagnosis_claims
from .preferring import compare_pairs
from .private import private_claims
from .trained import Trained


def run(context: Context) -> None:
    """Train the model of a recipe on the training part; the validation part decides what is kept.

    Raises:
        Interrupted: asked to stop; a checkpoint was saved first.
        DataError: steps that could not be taken, more of them than the recipe accepts.
    """
    dataset = context.inputs["dataset"].path
    # Every process of a crew holds what it reads.
    free = free_bytes() // context.crew.size
    training, validation = (hold(read_part(dataset, part), free) for part in ("train", "validation"))
    subset = context.settings.subset
    training = take_subset(training, subset.share, subset.seed)
    task = build_task(context.recipe.sections["task"])
    training, judged = resample(context, task, training), validation
    task, training, validation = compare_pairs(context, task, training, validation)
    trained = _fit(context, task, training, validation)
    if trained is None:
        return
    trained.record["diagnosis"] = diagnose(context, trained, training, validation)
    folder = context.work / "model"
    # A killed process may have left a part of it.
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    trained.save(folder)
    (folder / "training.json").write_text(json.dumps(trained.record))
    write_golden(folder, trained.predictor, judged)
    if sheet := contact_sheet(context.settings.augment, task, training, context.recipe.seed):
        write_bytes(folder / CONTACT, sheet)
    size = (folder / WEIGHTS).stat().st_size
    about = {"model": context.give("model", folder).digest, "dataset": context.inputs["dataset"].digest}
    context.claim(*_claims(trained, size, len(validation), about), *diagnosis_claims(trained.record, about))
    context.claim(*private_claims(trained.record, about), _energy_per_example(context, trained, about))
    if context.crew.size > 1:
        method = f"counted; layout {context.settings.layout.kind}"
        context.claim(Evidence("processes", context.crew.size, unit="processes", about=about, method=method))


def resample(context: Context, task: Task, training: Examples) -> Examples:
    """Change the training part as the recipe says, before training begins."""
    settings = context.settings.resample
    seed = derive_seed(context.recipe.seed, "resample")
    resampled: Examples = registry.function_of("resampling", settings.kind)(settings, training, task.modality, seed)
    return resampled


def _fit(context: Context, task: Task, training: Examples, validation: Examples) -> Trained | None:
    section: Any = context.recipe.sections["model"]
    build = registry.function_of("model", section.kind)
    if getattr(type(section), "at_once", False):
        from .at_once import fit_at_once

        if context.crew.rank:
            return None
        model: AtOnce = build(section, training.learnt)
        return fit_at_once(context, task, model, training, validation)

    from .by_steps import fit_by_steps
    from .parts import build_network, read_pretrained
    from .speed import set_threads
    from .thrift import adapt_network, tell_allocator

    keep_freed_memory(context.settings.memory)
    tell_allocator(context)
    set_threads(context)
    pretrained = read_pretrained(context)
    if pretrained:
        training = replace(training, learnt={**training.learnt, **pretrained.facts})
    network = build_network(context, build, training.learnt, pretrained)
    adapt_network(context.settings, section, network, context.recipe.seed, context.note)
    return fit_by_steps(context, task, network, training, validation)


def _energy_per_example(context: Context, trained: Trained, about: dict[str, str]) -> Evidence:
    """Return the joules that the stage has drawn so far, all sittings together, for each time that an example was seen."""
    seen = trained.steps * context.settings.batch if trained.steps else trained.examples_seen
    what = (
        f"all sittings of training with validation, over {seen} examples seen, one in several epochs counted each time"
    )
    return context.meter.energy("energy_per_example", context.meter.read(), seen, about, what)


def _claims(trained: Trained, size: int, judged: int, about: dict[str, str]) -> list[Evidence]:
    claims = [
        *_accuracy(trained, judged, about),
        Evidence(
            "validation_loss",
            trained.kept["loss"],
            unit="" if "players" in trained.record else "nats",
            n=judged,
            about=about,
            method="mean loss on the validation part",
        ),
        Evidence("parameters", trained.predictor.parameters, unit="parameters", about=about, method="counted"),
        Evidence("size", size, unit="bytes", about=about, method="bytes of the weights file"),
        Evidence("steps", trained.steps, unit="steps", about=about, method="counted"),
        Evidence(
            "skipped_steps", trained.skipped, unit="steps", about=about, method="steps that the guard did not take"
        ),
        Evidence("rewinds", trained.rewinds, about=about, method="times that training went back to a checkpoint"),
        Evidence(
            "training_seconds",
            round(trained.seconds, 3),
            unit="seconds",
            about=about,
            method="wall clock of the last sitting",
        ),
    ]
    if trained.examples_seen and trained.seconds:
        claims += [
            Evidence(
                name,
                round(seconds / trained.seconds, 5),
                about=about,
                method=f"share of the last sitting spent {doing}",
            )
            for name, seconds, doing in (
                ("data_wait", trained.waited, "waiting for batches"),
                ("saving_share", trained.saving, "writing checkpoints"),
            )
        ]
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


def _accuracy(trained: Trained, judged: int, about: dict[str, str]) -> list[Evidence]:
    """Return the accuracy, where there are classes to be right about."""
    if "accuracy" not in trained.kept:
        return []
    method = "share of right answers on the validation part"
    return [Evidence("validation_accuracy", trained.kept["accuracy"], n=judged, about=about, method=method)]
