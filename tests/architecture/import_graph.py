"""The import graph of a package, drawn from its syntax trees without importing any of it."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path

RING_ONE = ("methods", "models", "layouts", "sources")
SHARED_CORE = ("core.errors", "core.units", "core.settings", "core.formats")


@dataclass(frozen=True)
class Arrow:
    """One import: who imports what, where it stands, and whether it runs when the module is imported."""

    source: str
    target: str
    where: str
    at_import: bool


def modules_of(package: Path) -> dict[str, Path]:
    """Return every module below a package by its dotted name without the package's; the package itself is ''."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def draw(package: Path) -> list[Arrow]:
    """Return every import of one module of the package by another."""
    modules = modules_of(package)
    arrows = []
    for source, path in modules.items():
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
        late = _late_lines(tree)
        for node in ast.walk(tree):
            for target in _targets(node, source, path, package.name, modules):
                where = f"{path.relative_to(package.parent)}:{node.lineno}"
                arrows.append(Arrow(source, target, where, id(node) not in late))
    return [arrow for arrow in arrows if arrow.source != arrow.target]


def _late_lines(tree: ast.Module) -> set[int]:
    """Return the nodes that do not run at import: bodies of functions, and what only type checkers read."""
    late: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            late |= {id(child) for child in ast.walk(node)}
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            late |= {id(child) for statement in node.body for child in ast.walk(statement)}
    return late


def _targets(node: ast.AST, source: str, path: Path, package: str, modules: dict[str, Path]) -> list[str]:
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
        return [_known(name.split(".")[1:], modules) for name in names if name.split(".")[0] == package]
    if not isinstance(node, ast.ImportFrom):
        return []
    base = (node.module or "").split(".") if node.module else []
    if node.level:
        here = source.split(".") if source else []
        folder = here if path.name == "__init__.py" else here[:-1]
        base = [*folder[: len(folder) - node.level + 1], *base]
    elif base[:1] != [package]:
        return []
    else:
        base = base[1:]
    return [_known([*base, alias.name], modules) for alias in node.names]


def _known(parts: list[str], modules: dict[str, Path]) -> str:
    """Return the longest beginning that is a module: `core.errors.DataError` is in `core.errors`."""
    while ".".join(parts) not in modules:
        parts = parts[:-1]
    return ".".join(parts)


def wrong_arrows(arrows: list[Arrow]) -> list[str]:
    """Return `file:line: who imports what: which rule forbids it` for every arrow that points outward."""
    found = []
    for arrow in arrows:
        rule = _broken_rule(arrow.source, arrow.target)
        if rule:
            found.append(
                f"{arrow.where}: {arrow.source or 'the package'} imports {arrow.target or 'the package'}: {rule}"
            )
    return found


def _broken_rule(source: str, target: str) -> str:
    top, aim = source.split(".")[0], target.split(".")[0]
    inner = (*RING_ONE, "core")
    if top == "core":
        return "" if aim == "core" else "core imports nothing of ours"
    if top in RING_ONE:
        allowed = aim == top or target in SHARED_CORE
        return "" if allowed else f"{top} may import {', '.join(SHARED_CORE)} and itself only"
    if top == "tasks":
        return "" if aim in ("tasks", *inner) else "tasks may import ring 1, core and itself only"
    if top == "engine":
        return "" if aim in ("engine", "tasks", *inner) else "engine may import tasks, ring 1, core and itself only"
    if top == "stages":
        own = source.split(".")[:2] == target.split(".")[:2]
        allowed = own or aim in ("engine", "tasks", *inner)
        return (
            "" if allowed else "a stage may import engine, tasks, ring 1, core and its own folder, never another stage"
        )
    if top == "app":
        settings = aim == "stages" and target.split(".")[-1] == "settings" and target.count(".") == 2
        allowed = settings or aim in ("core", "app", "")
        return "" if allowed else "app may import core and stages' settings; all else comes through the registry"
    if top == "testing":
        return "testing may import anything but app" if aim == "app" else ""
    if top in ("", "__main__"):
        return "" if aim in ("app", "") else "the package itself may import app only"
    return f"no rule knows the folder '{top}'; say in tests/architecture where it belongs"


def circles(arrows: list[Arrow]) -> list[str]:
    """Return one line for a circle of imports at import time, with file:line of each arrow in it."""
    before: dict[str, set[str]] = {}
    places: dict[tuple[str, str], str] = {}
    for arrow in arrows:
        if arrow.at_import:
            before.setdefault(arrow.source, set()).add(arrow.target)
            places.setdefault((arrow.source, arrow.target), arrow.where)
    try:
        TopologicalSorter(before).prepare()
    except CycleError as error:
        names = list(reversed(error.args[1]))
        steps = [f"{places[step]} ({step[0]} imports {step[1]})" for step in pairwise(names)]
        return ["a circle of imports: " + " -> ".join(steps)]
    return []
