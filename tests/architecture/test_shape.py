"""Ratchets: sizes, names, notes, and what no file of ours may contain."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

LINES_OF_FILE, LINES_OF_FUNCTION = 400, 60
EMPTY_NAMES = {"utils", "util", "common", "helpers", "helper", "misc"}
# Whatever can execute what it reads.
FORBIDDEN_IMPORTS = {"pickle", "cPickle", "_pickle", "joblib", "dill", "cloudpickle", "marshal", "shelve"}
FORBIDDEN_CALLS = {
    "eval",
    "exec",
    "torch.load",
    "torch.jit.load",
    "yaml.load",
    "yaml.unsafe_load",
    "yaml.full_load",
    "pandas.read_pickle",
}
# torch.load may stand in these files alone, with weights_only=True: what the conformance suite has just written itself,
# and the one conversion of outside weights, whose digest is pinned.
TENSORS_ONLY = {"testing/optimisers.py", "models/backbone.py"}


@pytest.fixture(scope="module")
def package(repository: Path) -> Path:
    return repository / "src" / "modelwright"


def judge(package: Path) -> list[str]:
    """Return `file:line: what is wrong` for every breach below a package."""
    return [
        f"{path.relative_to(package.parent)}:{line}: {what}"
        for path in sorted(package.rglob("*.py"))
        for line, what in _breaches(path, package)
    ]


def _breaches(path: Path, package: Path) -> Iterator[tuple[int, str]]:
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    if len(lines) > LINES_OF_FILE:
        yield len(lines), f"{len(lines)} lines in a file, at most {LINES_OF_FILE}"
    inside = path.relative_to(package)
    for name in (*inside.parts[:-1], inside.stem):
        if name in EMPTY_NAMES:
            yield 1, f"'{name}' says nothing about what is in it"
    for number, line in enumerate(lines, 1):
        if re.search(r"\b(TODO|FIXME|XXX)\b", line):
            yield number, "a note of work left over"
    for node in ast.walk(ast.parse(text, str(path))):
        line = getattr(node, "lineno", 1)
        for what in _node_breaches(node, lines, inside):
            yield line, what


def _node_breaches(node: ast.AST, lines: list[str], inside: Path) -> Iterator[str]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        length = (node.end_lineno or 0) - node.lineno + 1
        if ast.get_docstring(node):
            length -= (node.body[0].end_lineno or 0) - node.body[0].lineno + 1
        if length > LINES_OF_FUNCTION:
            yield f"{length} lines in the function {node.name}, at most {LINES_OF_FUNCTION}"
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
        for name in names:
            if name.split(".")[0] in FORBIDDEN_IMPORTS:
                yield f"{name} executes what it reads"
    elif isinstance(node, ast.Call):
        called = ast.unparse(node.func)
        options = {word.arg: ast.unparse(word.value) for word in node.keywords}
        harmless = inside.as_posix() in TENSORS_ONLY and options.get("weights_only") == "True"
        if (called in FORBIDDEN_CALLS and not harmless) or options.get("allow_pickle", "False") != "False":
            yield f"{called}(...) may execute what it reads"
        if called == "print" and inside.parts[0] != "app":
            yield "only app prints"
    elif isinstance(node, ast.ExceptHandler):
        caught = ast.unparse(node.type) if node.type else "everything"
        broad = re.search(r"\b(Exception|everything)\b", caught) or (caught == "BaseException" and not _raises(node))
        if broad and inside.as_posix() != "app/cli.py" and "#" not in lines[node.lineno - 1]:
            yield f"catches {caught} without a comment that says why"


def _raises(node: ast.ExceptHandler) -> bool:
    return any(isinstance(child, ast.Raise) for child in ast.walk(node))


def test_nothing_breaks_the_shape(package: Path) -> None:
    breaches = judge(package)
    assert not breaches, "\n" + "\n".join(breaches)


PLANTED = {
    "lines in a file": "x = 1\n" * 401,
    "lines in the function": "def f():\n" + "    x = 1\n" * 60,
    "a note": "x = 1  # TO" + "DO: later\n",
    "pickle executes": "import pickle\n",
    "joblib executes": "def f():\n    from joblib import load\n",
    "torch.load(...)": "import torch\nx = torch.load('a')\n",
    "numpy.load(...)": "import numpy\nx = numpy.load('a', allow_pickle=True)\n",
    "eval(...)": "x = eval('1')\n",
    "exec(...)": "exec('1')\n",
    "only app prints": "print(1)\n",
    "catches Exception": "try:\n    x = 1\nexcept Exception:\n    pass\n",
    "catches (ValueError, Exception)": "try:\n    x = 1\nexcept (ValueError, Exception):\n    pass\n",
    "catches everything": "try:\n    x = 1\nexcept:\n    pass\n",
    "catches BaseException": "try:\n    x = 1\nexcept BaseException:\n    pass\n",
}


@pytest.mark.parametrize("what", PLANTED)
def test_a_planted_breach_is_found(what: str, tmp_path: Path) -> None:
    (tmp_path / "toy" / "core").mkdir(parents=True)
    (tmp_path / "toy" / "core" / "a.py").write_text(PLANTED[what])
    (found,) = judge(tmp_path / "toy")
    assert found.startswith("toy/core/a.py:")
    assert what in found


def test_a_pickle_of_tensors_is_read_in_named_files_only(tmp_path: Path) -> None:
    care = ", weights_only=True"
    for name, options in {"models/backbone.py": "", "models/other.py": care, "testing/optimisers.py": care}.items():
        path = tmp_path / "toy" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"x = torch.load('a'{options})\n")
    assert [line.split(":")[0] for line in judge(tmp_path / "toy")] == ["toy/models/backbone.py", "toy/models/other.py"]


def test_an_empty_name_is_found_and_good_files_pass(tmp_path: Path) -> None:
    for name in ("core/utils.py", "core/misc/a.py", "core/good.py", "app/screen.py"):
        path = tmp_path / "toy" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('def f():\n    """' + "Long.\n" * 80 + '"""\n' + "    x = 1\n" * 58)
    (tmp_path / "toy" / "app" / "screen.py").write_text("print(1)\n")
    (tmp_path / "toy" / "core" / "why.py").write_text(
        "try:\n    x = 1\nexcept Exception:  # a plug-in may raise anything\n    pass\nmodel.eval()\n"
        "try:\n    x = 1\nexcept BaseException:\n    raise\n"
    )
    found = judge(tmp_path / "toy")
    assert [line.split(":")[0] for line in found] == ["toy/core/misc/a.py", "toy/core/utils.py"]
