"""Whoever asks to stop is answered within ten seconds, whatever the program is doing: saved if there is something, exit 75."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import Cli, events, fork_cli, output_of, wait_for, write_recipe

from modelwright.app import screen
from modelwright.app.cli import main

Recipe = Callable[..., Path]
TRAIN = {"length": "40 steps", "batch": 16, "threads": 1, "validate_every": "8 steps", "save": {"every": "30 steps"}}


@pytest.fixture(scope="module", autouse=True)
def warm(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Import what takes seconds once, here, and not in every child."""
    folder = tmp_path_factory.mktemp("warm")
    path = write_recipe(folder, train={**TRAIN, "length": "2 steps"}, evaluate=None, release=None)
    assert main(["train", str(path), "--runs", str(folder)]) == 0


def appears(path: Path) -> None:
    end = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < end
        time.sleep(0.002)


def stopped(child: int, *signals: signal.Signals) -> tuple[int, float]:
    """Send signals; return the exit code and how long it took."""
    began = time.monotonic()
    for number in signals:
        os.kill(child, number)
        time.sleep(0.1)
    return wait_for(child), time.monotonic() - began


def silent(monkeypatch: pytest.MonkeyPatch, sign: Path, deaf: bool) -> None:
    """Let training read its data for ever; a deaf one does not even hear Ctrl-C, as a library may not."""
    from modelwright.stages.train import run as stage

    def read(*_: Any) -> None:
        sign.touch()
        while True:
            try:
                time.sleep(60)
            except KeyboardInterrupt:
                if not deaf:
                    raise

    monkeypatch.setattr(stage, "read_part", read)


def test_the_answer_comes_within_ten_seconds() -> None:
    assert screen.UNHEARD_SECONDS + screen.STUCK_SECONDS < 10


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
@pytest.mark.parametrize("deaf", [False, True])
def test_stopped_while_data_are_read(
    cli: Cli, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, deaf: bool
) -> None:
    path = recipe(train=TRAIN, evaluate=None, release=None)
    with monkeypatch.context() as patch:
        silent(patch, tmp_path / "reading", deaf)
        patch.setattr(screen, "UNHEARD_SECONDS", 0.3)
        patch.setattr(screen, "STUCK_SECONDS", 0.3)
        child = fork_cli("train", path, "--runs", tmp_path / "runs", output=tmp_path / "said")
        appears(tmp_path / "reading")
        code, seconds = stopped(child, number)
    assert code == 75
    assert (0.6 if deaf else 0.3) <= seconds < 5
    assert "stopped at once" in (tmp_path / "said.err").read_text()
    assert cli("resume", tmp_path / "runs/tiny").code == 0


def test_a_second_ctrl_c_stops_at_once(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = recipe(train=TRAIN, evaluate=None, release=None)
    silent(monkeypatch, tmp_path / "reading", deaf=False)
    child = fork_cli("train", path, "--runs", tmp_path / "runs", "--json", output=tmp_path / "said")
    appears(tmp_path / "reading")
    code, seconds = stopped(child, signal.SIGINT, signal.SIGINT)
    assert code == 75
    assert seconds < 3
    assert json.loads((tmp_path / "said").read_text())["exit_code"] == 75


def test_a_long_save_is_left_to_its_end(
    cli: Cli, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has been heard; to be stopped in it would lose what it is about to save."""
    from modelwright.engine import observers

    real = observers.save_checkpoint

    def slow(folder: Path, checkpoint: Any, keep: int) -> Path:
        if checkpoint.step:
            (tmp_path / "saving").touch()
            time.sleep(1.5)
        return real(folder, checkpoint, keep)

    path = recipe(
        train={**TRAIN, "length": "100000 steps", "save": {"every": "99999 steps"}}, evaluate=None, release=None
    )
    with monkeypatch.context() as patch:
        patch.setattr(observers, "save_checkpoint", slow)
        patch.setattr(screen, "UNHEARD_SECONDS", 0.5)
        patch.setattr(screen, "STUCK_SECONDS", 0.3)
        child = fork_cli("train", path, "--runs", tmp_path / "runs")
        appears(tmp_path / "runs/tiny/work")
        time.sleep(0.3)
        code, seconds = stopped(child, signal.SIGTERM)
    assert (tmp_path / "saving").exists()
    assert code == 75
    assert seconds >= 1.5
    steps = [int(path.name[-9:]) for path in (tmp_path / "runs/tiny").glob("work/train-*/checkpoints/step-*")]
    assert max(steps) > 0


@pytest.mark.parametrize("sampled", [{}, {"average": {"kind": "ema"}, "early_stopping": {"patience": 2}}])
def test_stopped_in_a_long_validation(
    cli: Cli, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sampled: dict[str, Any]
) -> None:
    """The step before it is saved, the validation is made up for, and the end is the same in every byte."""
    from modelwright.engine import observers

    path = recipe(train={**TRAIN, **sampled, "schedule": "plateau"}, evaluate=None, release=None)
    assert cli("train", path, "--runs", tmp_path / "twin").code == 0
    real, calls = observers._predict, []

    def slow(predictor: Any, examples: Any, heed: Callable[[], None]) -> np.ndarray:
        calls.append(0)
        while len(calls) == 2:
            (tmp_path / "validating").touch()
            time.sleep(0.01)
            heed()
        return real(predictor, examples, heed)

    with monkeypatch.context() as patch:
        patch.setattr(observers, "_predict", slow)
        child = fork_cli("train", path, "--runs", tmp_path / "runs")
        appears(tmp_path / "validating")
        code, seconds = stopped(child, signal.SIGTERM)
    assert code == 75
    assert seconds < 5
    run = tmp_path / "runs/tiny"
    assert [path.name for path in run.glob("work/train-*/checkpoints/step-*16")] == ["step-000000016"]
    outcome = cli("resume", run)
    assert outcome.code == 0, outcome.err
    assert [record["data"]["step"] for record in events(run, "training resumed")] == [16]
    assert output_of(run, "train", "model") == output_of(tmp_path / "twin/tiny", "train", "model")
