"""A row that is to be forgotten is gone from all that was made of it, and never comes back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelwright.core.errors import DataError
from modelwright.core.journal import read_journal, verify_journal
from modelwright.core.recipe import recipe_from
from modelwright.core.run import Run
from modelwright.stages.prepare.forgotten import forget_rows

Tiny = Callable[..., Run]
SECRET = "Ada lives in the blue house"


@pytest.fixture
def letters(tmp_path: Path) -> dict[str, Any]:
    """Write texts, one of a person twice; return the sections that read them."""
    lines = [{"text": f"case {row} is {['good', 'bad'][row % 2]}", "label": "ab"[row % 2]} for row in range(60)]
    lines[7]["text"] = lines[50]["text"] = SECRET
    (tmp_path / "letters.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return {
        "task": {"kind": "text", "length": 8},
        "data": {"kind": "jsonl", "path": "letters.jsonl"},
        "model": {"kind": "bag", "embedding": 4, "buckets": 8},
    }


def holding(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file() and b"blue house" in path.read_bytes()]


def origins(run: Run) -> list[str]:
    artifact = run.artifact("dataset")
    assert artifact is not None
    return [line for part in artifact.path.glob("*/origins.txt") for line in part.read_text().splitlines()]


def forget(run: Run, *names: str, dry: bool = False) -> dict[str, Any]:
    return forget_rows(run.recipe(), names, run.folder, "request 17", dry)


def test_what_was_made_of_a_row_is_gone_and_it_never_comes_back(tiny: Tiny, letters: dict[str, Any]) -> None:
    made = tiny("evaluate", sections=letters)
    assert holding(made.folder)
    before = made.artifact("model")
    found = forget(made, "letters.jsonl:8")
    assert found["copies"] == 2
    assert before is not None
    assert before.path.name in found["removed"]
    assert not holding(made.folder)
    assert not list(made.folder.glob("artifacts/*")) or not (made.folder / "artifacts" / before.path.name).exists()
    again = tiny("evaluate", sections=letters)
    assert not holding(again.folder)
    assert not {"letters.jsonl:8", "letters.jsonl:51"} & set(origins(again))
    assert len(origins(again)) == 58
    artifact = again.artifact("dataset")
    assert artifact is not None
    ledger = [json.loads(line) for line in (artifact.path / "ledger.jsonl").read_text().splitlines()]
    assert [entry["rule"] for entry in ledger] == ["forgotten"] * 2
    # Under another name, after the raw file was changed, it is still the same row.
    raw = made.folder.parent / "letters.jsonl"
    raw.write_text("".join(raw.read_text().splitlines(keepends=True)[5:]))
    assert not holding(tiny("prepare", sections=letters).folder)


def test_the_journal_says_so_with_a_hash_alone(tiny: Tiny, letters: dict[str, Any]) -> None:
    made = tiny("prepare", sections=letters)
    found = forget(made, "letters.jsonl:8")
    journal = made.folder / "journal.jsonl"
    (event,) = [item for item in read_journal(journal) if item.event == "rows forgotten"]
    assert event.data["reason"] == "request 17"
    assert event.data["rows"] == found["rows"]
    assert len(found["rows"]) == 1
    assert event.data["removed"]
    assert "letters.jsonl:8" not in json.dumps(event.data)
    verify_journal(journal, made.witness)


def test_a_dry_run_changes_nothing(tiny: Tiny, letters: dict[str, Any]) -> None:
    made = tiny("prepare", sections=letters)
    before = sorted(path for path in made.folder.parent.rglob("*"))
    assert forget(made, "letters.jsonl:8", dry=True)["removed"]
    assert sorted(path for path in made.folder.parent.rglob("*")) == before


def test_what_was_made_without_the_row_stays(tiny: Tiny, letters: dict[str, Any]) -> None:
    made = tiny("prepare", sections=letters)
    forget(made, "letters.jsonl:8")
    again = tiny("prepare", sections=letters)
    assert forget(again, "letters.jsonl:8")["removed"] == []
    assert again.artifact("dataset") is not None


def test_an_unknown_row_is_refused_and_nothing_is_written(tiny: Tiny, letters: dict[str, Any], tmp_path: Path) -> None:
    made = tiny("prepare", sections=letters)
    with pytest.raises(DataError, match=r"no row of this data is called 'letters.jsonl:999'"):
        forget(made, "letters.jsonl:8", "letters.jsonl:999")
    assert not (tmp_path / "forgotten.json").exists()


def test_the_list_may_lie_elsewhere(tiny: Tiny, letters: dict[str, Any], tmp_path: Path) -> None:
    edits = {"prepare__forgotten": "lists/gone.json"}
    (tmp_path / "lists").mkdir()
    made = tiny("prepare", sections=letters, **edits)
    forget(made, "letters.jsonl:8")
    assert (tmp_path / "lists" / "gone.json").exists()
    assert len(origins(tiny("prepare", sections=letters, **edits))) == 58
    assert recipe_from(made.recipe().resolved(), tmp_path).sections["prepare"].forgotten == "lists/gone.json"  # type: ignore[attr-defined]
