"""The tables of the guide on memory are those of the stored measurement."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(("page", "chinese"), [("memory.md", False), ("memory.zh.md", True)])
def test_the_page_shows_what_was_measured(
    page: str, chinese: bool, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(repository / "benchmarks"))
    script = importlib.import_module("memory_table")
    monkeypatch.delitem(sys.modules, "memory_table")
    content = json.loads((repository / "benchmarks" / "results" / "memory_table.json").read_text())
    text = (repository / "docs" / "guides" / page).read_text(encoding="utf-8")
    assert script.render(content, chinese) in text
    assert [row["row"] for row in content["rows"]] == list(script.ROWS)
