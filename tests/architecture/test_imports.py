"""Imports point inward only, and never in a circle. The rules are in import_graph.py."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from import_graph import Arrow, circles, draw, modules_of, wrong_arrows


@pytest.fixture(scope="module")
def package(repository: Path) -> Path:
    return repository / "src" / "modelwright"


@pytest.fixture(scope="module")
def arrows(package: Path) -> list[Arrow]:
    return draw(package)


def test_every_arrow_points_inward(arrows: list[Arrow]) -> None:
    assert len(arrows) > 100, "the graph is empty: the drawing is broken"
    wrong = wrong_arrows(arrows)
    assert not wrong, "\n" + "\n".join(wrong)


def test_there_is_no_circle(arrows: list[Arrow]) -> None:
    assert not circles(arrows)


def test_only_the_registry_imports_by_address(package: Path) -> None:
    # An import by a computed name is an arrow that no graph shows; other packages may be tried by a literal name.
    wrong = []
    for name, path in modules_of(package).items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("import_module", "__import__"):
                literal = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else ""
                if name != "core.registry" and (
                    not literal or literal.split(".")[0] == package.name or literal[0] == "."
                ):
                    wrong.append(f"{path}:{node.lineno}: {ast.unparse(node)}")
    assert not wrong, "\n" + "\n".join(wrong)


def plant(root: Path, **files: str) -> Path:
    """Write a package `toy` whose modules have the given text; `__` in a name is a folder."""
    for name, text in {"__init__": "", **files}.items():
        path = root / "toy" / (name if name.startswith("__") else name.replace("__", "/"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".py").write_text(text)
    return root / "toy"


WRONG = {
    "core imports nothing": ("core__a", "from ..methods import m\n"),
    "methods may import": ("methods__a", "from ..models.m import x\n"),
    "methods may": ("methods__a", "from ..core import registry\n"),
    "sources may": ("sources__a", "def late():\n    import toy.core.recipe\n"),
    "layouts may": ("layouts__a", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ..engine import m\n"),
    "tasks may": ("tasks__a", "from ..engine.m import x\n"),
    "engine may": ("engine__a", "from ..stages.train import run\n"),
    "never another stage": ("stages__train__a", "from ..other import m\n"),
    "app may": ("app__a", "from ..stages.train.run import run\n"),
    "app may import": ("app__a", "from toy.engine import m\n"),
    "anything but app": ("testing__a", "from ..app import m\n"),
    "no rule knows": ("novel__a", "from ..core import m\n"),
    "the package itself": ("__main__", "from .core import m\n"),
}


@pytest.mark.parametrize("rule", WRONG)
def test_a_planted_wrong_arrow_is_found(rule: str, tmp_path: Path) -> None:
    name, text = WRONG[rule]
    targets = ("core__m", "core__registry", "core__recipe", "methods__m", "models__m", "engine__m", "app__m")
    files = {**dict.fromkeys(targets, ""), "stages__train__run": "", "stages__other__m": "", name: text}
    folder = plant(tmp_path, **files)
    (found,) = wrong_arrows(draw(folder))
    file = name if name.startswith("__") else name.replace("__", "/")
    assert found.startswith(f"toy/{file}.py:{text.count(chr(10))}: ")
    assert rule in found


def test_right_arrows_pass(tmp_path: Path) -> None:
    folder = plant(
        tmp_path,
        core__errors="",
        methods__deep__a="from ...core.errors import X\nfrom ..b import y\n",
        methods__b="from ..core import errors\n",
        engine__a="from ..tasks import a\n",
        tasks__a="",
        stages__train__settings="",
        stages__train__run="from .settings import T\nfrom ...engine.a import x\n",
        app__a="from ..stages.train.settings import Train\nfrom .. import VERSION\n",
        testing__a="from ..stages.train.run import run\n",
    )
    arrows = draw(folder)
    assert len(arrows) == 9
    assert not wrong_arrows(arrows)
    assert not circles(arrows)


def test_a_planted_circle_is_found_with_every_arrow_of_it(tmp_path: Path) -> None:
    folder = plant(tmp_path, core__a="\nfrom . import b\n", core__b="from .c import x\n", core__c="import toy.core.a\n")
    (found,) = circles(draw(folder))
    assert all(where in found for where in ("toy/core/a.py:2", "toy/core/b.py:1", "toy/core/c.py:1"))


@pytest.mark.parametrize(
    "text",
    [
        "def late():\n    from . import b\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from . import b\n",
    ],
)
def test_a_late_import_closes_no_circle_but_is_an_arrow(text: str, tmp_path: Path) -> None:
    arrows = draw(plant(tmp_path, core__a=text, core__b="from . import a\n"))
    assert {(arrow.source, arrow.target) for arrow in arrows} == {("core.a", "core.b"), ("core.b", "core.a")}
    assert not circles(arrows)
