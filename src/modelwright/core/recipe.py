"""The recipe: one YAML file, strict, that says everything a run depends on.

All errors come at once, each with file:line and the nearest name. `show --origin` can tell of every value where it
came from: a default, a line of the file, a line of the file it extends, or the command line.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError

from . import registry
from .builtin import BUILTIN
from .digest import digest_of
from .errors import Problem, RecipeError
from .positions import Path as KeyPath
from .positions import Positioned, parse_yaml
from .settings import Choice, Settings

VERSION = 1
HEADER = ("version", "name", "seed", "extends")
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


@dataclass(frozen=True)
class Recipe:
    """A validated recipe: typed sections, the plain data behind them, and where each value came from."""

    name: str
    seed: int
    sections: dict[str, Settings]
    data: dict[str, Any]
    base: Path
    origins: dict[KeyPath, str] = field(default_factory=dict, compare=False)

    @property
    def digest(self) -> str:
        """SHA-256 over everything that the recipe says, independent of order and layout in the file."""
        return digest_of(self.resolved())

    def resolved(self) -> dict[str, Any]:
        """Return the whole recipe as plain data with every default filled in."""
        sections = {name: section.model_dump(mode="json") for name, section in sorted(self.sections.items())}
        return {"version": VERSION, "name": self.name, "seed": self.seed, **sections}

    def without(self, section: str) -> Recipe:
        """Return the recipe without one of its sections."""
        sections = {name: value for name, value in self.sections.items() if name != section}
        data = {name: value for name, value in self.data.items() if name != section}
        return replace(self, sections=sections, data=data)

    def edited(self, changes: dict[str, Any]) -> Recipe:
        """Return a recipe with dotted keys changed: `{"train.optimiser.lr": 1e-3}`.

        Raises:
            RecipeError: the edited recipe is not valid.
        """
        data = copy.deepcopy(self.data)
        origins = dict(self.origins)
        for key, value in changes.items():
            path = tuple(key.split("."))
            _assign(data, path, copy.deepcopy(value), key)
            origins[path] = "edited"
        return _validate(Positioned(data, {}, self.name), self.base, origins)


def load_recipe(path: Path, overrides: tuple[str, ...] = ()) -> Recipe:
    """Read and validate a recipe file; each override is `a.b=value` with a YAML value.

    Raises:
        RecipeError: everything that is wrong with it, at once.
    """
    source = _read(path)
    _require_mapping(source)
    origins: dict[KeyPath, str] = {key: f"{source.name}:{line}" for key, line in source.lines.items()}
    data = source.data
    if isinstance(data.get("extends"), str):
        parent = _read(path.parent / data["extends"])
        _require_mapping(parent)
        if "extends" in parent.data:
            raise RecipeError(
                "the recipe that is extended extends another",
                where=parent.where(("extends",)),
                expected="one level of extends",
            )
        origins = {**{key: f"{parent.name}:{line}" for key, line in parent.lines.items()}, **origins}
        data = _merge(parent.data, data)
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not key:
            raise RecipeError(
                f"'{override}' is not an override", where="command line", expected="KEY=VALUE such as train.batch=64"
            )
        _assign(data, tuple(key.split(".")), parse_yaml(text, "command line").data if text.strip() else "", key)
        origins[tuple(key.split("."))] = "command line"
    return _validate(Positioned(data, source.lines, source.name), path.parent.resolve(), origins)


def recipe_from(data: dict[str, Any], base: Path, name: str = "recipe") -> Recipe:
    """Validate plain data as a recipe; relative paths in it are relative to `base`."""
    return _validate(Positioned(copy.deepcopy(data), {}, name), base, {})


def known_sections() -> dict[str, type[Settings] | Choice]:
    """Return what may stand in every section of a recipe: the parts chosen by name, then the stages' settings."""
    sections: dict[str, type[Settings] | Choice] = {
        name: Choice(what) if how == "choice" else registry.load(what)
        for name, (how, what) in BUILTIN["section"].items()
    }
    for name in registry.names("stage"):
        sections[name] = registry.load(registry.stage(name).settings)
    return sections


