"""Help, checking a recipe and being told what is wrong with it load nothing heavy and cost next to nothing."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "sklearn", "pandas", "scipy", "numpy", "PIL", "transformers", "datasets", "pyarrow", "rich", "jinja2")
CPU_SECONDS = 0.3
# The cheapest of several counts, because another process on the same core makes any single one dearer.
ATTEMPTS = 8
BAD = "version: 1\nname: digits\ntask: imgae\ndata: {kind: sample, name: digits}\nmodel: cnn\n"
BAD += "train: {optimiser: {kind: adam, lrr: 1}}\n"


def commands(repository: Path, folder: Path) -> dict[str, tuple[str, int]]:
    """Return (what Python runs, exit code) by name."""
    (folder / "bad.yaml").write_text(BAD)
    cli = "from modelwright.app.cli import main; code = main({arguments!r})"
    good = str(repository / "recipes" / "digits.yaml")
    return {
        "import": ("import modelwright; code = 0", 0),
        "help": (cli.format(arguments=["--help"]), 0),
        "check": (cli.format(arguments=["check", good]), 0),
        "recipe error": (cli.format(arguments=["check", str(folder / "bad.yaml")]), 2),
        "usage error": (cli.format(arguments=["chekc", good]), 2),
    }


def run(program: str, outputs: Path) -> tuple[int, float]:
    """Run a Python program with its output in a file; return its exit code and the CPU seconds it took."""
    # As pip installs it: with its bytecode beside it, which PYTHONDONTWRITEBYTECODE would keep from being written.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(outputs.parent / "bytecode")
    with outputs.open("wb") as stream:
        actions = [(os.POSIX_SPAWN_DUP2, stream.fileno(), 1), (os.POSIX_SPAWN_DUP2, stream.fileno(), 2)]
        process = os.posix_spawn(sys.executable, [sys.executable, "-c", program], environment, file_actions=actions)
        _, status, usage = os.wait4(process, 0)
    return os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime


NAMES = ["import", "help", "check", "recipe error", "usage error"]


def watch(name: str, repository: Path, folder: Path) -> float:
    """Run one command; fail if it loads anything heavy or ends otherwise than it should; return its CPU seconds."""
    program, expected = commands(repository, folder)[name]
    outputs = folder / "outputs"
    look = f"print('HEAVY', sorted(set(sys.modules) & {set(HEAVY)!r})); sys.exit(code)"
    code, seconds = run(f"import sys; {program}; {look}", outputs)
    text = outputs.read_text()
    assert code == expected, text
    assert "HEAVY []" in text, text
    return seconds


@pytest.mark.parametrize("name", NAMES)
def test_a_light_command_loads_nothing_heavy(name: str, repository: Path, tmp_path: Path) -> None:
    watch(name, repository, tmp_path)


# A second of CPU is not the same second on every day of a shared machine, and no timing may decide whether a change
# lands: the bound stands, among the longer proofs.
@pytest.mark.full
@pytest.mark.parametrize("name", NAMES)
def test_a_light_command_is_cheap(name: str, repository: Path, tmp_path: Path) -> None:
    spent: list[float] = []
    while not spent or (min(spent) > CPU_SECONDS and len(spent) < ATTEMPTS):
        spent.append(watch(name, repository, tmp_path))
    assert min(spent) <= CPU_SECONDS, f"{name} took {spent} seconds of CPU, at most {CPU_SECONDS}"


def test_the_recipe_error_says_everything_at_once(repository: Path, tmp_path: Path) -> None:
    run(commands(repository, tmp_path)["recipe error"][0], tmp_path / "outputs")
    text = (tmp_path / "outputs").read_text()
    assert "bad.yaml:3" in text
    assert "did you mean 'image'?" in text
    assert "bad.yaml:6" in text
    assert "did you mean 'lr'?" in text


def test_a_heavy_import_is_noticed(tmp_path: Path) -> None:
    # What the test above relies on: a module that was imported anywhere shows among the loaded ones.
    code, seconds = run(
        "import json, sys; assert 'json' in sys.modules; x = sum(i for i in range(10**7)); sys.exit(3)",
        tmp_path / "outputs",
    )
    assert code == 3
    assert seconds > 0.1
