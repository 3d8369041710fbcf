"""The JSON Schema of recipes, made from the settings classes, so that an editor completes and checks what we accept."""

from __future__ import annotations

import json
from typing import Any

from . import registry
from .builtin import BUILTIN
from .recipe import NAME, VERSION, known_sections
from .settings import CHOICE_MARK, Choice, Settings

# Kinds of parts that are chosen by name inside a section.
PART_KINDS = {"optimiser", "schedule", "objective", "sampler", "mixing", "initialisation"}
LINE = "# yaml-language-server: $schema=./recipe.schema.json\n"


def recipe_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a recipe with all registered parts."""
    definitions: dict[str, Any] = {}
    sections: dict[str, Any] = {}
    for name, section in known_sections().items():
        sections[name] = (
            {CHOICE_MARK: section.kind} if isinstance(section, Choice) else _schema_of(section, definitions)
        )
    for kind in sorted({what for how, what in BUILTIN["section"].values() if how == "choice"} | PART_KINDS):
        definitions[f"choice-{kind}"] = _choice(kind, definitions)
    header = {
        "version": {"const": VERSION},
        "name": {"type": "string", "pattern": f"^{NAME.pattern}$"},
        "seed": {"type": "integer", "minimum": 0},
        "extends": {"type": "string", "description": "another recipe, whose keys hold where this one has none"},
    }
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "modelwright recipe",
        "type": "object",
        "properties": {**header, **sections},
        "patternProperties": {"^x-": {}},
        "additionalProperties": False,
        "$defs": definitions,
    }
    resolved: dict[str, Any] = _resolve(schema)
    return resolved


def schema_text() -> str:
    """Return the schema as it is written to files."""
    return json.dumps(recipe_schema(), indent=1, ensure_ascii=False) + "\n"


def _choice(kind: str, definitions: dict[str, Any]) -> dict[str, Any]:
    names = registry.names(kind)
    parts = [_schema_of(registry.settings_of(kind, name), definitions) for name in names]
    return {
        "anyOf": [
            {"enum": names},
            *({**part, "required": sorted({"kind", *part.get("required", [])})} for part in parts),
        ]
    }


def _schema_of(settings: type[Settings], definitions: dict[str, Any]) -> dict[str, Any]:
    schema = settings.model_json_schema(ref_template="#/$defs/{model}")
    definitions.update(schema.pop("$defs", {}))
    return schema


def _resolve(schema: Any) -> Any:
    """Put a reference to all registered parts of a kind in the place of every mark."""
    if isinstance(schema, list):
        return [_resolve(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    rest = {key: _resolve(value) for key, value in schema.items() if key != CHOICE_MARK}
    return {**rest, "$ref": f"#/$defs/choice-{schema[CHOICE_MARK]}"} if CHOICE_MARK in schema else rest
