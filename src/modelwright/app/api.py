"""The Python API: the same verbs as on the command line, as functions that return what was made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..core import registry
from ..core.errors import GateFailed
from ..core.execute import go_on
from ..core.execute import run as execute
from ..core.recipe import Recipe, load_recipe
from ..core.run import Run
from ..core.stage import OnProgress

Where = str | Path


def run(
    recipe: Where | Recipe,
    *overrides: str,
    until: str | None = None,
    runs: Where = "runs",
    on_progress: OnProgress = go_on,
    from_scratch: bool = False,
) -> Run:
    """Run all that a recipe asks for, or up to one stage; then write the report and publish the release, if one was made."""
    loaded = recipe if isinstance(recipe, Recipe) else load_recipe(Path(recipe), overrides)
    return _run_in(Path(runs) / loaded.name, loaded, until, on_progress, from_scratch)


def _run_in(folder: Path, recipe: Recipe, until: str | None, on_progress: OnProgress, from_scratch: bool) -> Run:
    from .publish import publish

    try:
        made = execute(recipe, until, on_progress, folder=folder, from_scratch=from_scratch)
    except GateFailed:
        # What an earlier recipe released must not lie there as if this one had; and the report says which gate failed.
        publish(Run(folder))
        raise
    publish(made)
    return made


def prepare(recipe: Where, *overrides: str, **options: Any) -> Run:
    """Run a recipe up to the stage `prepare`."""
    return run(recipe, *overrides, until="prepare", **options)


def train(recipe: Where, *overrides: str, **options: Any) -> Run:
    """Run a recipe up to the stage `train`."""
    return run(recipe, *overrides, until="train", **options)


def evaluate(recipe: Where, *overrides: str, **options: Any) -> Run:
    """Run a recipe up to the stage `evaluate`."""
    return run(recipe, *overrides, until="evaluate", **options)


def release(recipe: Where, *overrides: str, **options: Any) -> Run:
    """Run a recipe up to the stage `release`."""
    return run(recipe, *overrides, until="release", **options)


def resume(folder: Where, on_progress: OnProgress = go_on) -> Run:
    """Go on with the run in a folder, as its own resolved recipe says."""
    # The folder is what counts: somebody may have moved or renamed it.
    opened = Run(Path(folder).resolve())
    return _run_in(opened.folder, opened.recipe(), None, on_progress, False)


def check(recipe: Where, *overrides: str) -> Recipe:
    """Read and validate a recipe; torch is not loaded."""
    return load_recipe(Path(recipe), overrides)


def report(folder: Where) -> Path:
    """Write the report page of a run; return where it lies."""
    from .report.page import write_report

    return write_report(Run(Path(folder)))


def verify(folder: Where, public_key: Where | None = None, witness: Where | None = None) -> dict[str, Any]:
    """Check a release from nothing but itself."""
    checked: dict[str, Any] = registry.function_of("action", "verify")(
        Path(folder), Path(public_key) if public_key else None, Path(witness) if witness else None
    )
    return checked


def predict(folder: Where, *inputs: str) -> list[dict[str, Any]]:
    """Answer inputs from a release alone: label, probability and the runners-up of each."""
    answers: list[dict[str, Any]] = registry.function_of("action", "predict")(Path(folder), list(inputs))
    return answers
