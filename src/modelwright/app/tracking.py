"""A finished run told to whoever the recipe names under `track`."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from ..core import registry
from ..core.errors import MissingExtra
from ..core.files import read_json
from ..core.recipe import Recipe
from ..core.run import Run

SECTION = "track"


def require_trackers(recipe: Recipe) -> None:
    """Refuse a run whose trace could not be told as asked, before it begins.

    Raises:
        MissingExtra: a package is not installed.
    """
    for settings in _asked(recipe):
        missing = [package for package in getattr(type(settings), "needs", ()) if find_spec(package) is None]
        if missing:
            raise MissingExtra(
                f"the package {missing[0]} is not installed",
                where=f"track.to: {settings.kind}",
                expected="it, to write the trace",
                next_step="pip install 'modelwright[track]'",
            )


def track(run: Run) -> list[str]:
    """Tell everybody that the recipe names; return where it was written."""
    recipe, model = run.recipe(), run.artifact("model")
    asked = _asked(recipe)
    if model is None or not asked:
        return []
    record = model.path / "training.json"
    story = registry.load("modelwright.engine.trackers:Story")(
        folder=run.folder,
        base=recipe.base,
        recipe=recipe.resolved(),
        training=read_json(record) if record.exists() else {},
        evidence=tuple(run.evidence()),
        digests={"model": model.digest, "recipe": recipe.digest},
    )
    return [registry.function_of("tracker", settings.kind)(settings, story) for settings in asked]


def _asked(recipe: Recipe) -> tuple[Any, ...]:
    section: Any = recipe.sections.get(SECTION)
    return section.to if section is not None else ()
