"""Killed at any moment, interrupted, with damaged checkpoints: resume ends in the same bytes, or says why it cannot."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny import Cli, events, fork_cli, kill_after, output_of, wait_for, write_recipe

from modelwright.app.cli import main
from modelwright.core.journal import verify_journal
from modelwright.engine.loop import Moment

Recipe = Callable[..., Path]
TRAIN = {
    "length": "60 steps",
    "batch": 16,
    "threads": 1,
    "optimiser": {"kind": "adam", "lr": 0.01},
    "schedule": {"kind": "cosine", "warm_up": "5 steps"},
    "validate_every": "4 steps",
    "save": {"every": "3 steps", "keep": 2},
}
MODEL = {"kind": "mlp", "hidden": [16], "dropout": 0.2}
WORKERS = (0, 1, 2, 4)
TENSORS = "tensors-00001-of-00001.safetensors"


@pytest.fixture(scope="module", autouse=True)
def warm(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Import what takes seconds once, here, and not in every child."""
    folder = tmp_path_factory.mktemp("warm")
    path = write_recipe(folder, train={**TRAIN, "length": "2 steps"}, evaluate=None, release=None)
    assert main(["train", str(path), "--runs", str(folder)]) == 0


@pytest.fixture
def twin(cli: Cli, recipe: Recipe, tmp_path: Path) -> tuple[Path, str]:
    """A recipe, and what its undisturbed training gives."""
    path = recipe(train=TRAIN, model=MODEL, evaluate=None, release=None)
    assert cli("train", path, "--runs", tmp_path / "twin").code == 0
    return path, output_of(tmp_path / "twin/tiny", "train", "model")


def kill_until(cli: Cli, twin: tuple[Path, str], tmp_path: Path, dice: random.Random, kills: int) -> int:
    """Kill training at random moments, up to three times a run, so often; return how often a run was resumed.

    Every sitting has another number of loader workers. Every run is then resumed, and must end as its undisturbed twin
    did, with a journal that holds.
    """
    path, digest = twin
    began = time.monotonic()
    assert wait_for(fork_cli("train", path, "--runs", tmp_path / "clock")) == 0
    seconds = time.monotonic() - began
    workers = itertools.cycle(WORKERS)
    killed = resumed = attempt = 0
    while killed < kills:
        attempt += 1
        assert attempt <= 2 * kills
        runs = tmp_path / f"runs{attempt}"
        for _ in range(3):
            child = fork_cli("train", path, "--runs", runs, f"train.workers={next(workers)}")
            ended = kill_after(child, dice.uniform(0.1, 0.9) * seconds)
            assert ended in (-9, 0)
            if ended == 0:
                # The machine has become faster; kill sooner.
                seconds *= 0.8
                break
            killed += 1
        # A run that was killed before it said what it is cannot be resumed, only started.
        started = (runs / "tiny/run.json").exists()
        outcome = cli("resume", runs / "tiny") if started else cli("train", path, "--runs", runs)
        assert outcome.code == 0, outcome.err
        assert output_of(runs / "tiny", "train", "model") == digest
        verify_journal(runs / "tiny/journal.jsonl", runs / "tiny.witness")
        resumed += len(events(runs / "tiny", "training resumed"))
    return resumed


def test_killed_twenty_times_and_resumed(cli: Cli, twin: tuple[Path, str], dice: random.Random, tmp_path: Path) -> None:
    assert kill_until(cli, twin, tmp_path, dice, 20) >= 4


@pytest.mark.full
def test_killed_two_hundred_times_and_resumed(
    cli: Cli, twin: tuple[Path, str], dice: random.Random, tmp_path: Path
) -> None:
    assert kill_until(cli, twin, tmp_path, dice, 200) >= 40


