"""The JSON Schema of recipes, made from the settings classes, so that an editor completes and checks what we accept."""

from __future__ import annotations

import json
from typing import Any

from . import registry
from .recipe import NAME, VERSION, known_sections
from .settings import CHOICE_MARK, Choice, Settings

CHOICE = "choice-"
LINE = "# yaml-language-server: $schema=./recipe.schema.json\n"


def recipe_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a recipe with all registered parts."""
    definitions: dict[str, Any] = {}
    sections: dict[str, Any] = {}
    for name, section in known_sections().items():
        sections[name] = (
            {CHOICE_MARK: section.kind} if isinstance(section, Choice) else _schema_of(section, definitions)
        )
    # A part may hold parts of yet other kinds, so this goes on until no mark is left without its definition.
    while missing := sorted(_kinds_in([sections, definitions]) - _defined(definitions)):
        for kind in missing:
            definitions[f"{CHOICE}{kind}"] = _choice(kind, definitions)
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


def _kinds_in(schema: Any) -> set[str]:
    """Return the kinds of all marks in a schema."""
    inner = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    own = {schema[CHOICE_MARK]} if isinstance(schema, dict) and CHOICE_MARK in schema else set()
    return own.union(*map(_kinds_in, inner))


def _defined(definitions: dict[str, Any]) -> set[str]:
    return {name.removeprefix(CHOICE) for name in definitions if name.startswith(CHOICE)}


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
    return {**rest, "$ref": f"#/$defs/{CHOICE}{schema[CHOICE_MARK]}"} if CHOICE_MARK in schema else rest
