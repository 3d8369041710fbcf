"""Every recipe that comes with the product runs: 64 rows, two steps, from raw data to the last stage it asks for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from modelwright.app.cli import main
from modelwright.core.recipe import load_recipe

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.yaml"))
ALWAYS = "digits"
# What is measured of a model that does not classify.
JUDGED_BY = {"language": "loss", "style": "output_diversity"}


def missing_data(path: Path) -> list[Path]:
    """Return the files and folders of a recipe's data that are not here."""
    recipe = load_recipe(path)
    named: list[str] = []
    for key in ("path", "content", "style"):
        stated: Any = getattr(recipe.sections["data"], key, "")
        named += [stated] if isinstance(stated, str) else stated.values() if isinstance(stated, dict) else stated
    paths = [path for path in named if path]
    return [place for place in (recipe.base / name for name in paths) if not place.exists()]


def test_the_recipes_are_here() -> None:
    assert ALWAYS in [path.stem for path in RECIPES]


@pytest.mark.parametrize("path", RECIPES, ids=[path.stem for path in RECIPES])
def test_a_recipe_runs(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    absent = missing_data(path)
    if absent and path.stem != ALWAYS:
        pytest.skip(f"the data is not here: {absent[0]}")
    code = main(["run", str(path), "--smoke", "--json", "--runs", str(tmp_path)])
    told = json.loads(capsys.readouterr().out)
    if told.get("error") == "MissingExtra":
        pytest.skip(f"an extra is not installed: {told['problems'][0]['found']}")
    assert code == 0, told["problems"]
    recipe = load_recipe(path)
    asked = set(recipe.sections) - {"task", "data", "model"}
    assert asked <= set(told["stages"])
    claims = {item["name"]: item for item in told["evidence"]}
    assert claims["rows[train]"]["value"] < 64
    kind: str = recipe.sections["task"].kind  # type: ignore[attr-defined]
    assert claims[JUDGED_BY.get(kind, "accuracy")]["status"] == "measured"
    at_once = getattr(type(recipe.sections["model"]), "at_once", False)
    assert at_once or claims["steps"]["value"] == 2
    assert ("release" in told) == ("release" in asked)