def test_every_example_is_used_once_an_epoch_however_often_training_is_killed(
    cli: Cli, recipe: Recipe, dice: random.Random, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modelwright.engine.incidents import DataOrder

    said, real = tmp_path / "said", DataOrder.__call__

    def say(order: DataOrder, moment: Moment) -> bool:
        with said.open("ab", buffering=0) as stream:
            stream.write(json.dumps([moment.step, moment.batch.indices.tolist()]).encode() + b"\n")
        return real(order, moment)

    monkeypatch.setattr(DataOrder, "__call__", say)
    path = recipe(train={**TRAIN, "length": "30 epochs"}, model=MODEL, evaluate=None, release=None)
    assert wait_for(fork_cli("train", path, "--runs", tmp_path / "clock")) == 0
    undisturbed = dict(json.loads(line) for line in said.read_text().splitlines())
    said.unlink()
    for workers in WORKERS:
        lines = said.read_bytes().count(b"\n") if said.exists() else 0
        child = fork_cli("train", path, "--runs", tmp_path / "runs", f"train.workers={workers}")
        enough = lines + dice.randint(10, 25)
        while not said.exists() or said.read_bytes().count(b"\n") < enough:
            time.sleep(0.001)
        assert kill_after(child, 0) == -9
    assert cli("train", path, "--runs", tmp_path / "runs").code == 0
    steps = [json.loads(line) for line in said.read_text().splitlines()]
    # A step that was lost in a kill is done again, with the same examples in the same order.
    assert all(undisturbed[step] == indices for step, indices in steps)
    assert {step for step, _ in steps} == set(undisturbed)
    assert len(steps) > len(undisturbed), "no kill has met the training"
    size = len({index for indices in undisturbed.values() for index in indices})
    order = [index for step in sorted(undisturbed) for index in undisturbed[step]]
    epochs = [order[start : start + size] for start in range(0, len(order), size)]
    assert len(epochs) == 30
    assert all(sorted(epoch) == list(range(size)) for epoch in epochs)


@pytest.mark.parametrize("torn", ["model", "dataset", "evaluation", "predictions"])
def test_half_an_artifact_of_a_killed_process_is_no_obstacle(
    cli: Cli, recipe: Recipe, tmp_path: Path, torn: str
) -> None:
    """A kill between filling a folder and storing it leaves the folder in the work place of the stage."""
    path = recipe()
    assert cli("run", path, "--runs", tmp_path / "twin").code == 0
    stage = {"model": "train", "dataset": "prepare"}.get(torn, "evaluate")
    key = json.loads((tmp_path / "twin/tiny/run.json").read_text())["current"][stage]
    left = tmp_path / f"runs/tiny/work/{stage}-{key[:16]}/{torn}"
    for name in ("golden", "train", "test"):
        (left / name).mkdir(parents=True)
    (left / "model.safetensors").write_bytes(b"half")
    assert cli("run", path, "--runs", tmp_path / "runs").code == 0
    for stage, kind in (("prepare", "dataset"), ("train", "model"), ("evaluate", "evaluation")):
        assert output_of(tmp_path / "runs/tiny", stage, kind) == output_of(tmp_path / "twin/tiny", stage, kind)


def test_sigterm_saves_and_leaves_with_75(cli: Cli, recipe: Recipe, tmp_path: Path) -> None:
    """As a scheduler would stop it."""
    train = {**TRAIN, "length": "500 steps", "validate_every": "300 steps", "save": {"every": "2000 steps"}}
    path = recipe(train=train, model=MODEL, evaluate=None, release=None)
    assert cli("train", path, "--runs", tmp_path / "twin").code == 0
    run = tmp_path / "runs/tiny"
    child = fork_cli("train", path, "--runs", tmp_path / "runs", "--json", output=tmp_path / "said.json")
    wait_until_training(run)
    time.sleep(0.05)
    os.kill(child, signal.SIGTERM)
    assert wait_for(child) == 75
    out, err = (tmp_path / "said.json").read_text(), (tmp_path / "said.err").read_text()
    answer = json.loads(out)
    assert (answer["error"], answer["exit_code"]) == ("Interrupted", 75)
    assert answer["problems"][0]["next_step"] == f"modelwright resume {run}"
    assert "stopped after step " in err
    step = newest_step(run)
    outcome = cli("resume", run)
    assert outcome.code == 0, outcome.err
    assert f"resumed after step {step}" in outcome.err
    assert output_of(run, "train", "model") == output_of(tmp_path / "twin/tiny", "train", "model")


def journal_so_far(run: Path) -> list[dict]:
    """Return the starts of stages, read while another process may be writing."""
    path = run / "journal.jsonl"
    whole = path.read_text().rpartition("\n")[0].splitlines() if path.exists() else []
    return [record for line in whole if (record := json.loads(line))["event"] == "stage started"]


def newest_step(run: Path) -> int:
    """Return the step of the newest checkpoint of a training that was stopped."""
    return max(int(path.name.removeprefix("step-")) for path in run.glob("work/train-*/checkpoints/step-*"))


def wait_until_training(run: Path) -> None:
    """Wait until another process has begun to train."""
    end = time.monotonic() + 60
    while not any(record["data"]["stage"] == "train" for record in journal_so_far(run)):
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGUSR1])
def test_other_polite_signals_do_the_same(cli: Cli, recipe: Recipe, tmp_path: Path, number: signal.Signals) -> None:
    train = {**TRAIN, "length": "1000000 steps", "validate_every": "100000 steps", "save": {"every": "100000 steps"}}
    path = recipe(train=train, evaluate=None, release=None)
    child = fork_cli("train", path, "--runs", tmp_path / "runs")
    wait_until_training(tmp_path / "runs/tiny")
    time.sleep(0.05)
    os.kill(child, number)
    assert wait_for(child) == 75
    assert 0 < newest_step(tmp_path / "runs/tiny") < 100_000


