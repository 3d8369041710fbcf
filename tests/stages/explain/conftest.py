"""One trained model of each modality for all tests of this folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from explained import LIGHT, PICTURES, QUICK, ROWS, write_texts

from modelwright.core.run import Run

Explain = Callable[..., Run]


def explainer(folder: Path, sections: dict[str, Any], run_in: Callable[..., Run]) -> Explain:
    """Return what explains the model of a folder: keys of the section explain, on top of nothing at all."""

    def call(model: dict[str, Any] | None = None, **keys: Any) -> Run:
        changed = {**sections, **({"model": model} if model else {})}
        checks = {**QUICK, **keys.pop("checks", {})}
        return run_in(folder, "explain", sections={**changed, "explain": {**LIGHT, "checks": checks, **keys}})

    return call


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory, run_in: Callable[..., Run]) -> Explain:
    return explainer(tmp_path_factory.mktemp("pictures") / "run", PICTURES, run_in)


@pytest.fixture(scope="session")
def rows(tmp_path_factory: pytest.TempPathFactory, run_in: Callable[..., Run]) -> Explain:
    return explainer(tmp_path_factory.mktemp("rows") / "run", ROWS, run_in)


@pytest.fixture(scope="session")
def texts(tmp_path_factory: pytest.TempPathFactory, run_in: Callable[..., Run]) -> Explain:
    folder = tmp_path_factory.mktemp("texts")
    return explainer(folder / "run", write_texts(folder), run_in)
