"""Everything public says what it is, and every method says where it comes from."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@pytest.fixture(scope="module")
def package(repository: Path) -> Path:
    return repository / "src" / "modelwright"


def public_definitions(path: Path) -> Iterator[tuple[str, Definition]]:
    """Yield the dotted name and node of every public function and class of a file, and of public methods."""
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    for node in tree.body:
        if isinstance(node, Definition) and not node.name.startswith("_"):
            yield node.name, node
            if isinstance(node, ast.ClassDef):
                for child in node.body:
                    if isinstance(child, Definition) and not child.name.startswith("_"):
                        yield f"{node.name}.{child.name}", child


def undocumented(package: Path) -> list[str]:
    """Return every public function and class without a docstring."""
    return [
        f"{path.relative_to(package.parent)}:{node.lineno}: {name} has no docstring"
        for path in sorted(package.rglob("*.py"))
        for name, node in public_definitions(path)
        if "." not in name and not ast.get_docstring(node)
    ]


def sourceless(package: Path) -> list[str]:
    """Return every public function of methods/ whose docstring has no `Source:` line with something on it."""
    return [
        f"{path.relative_to(package.parent)}:{node.lineno}: {name} has no 'Source:' line"
        for path in sorted((package / "methods").rglob("*.py"))
        for name, node in public_definitions(path)
        if not isinstance(node, ast.ClassDef) and "." not in name and not _source(ast.get_docstring(node) or "")
    ]


def _source(docstring: str) -> str:
    rest = docstring.partition("Source:")[2]
    return rest.strip()


def test_everything_public_has_a_docstring(package: Path) -> None:
    missing = undocumented(package)
    assert not missing, "\n" + "\n".join(missing)


def test_every_method_names_its_source(package: Path) -> None:
    missing = sourceless(package)
    assert not missing, "\n" + "\n".join(missing)


def test_every_file_says_what_it_is(package: Path) -> None:
    missing = [
        str(path.relative_to(package.parent))
        for path in sorted(package.rglob("*.py"))
        if path.stat().st_size and not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert not missing, "files without a docstring: " + ", ".join(missing)


def test_planted_gaps_are_found(tmp_path: Path) -> None:
    folder = tmp_path / "toy" / "methods" / "x"
    folder.mkdir(parents=True)
    (folder / "a.py").write_text(
        "def bare(): ...\nclass Bare: ...\ndef _private(): ...\n"
        'def unsourced():\n    """Do."""\n'
        'def empty_source():\n    """Do.\n\n    Source:\n    """\n'
        'def good():\n    """Do.\n\n    Source: Knuth 1968, section 1.\n    """\n'
    )
    assert [line.split()[1] for line in undocumented(tmp_path / "toy")] == ["bare", "Bare"]
    assert [line.split()[1] for line in sourceless(tmp_path / "toy")] == ["bare", "unsourced", "empty_source"]
