"""A recipe of a test, run by the core without a command line, and what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modelwright.core.execute import go_on, run
from modelwright.core.recipe import recipe_from
from modelwright.core.run import Run
from modelwright.core.stage import OnProgress


def run_edited(
    data: dict[str, Any],
    base: Path,
    folder: Path,
    until: str | None = None,
    on_progress: OnProgress = go_on,
    /,
    **edits: Any,
) -> Run:
    """Run a recipe whose paths begin at `base`, with dotted keys ('train__batch') changed."""
    recipe = recipe_from(data, base)
    changes = {key.replace("__", "."): value for key, value in edits.items()}
    return run(recipe.edited(changes) if changes else recipe, until, on_progress, folder=folder)


def digest(made: Run, kind: str) -> str:
    artifact = made.artifact(kind)
    assert artifact is not None
    return artifact.digest


def path_of(made: Run, kind: str) -> Path:
    artifact = made.artifact(kind)
    assert artifact is not None
    return artifact.path
