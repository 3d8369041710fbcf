"""The resolved recipe as a list per section, with what `auto` became and why; and all evidence as one list."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from .material import Material
from .metrics import Row, view_row

FIRST = ("task", "data", "model", "prepare", "train", "compress", "evaluate", "release")


@dataclass(frozen=True)
class Entry:
    """One value of the recipe, and, where it was `auto`, what it became and why."""

    key: str
    value: str
    became: str
    why: str


@dataclass(frozen=True)
class Section:
    """One section of the recipe."""

    name: str
    entries: tuple[Entry, ...]


def list_recipe(recipe: dict[str, Any], resolved: dict[str, dict[str, Any]]) -> tuple[Section, ...]:
    """Return the sections of a resolved recipe in the order of the life cycle."""
    sections = [name for name, value in recipe.items() if isinstance(value, dict)]
    sections.sort(key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST))
    header = tuple(Entry(name, _plain(value), "", "") for name, value in recipe.items() if not isinstance(value, dict))
    listed = [Section("recipe", header)] if header else []
    return (*listed, *(Section(name, tuple(_entries(recipe[name], name, (), resolved))) for name in sections))


def _entries(value: Any, section: str, path: tuple[str, ...], resolved: dict[str, dict[str, Any]]) -> list[Entry]:
    if isinstance(value, dict) and value:
        return [
            entry for name, child in value.items() for entry in _entries(child, section, (*path, str(name)), resolved)
        ]
    found = resolved.get(".".join((section, *path)))
    became, why = (_plain(found.get("value")), str(found.get("why", ""))) if found else ("", "")
    return [Entry(".".join(path), _plain(value), became, why)]


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def list_evidence(material: Material) -> tuple[tuple[str, tuple[Row, ...]], ...]:
    """Return every claim of the run, by stage."""
    return tuple(
        (stage, tuple(view_row(item, None) for item in record.evidence))
        for stage, record in material.records.items()
        if record.evidence
    )
