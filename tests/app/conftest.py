"""The command line called in this process, and one finished run for all who want to spoil a copy of it."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny import Cli, Finished, Outcome, write_recipe

from modelwright.app.cli import main


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Call the command line in this process, in English."""
    for name in ("LANG", "LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments: object) -> Outcome:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call


@pytest.fixture
def recipe(tmp_path: Path) -> Callable[..., Path]:
    """Write the tiny recipe, with some sections replaced, into a folder of this test."""
    return lambda **sections: write_recipe(tmp_path, **sections)


@pytest.fixture(scope="session")
def finished_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One finished run for all tests of a session; nobody may change it."""
    folder = tmp_path_factory.mktemp("finished")
    path = write_recipe(folder)
    assert main(["run", str(path), "--runs", str(folder / "runs")]) == 0
    return folder


@pytest.fixture
def finished(finished_once: Path, tmp_path: Path) -> Finished:
    """A copy of the finished run, with the recipe at its old place, so that nothing in it needs to run again."""
    shutil.copytree(finished_once / "runs", tmp_path / "runs")
    return Finished(finished_once / "tiny.yaml", tmp_path / "runs")


@pytest.fixture
def dice() -> random.Random:
    """Random moments that are the same in every session."""
    return random.Random(20260101)
