"""Every name in the table of contents leads somewhere, and every settings class is strict, frozen and described."""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterator
from typing import Any, get_args

import pytest

from modelwright.core import registry
from modelwright.core.builtin import BUILTIN
from modelwright.core.registry import Part
from modelwright.core.settings import Choice, Settings
from modelwright.core.stage import Stage

# Tables that lead from a name to another name; all others lead to addresses.
NAMES_ONLY = ("section", "floor")
PARTS = [
    (kind, name) for kind in sorted(BUILTIN) if kind not in (*NAMES_ONLY, "stage") for name in sorted(BUILTIN[kind])
]
STAGES = sorted(BUILTIN["stage"])


def settings_classes() -> list[type[Settings]]:
    """Return every settings class that a recipe can reach, nested ones too."""
    waiting = [registry.load(registry.stage(name).settings) for name in STAGES]
    waiting += [registry.settings_of(kind, name) for kind, name in PARTS if registry.part(kind, name).settings]
    waiting += [registry.load(what) for how, what in BUILTIN["section"].values() if how == "settings"]
    found: dict[str, type[Settings]] = {}
    while waiting:
        settings = waiting.pop()
        if settings.__module__ + settings.__qualname__ not in found:
            found[settings.__module__ + settings.__qualname__] = settings
            waiting += [inner for field in settings.model_fields.values() for inner in _settings_in(field.annotation)]
    return list(found.values())


def _settings_in(annotation: Any) -> list[type[Settings]]:
    if (
        isinstance(annotation, type)
        and not isinstance(annotation, types.GenericAlias)
        and issubclass(annotation, Settings)
    ):
        return [annotation]
    return [inner for argument in get_args(annotation) for inner in _settings_in(argument)]


@pytest.mark.parametrize(("kind", "name"), PARTS)
def test_every_address_of_a_part_resolves(kind: str, name: str) -> None:
    part: Part = registry.part(kind, name)
    assert callable(registry.function_of(kind, name))
    if part.settings:
        settings = registry.settings_of(kind, name)
        assert issubclass(settings, Settings)
        assert settings.model_fields["kind"].default == name
        assert get_args(settings.model_fields["kind"].annotation) == (name,)


@pytest.mark.parametrize("name", STAGES)
def test_every_stage_resolves(name: str) -> None:
    stage = registry.stage(name)
    assert isinstance(stage, Stage)
    assert stage.name == name
    assert issubclass(registry.load(stage.settings), Settings)
    assert len(inspect.signature(registry.load(stage.function)).parameters) == 1
    assert set(stage.reads) <= {*BUILTIN["section"], *STAGES}
    givers = [other for other in STAGES for kind in registry.stage(other).gives if kind in stage.needs]
    assert len(givers) >= len(stage.needs), f"nobody gives all of {stage.needs}"


def test_every_section_is_a_known_kind() -> None:
    for how, what in BUILTIN["section"].values():
        assert how in ("choice", "settings")
        assert registry.names(what) if how == "choice" else issubclass(registry.load(what), Settings)


def test_every_floor_is_a_model_for_a_task() -> None:
    for task, names in BUILTIN.get("floor", {}).items():
        assert task in BUILTIN["task"]
        assert set(names) <= set(BUILTIN["model"])


def test_every_choice_names_a_known_kind() -> None:
    kinds = {
        item.kind
        for settings in settings_classes()
        for field in settings.model_fields.values()
        for item in field.metadata
        if isinstance(item, Choice)
    }
    assert kinds <= set(BUILTIN)
    assert {"optimiser", "schedule"} <= kinds


def test_settings_are_strict_frozen_and_described() -> None:
    wrong = [
        f"{settings.__module__}:{settings.__qualname__}: {what}"
        for settings in settings_classes()
        for what in _gaps(settings)
    ]
    assert not wrong, "\n" + "\n".join(wrong)


def _gaps(settings: type[Settings]) -> Iterator[str]:
    if not settings.__doc__:
        yield "no docstring"
    for key, expected in {"frozen": True, "extra": "forbid", "strict": True}.items():
        if settings.model_config.get(key) != expected:
            yield f"{key} is {settings.model_config.get(key)!r}"
    for name, field in settings.model_fields.items():
        # A part's name, and a nested group of settings, are described by their class.
        if name != "kind" and not field.description and not _settings_in(field.annotation):
            yield f"the field '{name}' has no description"


def test_the_settings_test_can_fail() -> None:
    class Loose(Settings):
        model_config = {"frozen": False, "extra": "allow"}
        named: int = 3

    assert len(list(_gaps(Loose))) == 4
