"""The JSON Schema of recipes, made from the settings classes, so that an editor completes and checks what we accept."""

from __future__ import annotations

import json
from typing import Any

from . import registry
from .builtin import BUILTIN
from .recipe import VERSION, known_sections
from .settings import Choice, Settings

LINE = "# yaml-language-server: $schema=./recipe.schema.json\n"


def recipe_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a recipe with all registered parts."""
    definitions: dict[str, Any] = {}
    sections: dict[str, Any] = {}
    for name, section in known_sections().items():
        sections[name] = Choice.reference(section.kind) if isinstance(section, Choice) else _schema_of(section, definitions)
    for kind in sorted({kind for _, kind in BUILTIN["section"].values()} | {"optimiser", "schedule"}):
        definitions[f"choice-{kind}"] = _choice(kind, definitions)
    header = {
        "version": {"const": VERSION},
        "name": {"type": "string", "pattern": "^[A-Za-z0-9_.-]+$"},
        "seed": {"type": "integer", "minimum": 0},
        "extends": {"type": "string", "description": "another recipe, whose keys hold where this one has none"},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "modelwright recipe",
        "type": "object",
        "properties": {**header, **sections},
        "patternProperties": {"^x-": {}},
        "additionalProperties": False,
        "$defs": definitions,
    }


def schema_text() -> str:
    """Return the schema as it is written to files."""
    return json.dumps(recipe_schema(), indent=1, ensure_ascii=False) + "\n"


def _choice(kind: str, definitions: dict[str, Any]) -> dict[str, Any]:
    names = registry.names(kind)
    parts = [_schema_of(registry.settings_of(kind, name), definitions) for name in names]
    return {"anyOf": [{"enum": names}, *({**part, "required": sorted({"kind", *part.get("required", [])})} for part in parts)]}


def _schema_of(settings: type[Settings], definitions: dict[str, Any]) -> dict[str, Any]:
    schema = settings.model_json_schema(ref_template="#/$defs/{model}")
    definitions.update(schema.pop("$defs", {}))
    return schema
