"""Encryption at rest, as a recipe asks for it: nothing of the rows lies open, and nothing else is different."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelwright.core import opened as vault
from modelwright.core.errors import DamagedArtifact, Interrupted, RecipeError
from modelwright.core.journal import read_journal
from modelwright.core.run import Run
from modelwright.core.sealing import is_sealed
from modelwright.core.stage import Answer, Progress

Tiny = Callable[..., Run]
SECRET = "nobody may read this sentence"
ENCRYPT = {"key": "env:TEST_KEY"}


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", "02" * 32)


@pytest.fixture
def letters(tmp_path: Path) -> dict[str, Any]:
    """Write texts; return the sections that read them. The model is a network, which keeps checkpoints."""
    lines = [{"text": f"{SECRET} {row} {['good', 'bad'][row % 2]}", "label": "ab"[row % 2]} for row in range(80)]
    (tmp_path / "letters.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return {
        "task": {"kind": "text", "length": 8},
        "data": {"kind": "jsonl", "path": str(tmp_path / "letters.jsonl")},
        "model": {"kind": "bag", "embedding": 4, "buckets": 8},
    }


def holding(run: Path, words: str) -> list[Path]:
    """Return the files below a run folder in which some words stand."""
    return [path for path in run.rglob("*") if path.is_file() and words.encode() in path.read_bytes()]


def digest(run: Run, kind: str) -> str:
    artifact = run.artifact(kind)
    assert artifact is not None
    return artifact.digest


def test_no_row_lies_open_and_the_results_are_the_same(run_in: Tiny, letters: dict[str, Any], tmp_path: Path) -> None:
    plain = run_in(tmp_path / "plain", "evaluate", sections=letters)
    sealed = run_in(tmp_path / "sealed", "evaluate", sections={**letters, "encrypt": ENCRYPT}, evaluate__folds=2)
    assert holding(plain.folder, SECRET)
    assert not holding(sealed.folder, SECRET)
    for kind in ("dataset", "model"):
        assert digest(plain, kind) == digest(sealed, kind)
    shelves = [*sealed.folder.glob("**/artifacts/dataset-*/")]
    assert len(shelves) == 3
    files = [path for shelf in shelves for path in shelf.rglob("*") if path.is_file()]
    assert files
    assert all(is_sealed(path) for path in files)


def test_it_goes_on_when_made_already_and_with_the_key_elsewhere(
    tiny: Tiny, letters: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my.key").write_text("03" * 32)
    sections = {**letters, "encrypt": {"key": "file:my.key"}}
    first = tiny("prepare", sections=sections)
    vault.close_all()
    second = tiny("train", sections=sections)
    events = [item.event for item in read_journal(second.folder / "journal.jsonl")]
    assert "stage skipped" in events
    assert digest(first, "dataset") == digest(second, "dataset")
    vault.close_all()
    (tmp_path / "my.key").rename(tmp_path / "moved.key")
    with pytest.raises(RecipeError, match="is not at file"):
        digest(second, "dataset")
    monkeypatch.setenv("MODELWRIGHT_KEY_FILE", str(tmp_path / "moved.key"))
    assert digest(second, "dataset")


def test_what_lay_open_is_sealed_and_a_new_key_takes_over(
    tiny: Tiny, letters: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = tiny("prepare", sections=letters)
    assert holding(opened.folder, SECRET)
    tiny("prepare", sections={**letters, "encrypt": ENCRYPT})
    assert not holding(opened.folder, SECRET)
    monkeypatch.setenv("NEW_KEY", "04" * 32)
    made = tiny("train", sections={**letters, "encrypt": {"key": "env:NEW_KEY", "before": ["env:TEST_KEY"]}})
    notes = [item.data for item in read_journal(made.folder / "journal.jsonl") if item.event == "files sealed"]
    assert [note["sealed"] > 0 for note in notes] == [True, False]
    assert [note["given_over"] > 0 for note in notes] == [False, True]
    monkeypatch.delenv("TEST_KEY")
    vault.close_all()
    assert digest(made, "dataset") == digest(opened, "dataset")


def test_checkpoints_are_sealed_and_resume_to_the_same_bytes(
    run_in: Tiny, letters: dict[str, Any], tmp_path: Path
) -> None:
    sections = {**letters, "encrypt": ENCRYPT}
    edits: dict[str, Any] = {"train__length": "6 steps", "train__save": {"every": "1 steps"}}
    whole = run_in(tmp_path / "whole", "train", sections=sections, **edits)

    def stop(progress: Progress) -> Answer:
        return "interrupt" if progress.stage == "train" and progress.step == 3 else "go"

    with pytest.raises(Interrupted):
        run_in(tmp_path / "half", "train", sections=sections, on_progress=stop, **edits)
    saved = [path for path in (tmp_path / "half").glob("work/*/checkpoints/*/*") if path.name != "manifest.json"]
    assert saved
    assert all(is_sealed(path) for path in saved)
    again = run_in(tmp_path / "half", "train", sections=sections, **edits)
    assert any(item.event == "training resumed" for item in read_journal(again.folder / "journal.jsonl"))
    assert digest(again, "model") == digest(whole, "model")


def test_checkpoints_stay_open_where_that_is_asked(tiny: Tiny, letters: dict[str, Any]) -> None:
    def stop(progress: Progress) -> Answer:
        return "interrupt" if progress.stage == "train" and progress.step == 2 else "go"

    sections = {**letters, "encrypt": {**ENCRYPT, "checkpoints": False, "artifacts": ["groups"]}}
    with pytest.raises(Interrupted):
        tiny("train", sections=sections, on_progress=stop)
    run = Path(letters["data"]["path"]).parent / "run"
    assert not any(is_sealed(path) for path in run.glob("work/*/checkpoints/*/*"))
    assert holding(run, SECRET)


def test_a_damaged_file_is_refused(tiny: Tiny, letters: dict[str, Any]) -> None:
    sections = {**letters, "encrypt": ENCRYPT}
    made = tiny("prepare", sections=sections)
    (file,) = made.folder.glob("artifacts/dataset-*/ledger.jsonl.sealed")
    file.write_bytes(file.read_bytes()[:-1] + b"\0")
    with pytest.raises(DamagedArtifact, match="chunk 1 is not what was sealed"):
        tiny("train", sections=sections)


def test_without_its_key_nothing_runs(tiny: Tiny, letters: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_KEY")
    with pytest.raises(RecipeError, match="the variable is not set"):
        tiny("prepare", sections={**letters, "encrypt": ENCRYPT})
    with pytest.raises(RecipeError, match="opened by others"):
        tiny("prepare", sections={**letters, "encrypt": {**ENCRYPT, "artifacts": ["release"]}})


def test_what_a_killed_process_left_open_goes_with_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vault, "MEMORY", tmp_path)
    left = tmp_path / f"{vault.OPENED}999999999-x"
    left.mkdir()
    place = vault.private_place()
    assert place.parent == tmp_path
    assert place.stat().st_mode & 0o077 == 0
    assert not left.exists()
    vault.close_all()
    assert not place.exists()
