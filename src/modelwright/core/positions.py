"""YAML as people mean it, with the line of every key: YAML 1.2 scalars, no duplicate keys, no alias bombs.

One thing goes beyond YAML: between braces and brackets, `{rate: log(1e-4, 1e-1)}` keeps its comma, as it does on a line of
its own. Strictly read it would be the two keys `rate` and `1e-1)`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from .errors import Problem, RecipeError

Path = tuple[str | int, ...]
ALIAS_LIMIT = 100


class _Loader(yaml.SafeLoader):
    """A safe loader with the scalars of YAML 1.2: `no` is text and `1e-3` is a number."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+(_[0-9]+)*|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(_[0-9]+)*(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+0123456789.",
    ),
    ("null", r"~|null|Null|NULL|", "~nN\0"),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}",
        re.compile(f"^(?:{_pattern})$"),
        [*_first.replace("\0", ""), ""] if "\0" in _first else list(_first),
    )


def _whole_number(loader: _Loader, node: yaml.ScalarNode) -> int:
    # YAML 1.1 reads 010 as eight and refuses 08; in YAML 1.2 both are decimal.
    text = node.value.lower()
    return int(text, 0) if text.startswith(("0o", "0x")) else int(text)


_Loader.add_constructor("tag:yaml.org,2002:int", _whole_number)


@dataclass(frozen=True)
class Positioned:
    """A parsed file: plain data, and the 1-based line of every path in it."""

    data: Any
    lines: dict[Path, int]
    name: str = ""

    def where(self, path: Path) -> str:
        """Return `file:line` of a path, or of the nearest parent that stands in the file."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.lines:
                return f"{self.name}:{self.lines[path[:end]]}"
        return self.name


@dataclass
class _Walk:
    """Owns the lines and problems found so far while a node tree is turned into data."""

    loader: _Loader
    name: str
    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    nodes: int = 0

    def convert(self, node: yaml.Node, path: Path) -> Any:
        self.nodes += 1
        if self.nodes > 100_000:
            raise RecipeError(
                "more than 100,000 values after aliases are followed",
                where=self.name,
                expected="a recipe a person could read",
            )
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.convert(child, (*path, index)) for index, child in enumerate(_items(node))]
        return self.loader.construct_object(node)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in _pairs(node):
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else str(key_node.tag)
            line = key_node.start_mark.line + 1
            if key in result:
                first = self.lines[(*path, key)]
                self.problems.append(
                    Problem(
                        f"the key '{key}' stands twice, first in line {first}", f"{self.name}:{line}", "each key once"
                    )
                )
            self.lines[(*path, key)] = line
            result[key] = self.convert(value_node, (*path, key))
        return result


def _pairs(node: yaml.MappingNode) -> list[tuple[yaml.Node, yaml.Node]]:
    """Return the pairs of a mapping; what the comma of a call has cut into keys without a value is put together again."""
    pairs: list[tuple[yaml.Node, yaml.Node]] = []
    for key, value in node.value:
        if pairs and _is_open(pairs[-1][1]) and _is_plain(key) and _is_plain(value) and not value.value:
            pairs[-1] = (pairs[-1][0], _joined(pairs[-1][1], key))
        else:
            pairs.append((key, value))
    return pairs


def _items(node: yaml.SequenceNode) -> list[yaml.Node]:
    items: list[yaml.Node] = []
    for item in node.value:
        if items and _is_open(items[-1]) and _is_plain(item):
            items[-1] = _joined(items[-1], item)
        else:
            items.append(item)
    return items


def _is_plain(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.style is None


def _is_open(node: yaml.Node) -> bool:
    """Whether a scalar without quotes begins a call, such as `log(1e-4`, and does not end it."""
    return _is_plain(node) and re.match(r"\w+\([^()]*$", node.value) is not None


def _joined(start: yaml.Node, rest: yaml.Node) -> yaml.ScalarNode:
    return yaml.ScalarNode("tag:yaml.org,2002:str", f"{start.value}, {rest.value}", start.start_mark, rest.end_mark)


def parse_yaml(text: str, name: str) -> Positioned:
    """Parse `text`; `name` is what messages call the file.

    Raises:
        RecipeError: not YAML, duplicate keys, too many aliases, not UTF-8 text.
    """
    if text.count("*") > ALIAS_LIMIT and len(re.findall(r"(?m)[\s\[,:-]\*\w", text)) > ALIAS_LIMIT:
        raise RecipeError(f"more than {ALIAS_LIMIT} aliases", where=name, expected="a recipe without alias tricks")
    try:
        loader = _Loader(text)
    except yaml.YAMLError as error:
        raise RecipeError(
            f"this is not YAML: {str(error).splitlines()[0]}", where=name, expected="printable text"
        ) from None
    try:
        node = loader.get_single_node()
        if node is None:
            raise RecipeError(
                "the file is empty", where=name, expected="a recipe", next_step="modelwright init DATA writes one"
            )
        walk = _Walk(loader, name)
        data = walk.convert(node, ())
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise RecipeError(f"this is not YAML: {error.problem}", where=f"{name}:{line}", expected="YAML") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise RecipeError(f"this is not YAML: {str(error).splitlines()[0]}", where=name, expected="YAML") from None
    finally:
        loader.dispose()
    if walk.problems:
        raise RecipeError.of(walk.problems)
    return Positioned(data, walk.lines, name)
