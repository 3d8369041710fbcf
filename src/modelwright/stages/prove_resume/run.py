"""Prove that training can be resumed: train the same recipe again, kill it, resume it, and compare every byte."""

from __future__ import annotations

import json
import random
import tempfile
from pathlib import Path
from typing import Any

from ...core.artifact import Artifact, manifest_of
from ...core.errors import DataError
from ...core.evidence import Evidence, not_applicable
from ...core.randomness import derive_seed
from ...core.run import Run
from ...core.stage import Context
from .again import Again, Ended
from .private import METHOD, private_difference, private_part
from .settings import ProveResume

SECTIONS = ("version", "name", "seed", "task", "data", "model", "prepare", "train")
# A machine that has become faster may finish before the last kill; then the training is done once more, and sooner killed.
ATTEMPTS, SOONER = 4, 0.5


def run(context: Context) -> None:
    """Claim whether a killed and resumed training ended in the bytes of this run's model.

    Raises:
        DataError: the data are no longer what this run's model was trained on.
        Interrupted: asked to stop; the proof begins anew next time.
    """
    model = context.inputs["model"]
    if getattr(type(context.recipe.sections["model"]), "at_once", False):
        reason = "the model is fitted at once, so there is nothing to resume"
        context.claim(*(not_applicable(name, reason, model=model.digest) for name in context.stage.claims))
        return
    settings: ProveResume = context.settings
    dice = random.Random(derive_seed(context.recipe.seed, "prove_resume", settings.seed))
    seconds, loading = _expected_seconds(context.folder, model.digest)
    landed, attempt, difference = 0, 0, ""
    while landed < settings.kills and attempt < ATTEMPTS and not difference:
        again = _again(context, landed, Path(tempfile.mkdtemp(dir=context.work)))
        moments = sorted(dice.uniform(0, seconds) for _ in range(settings.kills - landed))
        # What is repeated after a kill takes its time too, and is as good a place for the next one.
        gaps = [later - earlier for earlier, later in zip([0.0, *moments], moments, strict=False)]
        ended = again.disturb([gap + (loading * dice.random() if place else 0.0) for place, gap in enumerate(gaps)])
        landed, attempt, seconds = again.landed, attempt + 1, seconds * SOONER
        difference = _difference(context, again.folder, ended)
    _claim(context, model, landed, difference)


def _expected_seconds(folder: Path, model: str) -> tuple[float, float]:
    """Return how long the stage that gave the model took, and how much of that went before and after the steps."""
    record = next(record for record in Run(folder).current().values() if record.outputs.get("model") == model)
    steps = next((item.value or 0.0 for item in record.evidence if item.name == "training_seconds"), 0.0)
    return record.seconds, max(0.0, record.seconds - steps)


def _again(context: Context, landed: int, place: Path) -> Again:
    """Lay out a run of the same recipe, up to its training, with what `auto` became in this one."""
    resolved = {name: value for name, value in context.recipe.resolved().items() if name in SECTIONS}
    inner = Run(place / context.recipe.name)
    inner.folder.mkdir()
    inner.update(recipe=resolved, base=str(context.recipe.base), resolved=Run(context.folder).state()["resolved"])
    return Again(context, inner.folder, landed)


def _difference(context: Context, folder: Path, ended: Ended) -> str:
    """Say what differs between this run's model and that of the other run; nothing if they are the same bytes."""
    if ended.code:
        return f"after a kill it could not be resumed: exit code {ended.code}, {ended.said}"
    inner = Run(folder)
    dataset, model = inner.artifact("dataset"), inner.artifact("model")
    if dataset is None or model is None:
        return "the resumed training gave no model"
    if dataset.digest != context.inputs["dataset"].digest:
        raise DataError(
            "the data gave another dataset than before",
            where="prove_resume",
            expected=f"the dataset {context.inputs['dataset'].digest[:16]} that the model was trained on",
            next_step="leave the data alone meanwhile, and run the recipe again",
        )
    if private := private_part(context.inputs["model"].path):
        if model.digest == context.inputs["model"].digest:
            return "the weights are the same, so their noise came from a seed"
        stopping: Any = context.recipe.sections["train"]
        return private_difference(private, private_part(model.path), may_end_early=stopping.early_stopping.patience > 0)
    if model.digest == context.inputs["model"].digest:
        return ""
    one, other = manifest_of(context.inputs["model"].path), manifest_of(model.path)
    names = [name for name in sorted({*one, *other}) if one.get(name) != other.get(name)]
    return f"these differ: {', '.join(names)}" + _differing_entries(context.inputs["model"].path, model.path)


def _differing_entries(one: Path, other: Path) -> str:
    """Name the entries of the record of training that differ."""
    records: list[dict[str, Any]] = [json.loads((path / "training.json").read_text()) for path in (one, other)]
    names = [name for name in sorted({*records[0], *records[1]}) if records[0].get(name) != records[1].get(name)]
    return f" (in the record of training: {', '.join(names)})" if names else ""


def _claim(context: Context, model: Artifact, landed: int, difference: str) -> None:
    settings: ProveResume = context.settings
    about = {"model": model.digest, "dataset": context.inputs["dataset"].digest}
    workers = ", ".join(map(str, settings.workers))
    method = (
        "the recipe trained again, killed (SIGKILL) at random moments and resumed each time, "
        f"at {workers} loader workers in turn; "
    )
    private = bool(private_part(model.path))
    method += METHOD if private else "digests of all files of the model compared: weights, history, final state"
    # A training whose noise is no seed's has no bytes that could be equal; another claim, so that nobody mistakes the two.
    claimed, not_claimed = ("resume_accountant_equal", "resume_bit_equal")[:: 1 if private else -1]
    if not landed:
        difference = difference or "no kill met the training, it was always over before"
    context.claim(
        Evidence(
            claimed,
            0.0 if difference else 1.0,
            n=landed,
            about=about,
            method=method,
            status="failed" if difference else "measured",
            reason=difference,
        ),
        not_applicable(not_claimed, "the training is private" if private else "the training is not private", **about),
        Evidence("resume_kills", float(landed), unit="kills", about=about, method="kills that met the training"),
    )
    context.note("resume proved" if not difference else "resume disproved", kills=landed, difference=difference)
    equal = "equal in what is counted" if private else "equal in every byte"
    context.progress(message=f"different: {difference}" if difference else equal)