def interrupted_at(cli: Cli, path: Path, runs: Path, step: int, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Stop the run politely after a step; return its checkpoints, oldest first."""
    from modelwright.app.screen import Screen

    with monkeypatch.context() as patch:
        patch.setattr(Screen, "on_progress", lambda self, progress: "interrupt" if progress.step == step else "go")
        assert cli("train", path, "--runs", runs).code == 75
    return sorted((runs / "tiny").glob("work/train-*/checkpoints/step-*"))


def flip(path: Path) -> None:
    """Turn over one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


def cut(path: Path) -> None:
    """Cut off the second half of a file."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def zero(path: Path) -> None:
    """Let the first page of a file read as zeros, as after a power cut."""
    content = path.read_bytes()
    path.write_bytes(bytes(min(4096, len(content))) + content[4096:])


@pytest.mark.parametrize(("name", "damage"), [(TENSORS, flip), ("state.json", cut), ("manifest.json", zero)])
def test_a_damaged_checkpoint_is_noticed_and_the_one_before_taken(
    cli: Cli,
    twin: tuple[Path, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    damage: Callable[[Path], None],
) -> None:
    path, digest = twin
    older, newest = interrupted_at(cli, path, tmp_path / "runs", 11, monkeypatch)
    assert (older.name, newest.name) == ("step-000000009", "step-000000011")
    damage(newest / name)
    outcome = cli("resume", tmp_path / "runs/tiny")
    assert outcome.code == 0, outcome.err
    assert "damaged, going back to the one before" in outcome.err
    assert str(newest / name) in outcome.err
    assert "resumed after step 9" in outcome.err
    (record,) = events(tmp_path / "runs/tiny", "checkpoint damaged")
    assert str(newest / name) in record["data"]["reason"]
    assert [record["data"]["step"] for record in events(tmp_path / "runs/tiny", "training resumed")] == [9]
    assert output_of(tmp_path / "runs/tiny", "train", "model") == digest


def test_all_checkpoints_damaged_is_no_silent_fresh_start(
    cli: Cli, twin: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, digest = twin
    for checkpoint in interrupted_at(cli, path, tmp_path / "runs", 11, monkeypatch):
        flip(checkpoint / TENSORS)
    outcome = cli("resume", tmp_path / "runs/tiny", "--json")
    assert outcome.code == 5
    problem = outcome.json["problems"][0]
    assert problem["found"].startswith("every checkpoint is damaged: ")
    assert "step-000000009" in problem["found"]
    assert problem["next_step"] == "start anew with --from-scratch"
    assert events(tmp_path / "runs/tiny", "training resumed") == []
    assert cli("train", path, "--runs", tmp_path / "runs", "--from-scratch").code == 0
    assert output_of(tmp_path / "runs/tiny", "train", "model") == digest


def test_interrupted_at_the_last_step_is_not_trained_further(
    cli: Cli, twin: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, digest = twin
    assert interrupted_at(cli, path, tmp_path / "runs", 60, monkeypatch)[-1].name == "step-000000060"
    assert cli("resume", tmp_path / "runs/tiny").code == 0
    assert output_of(tmp_path / "runs/tiny", "train", "model") == digest


def test_skipped_steps_are_remembered_across_an_interruption(
    cli: Cli, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The count of skipped steps goes into the model's record, so it must survive, and so must the patience used up."""
    import torch

    from modelwright.layouts.local import Local

    real, calls = Local.backward, []

    def backward(self, turn, parts, objective):
        losses = real(self, turn, parts, objective)
        step = int(next(iter(turn.optimiser.state.values()))["step"]) if turn.optimiser.state else 0
        calls.append(step)
        return torch.full_like(losses, torch.nan) if step == 4 and len(spoilt) < 2 and not spoilt.append(1) else losses

    monkeypatch.setattr(Local, "backward", backward)
    path = recipe(train={**TRAIN, "length": "12 steps"}, evaluate=None, release=None)
    spoilt: list[int] = []
    assert cli("train", path, "--runs", tmp_path / "twin").code == 0
    spoilt.clear()
    interrupted_at(cli, path, tmp_path / "runs", 8, monkeypatch)
    assert cli("resume", tmp_path / "runs/tiny").code == 0
    (model,) = (tmp_path / "runs/tiny/artifacts").glob("model-*/training.json")
    assert json.loads(model.read_text())["skipped_steps"] == 2
    assert output_of(tmp_path / "runs/tiny", "train", "model") == output_of(tmp_path / "twin/tiny", "train", "model")


def test_a_run_that_was_moved_is_resumed_where_it_is(
    cli: Cli, twin: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, digest = twin
    interrupted_at(cli, path, tmp_path / "runs", 11, monkeypatch)
    (tmp_path / "runs/tiny").rename(tmp_path / "moved")
    monkeypatch.chdir(tmp_path / "moved")
    outcome = cli("resume", ".")
    assert outcome.code == 0, outcome.err
    assert "resumed after step 11" in outcome.err
    assert output_of(tmp_path / "moved", "train", "model") == digest
    assert not (tmp_path / "moved/tiny").exists()
    assert not (tmp_path / "runs/tiny").exists()


def test_the_best_weights_are_in_every_checkpoint(
    cli: Cli, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They came before the interruption and are better than all that comes after it."""
    from modelwright.engine.checkpoint import load_newest

    ruinous = {**TRAIN, "length": "40 steps", "schedule": "constant", "optimiser": {"kind": "sgd", "lr": 1.5}}
    path = recipe(train={**ruinous, "keep": "best"}, model={"kind": "mlp", "hidden": [16]}, evaluate=None, release=None)
    assert cli("train", path, "--runs", tmp_path / "twin").code == 0
    (record,) = (tmp_path / "twin/tiny/artifacts").glob("model-*/training.json")
    best = json.loads(record.read_text())["kept_step"]
    assert best < 30, "the example no longer shows the difference"
    checkpoints = interrupted_at(cli, path, tmp_path / "runs", best + 3, monkeypatch)
    for folder in {checkpoint.parent for checkpoint in checkpoints}:
        found, _ = load_newest(folder)
        weights = {name.split("/", 2)[2] for name in found.tensors if name.startswith("validation/memory/")}
        assert weights == {name.split("/", 2)[2] for name in found.tensors if name.startswith("model/model/")}
    assert cli("resume", tmp_path / "runs/tiny").code == 0
    assert output_of(tmp_path / "runs/tiny", "train", "model") == output_of(tmp_path / "twin/tiny", "train", "model")


def test_nothing_to_resume(cli: Cli, tmp_path: Path) -> None:
    outcome = cli("resume", tmp_path / "nowhere", "--json")
    assert outcome.code == 3
    assert outcome.json["problems"][0]["found"] == "there is no run here"
    assert not (tmp_path / "nowhere").exists()