def _read(path: Path) -> Positioned:
    try:
        return parse_yaml(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        raise RecipeError(
            "there is no such file", where=path, expected="a recipe", next_step="modelwright init DATA writes one"
        ) from None
    except IsADirectoryError:
        raise RecipeError("this is a folder", where=path, expected="a recipe file") from None
    except UnicodeDecodeError as error:
        raise RecipeError(f"byte {error.start} is not UTF-8", where=path, expected="a recipe in UTF-8") from None
    except OSError as error:
        raise RecipeError(f"the file cannot be read: {error.strerror}", where=path) from None


def _require_mapping(source: Positioned) -> None:
    if not isinstance(source.data, dict):
        raise RecipeError(
            f"found a {type(source.data).__name__}",
            where=f"{source.name}:1",
            expected="a mapping of sections",
            next_step="modelwright init DATA writes one",
        )


def _merge(parent: Any, child: Any) -> Any:
    if isinstance(parent, dict) and isinstance(child, dict):
        # Another kind of part shares no settings with the parent's, so it replaces instead of merging.
        if "kind" in child and child["kind"] != parent.get("kind"):
            return child
        return {
            key: _merge(parent[key], child[key]) if key in parent and key in child else child.get(key, parent.get(key))
            for key in {**parent, **child}
        }
    return child


def _assign(data: dict[str, Any], path: KeyPath, value: Any, key: str) -> None:
    place: Any = data
    for depth, step in enumerate(path[:-1], 1):
        # `optimiser: adam` is short for `optimiser: {kind: adam}`, so a key below it opens it up; so is an empty section.
        if isinstance(place.get(step), str):
            place[step] = {"kind": place[step]}
        elif place.get(step) is None:
            place[step] = _default_at(path[:depth], data)
        place = place[step]
        if not isinstance(place, dict):
            raise RecipeError(
                f"'{step}' is not a mapping", where=f"command line: {key}", expected="a key that exists in the recipe"
            )
    place[path[-1]] = value


def _default_at(path: KeyPath, data: dict[str, Any]) -> dict[str, Any]:
    """Return what stands at a place of a recipe that does not speak of it: the kind of a part that has a default, or nothing."""
    section = known_sections().get(str(path[0]))
    settings = _settings_at(section, path[1:-1], data.get(str(path[0]))) if section else None
    field_info = settings.model_fields.get(str(path[-1])) if settings and len(path) > 1 else None
    is_part = field_info and any(isinstance(item, Choice) for item in field_info.metadata)
    return {"kind": field_info.default} if field_info and is_part and isinstance(field_info.default, str) else {}


def _validate(source: Positioned, base: Path, origins: dict[KeyPath, str]) -> Recipe:
    known = known_sections()
    data: dict[str, Any] = source.data
    problems = _header_problems(source, origins)
    sections: dict[str, Settings] = {}
    for name, value in data.items():
        if name in HEADER or name.startswith("x-"):
            continue
        if name not in known:
            hint = registry.did_you_mean(name, [*known, *HEADER])
            problems.append(
                Problem(
                    f"'{name}' is not a section{hint}",
                    _where(source, origins, (name,)),
                    f"one of {', '.join([*HEADER, *known])}, or x-...",
                )
            )
            continue
        try:
            sections[name] = _validate_section(known[name], {} if value is None else value)
        except ValidationError as error:
            problems += _joined(
                [_problem(*item, name, source, origins, known[name]) for item in _unfold(error.errors(), value)]
            )
    for name, section in known.items():
        if isinstance(section, Choice) and name not in data:
            problems.append(Problem(f"the section '{name}' is missing", source.name, f"a section '{name}'"))
    problems += _misfits(sections, source, origins)
    if problems:
        raise RecipeError.of(problems)
    recipe = Recipe(data.get("name", "recipe"), data.get("seed", 0), sections, data, base, origins)
    problems = _problems_of_stages(recipe, source)
    if problems:
        raise RecipeError.of(problems)
    return recipe


def _problems_of_stages(recipe: Recipe, source: Positioned) -> list[Problem]:
    """Ask the stages that have a section what is wrong with it in this very recipe."""
    checks = [registry.stage(name).problems for name in registry.names("stage") if name in recipe.sections]
    return [
        Problem(found, _where(source, recipe.origins, path), expected)
        for check in checks
        if check
        for path, found, expected in registry.load(check)(recipe)
    ]


def _misfits(sections: dict[str, Settings], source: Positioned, origins: dict[KeyPath, str]) -> list[Problem]:
    """Find parts that do not serve the recipe's task; a part without `serves` serves them all."""
    task = getattr(sections.get("task"), "kind", None)
    problems = []
    for path, part in (found for name, section in sections.items() for found in _asked_for((name,), section)):
        serves: tuple[str, ...] = getattr(type(part), "serves", ())
        if task and serves and task not in serves:
            dotted, kind = ".".join(map(str, path)), getattr(part, "kind", "")
            found = f"'{dotted}': '{kind}'" if kind else f"'{dotted}'"
            expected = f"a {dotted} for the task {task}" if kind else f"no {dotted} for the task {task}"
            found += f" is for {' and '.join(serves)}, and the task is {task}"
            problems.append(Problem(found, _where(source, origins, path), expected))
    for name, section in sections.items():
        disagree = getattr(type(section), "disagreements", None)
        for key, found, expected in disagree(section, sections) if disagree else ():
            problems.append(Problem(found, _where(source, origins, (name, key)), expected))
    return problems


def _asked_for(path: KeyPath, value: Any) -> Iterator[tuple[KeyPath, Settings]]:
    """Yield a part and, with their places, the parts inside it that are not what the default says."""
    if isinstance(value, Settings):
        yield path, value
        for name, field_info in type(value).model_fields.items():
            inner = getattr(value, name)
            if inner != field_info.default:
                yield from _asked_for((*path, name), inner)
    elif isinstance(value, tuple):
        for number, item in enumerate(value):
            yield from _asked_for((*path, number), item)


def _header_problems(source: Positioned, origins: dict[KeyPath, str]) -> list[Problem]:
    version, name, seed, extends = (
        source.data.get(key, default) for key, default in zip(HEADER, (None, "recipe", 0, ""), strict=True)
    )
    expected = {}
    if type(version) is not int or version != VERSION:
        expected["version"] = f"version: {VERSION}"
    # The name becomes a folder, so it must be neither hidden nor the folder above.
    if not isinstance(name, str) or not NAME.fullmatch(name):
        expected["name"] = "at most 100 letters, digits, '_', '-' and '.', the first a letter, a digit or '_'"
    if type(seed) is not int or not 0 <= seed < 2**63:
        expected["seed"] = "a whole number from 0 to 2^63 - 1"
    if not isinstance(extends, str):
        expected["extends"] = "the path of another recipe"
    return [
        Problem(f"{key} is {_short(source.data.get(key))}", _where(source, origins, (key,)), text)
        for key, text in expected.items()
    ]


def _where(source: Positioned, origins: dict[KeyPath, str], path: KeyPath) -> str:
    for end in range(len(path), 0, -1):
        if path[:end] in origins:
            return origins[path[:end]]
    return source.where(path)


def _unfold(details: list[Any], value: Any, prefix: KeyPath = ()) -> list[tuple[KeyPath, Any]]:
    """Bring the errors of nested parts (see settings.Choice) to the surface, with their full places."""
    flat: list[tuple[KeyPath, Any]] = []
    for detail in details:
        place, found = _place(detail, value)
        if detail["type"] == "nested":
            flat += _unfold(detail["ctx"]["errors"], found, (*prefix, *place))
        else:
            # A quantity is shown as it was written, not as the number it became before it was refused.
            flat.append(((*prefix, *place), {**detail, "input": found if isinstance(found, str) else detail["input"]}))
    return flat


def _place(detail: Any, value: Any) -> tuple[KeyPath, Any]:
    """Follow an error into the data; pydantic also names branches of unions ('int', 'function-...'), which no recipe has."""
    place: list[str | int] = []
    for position, key in enumerate(detail["loc"], 1):
        if (isinstance(value, dict) and key in value) or (isinstance(value, (list, tuple)) and isinstance(key, int)):
            place.append(key)
            value = value[key]
        elif detail["type"] == "missing" and position == len(detail["loc"]):
            place.append(key)
    return tuple(place), value


def _joined(problems: list[Problem]) -> list[Problem]:
    """Say once what several branches of a union say of the same value: expected this or that."""
    joined: dict[tuple[str, str], Problem] = {}
    for problem in problems:
        key = (problem.where, problem.found)
        before = joined.get(key)
        joined[key] = (
            replace(problem, expected=f"{before.expected} or {problem.expected}")
            if before and problem.expected != before.expected
            else problem
        )
    return list(joined.values())


def _validate_section(section: type[Settings] | Choice, value: Any) -> Settings:
    adapter: TypeAdapter[Settings] = TypeAdapter(Annotated[Any, section] if isinstance(section, Choice) else section)
    return adapter.validate_python(value)


def _problem(
    place: KeyPath,
    detail: Any,
    name: str,
    source: Positioned,
    origins: dict[KeyPath, str],
    section: type[Settings] | Choice,
) -> Problem:
    path = (name, *place)
    dotted = ".".join(map(str, path))
    if detail["type"] == "extra_forbidden":
        fields = fields_at(section, place[:-1], source.data.get(name))
        hint = registry.did_you_mean(str(place[-1]), fields)
        return Problem(
            f"'{dotted}' is not a key{hint}",
            _where(source, origins, path),
            f"one of {', '.join(fields)}" if fields else "a key of this part",
        )
    if detail["type"] == "missing":
        return Problem(f"'{dotted}' is missing", _where(source, origins, path[:-1]), f"the key '{path[-1]}'")
    if detail["type"] == "unknown_name":
        context = detail["ctx"]
        hint = registry.did_you_mean(context["name"], context["known"])
        found = f"'{dotted}': '{context['name']}' is not a {context['kind']}{hint}"
        return Problem(found, _where(source, origins, path), f"one of {', '.join(context['known'])}")
    message = detail["msg"].removeprefix("Value error, ")
    found, comma, expected = message.partition(", expected ")
    if not comma:
        found, expected = (
            f"found {_short(detail['input'])}",
            message.removeprefix("Input should be ").removeprefix("expected "),
        )
        if detail["type"] in ("model_type", "dict_type"):
            expected = "a mapping of keys"
    return Problem(f"'{dotted}': {found}", _where(source, origins, path), expected[0].lower() + expected[1:])


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def fields_at(section: type[Settings] | Choice, place: KeyPath, data: Any) -> list[str]:
    """Return the keys that may stand at a place of a section, following parts chosen by name."""
    settings = _settings_at(section, place, data)
    return list(settings.model_fields) if settings else []


def _settings_at(section: type[Settings] | Choice, place: KeyPath, data: Any) -> type[Settings] | None:
    settings = _settings_for(section, data)
    for step in place:
        field_info = settings.model_fields.get(str(step)) if settings else None
        if settings is None or field_info is None or not isinstance(data, dict):
            break
        data = data.get(str(step))
        choice = next((item for item in field_info.metadata if isinstance(item, Choice)), None)
        settings = _settings_for(choice or field_info.annotation, data)
    return settings


def _settings_for(section: Any, data: Any) -> type[Settings] | None:
    if isinstance(section, Choice):
        name = data.get("kind") if isinstance(data, dict) else data
        return registry.settings_of(section.kind, name) if name in registry.names(section.kind) else None
    return section if isinstance(section, type) and issubclass(section, Settings) else None
