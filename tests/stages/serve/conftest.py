"""Three releases made once a session, and a way to serve the first without a socket."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")

from served_release import TABLE_ROWS, TEXT_ROWS, Change, Serving, make_release, served

from modelwright.engine.predictor import Predictor


def unchanged(predictor: Predictor) -> Predictor:
    """Leave the model as it was released."""
    return predictor


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release of pictures; nobody may change it."""
    return make_release(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="session")
def text_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release of texts; nobody may change it."""
    folder = tmp_path_factory.mktemp("texts")
    (folder / "rows.jsonl").write_text(TEXT_ROWS)
    data = {"kind": "jsonl", "path": "rows.jsonl", "text": ["text"], "label": "label"}
    model = {"kind": "transformer", "width": 16, "heads": 2, "layers": 1}
    return make_release(
        folder, task={"kind": "text", "tokens": "words"}, data=data, model=model, prepare={"overlap": "keep"}
    )


@pytest.fixture(scope="session")
def table_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release of a table; nobody may change it."""
    folder = tmp_path_factory.mktemp("tables")
    (folder / "rows.csv").write_text(TABLE_ROWS)
    data = {"kind": "csv", "path": "rows.csv", "label": "label"}
    return make_release(folder, task="tabular", data=data, prepare={"overlap": "keep"})


@pytest.fixture
def serving(release: Path, tmp_path: Path) -> Serving:
    """Serve the pictures in a state folder of this test."""

    def call(change: Change = unchanged, folder: Path = release, **settings: Any) -> Any:
        return served(folder, tmp_path / "state", change, **settings)

    return call
