"""The JSON Schema knows every part that a recipe may name, and the one beside the recipes is the one of this program."""

from __future__ import annotations

import json
import re
from pathlib import Path

from modelwright.core import registry
from modelwright.core.schema import recipe_schema, schema_text


def test_every_reference_leads_somewhere() -> None:
    text = schema_text()
    named = set(re.findall(r'"\$ref": "#/\$defs/([^"]+)"', text))
    assert named <= set(json.loads(text)["$defs"])
    assert "x-choice" not in text
    for kind in ("optimiser", "cleaning", "compression", "privacy", "model"):
        assert recipe_schema()["$defs"][f"choice-{kind}"]["anyOf"][0]["enum"] == registry.names(kind)


def test_the_schema_beside_the_recipes_is_the_one_of_this_program(repository: Path) -> None:
    """If not: python tests/docs/stamp.py renews it."""
    assert (repository / "recipes" / "recipe.schema.json").read_text(encoding="utf-8") == schema_text()
