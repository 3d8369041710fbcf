"""A change under an unfinished training is shown, field by field, and nothing is abandoned before the user says so."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny import Cli, events, output_of

from modelwright.core import execute

Recipe = Callable[..., Path]
TRAIN = {"length": "30 steps", "batch": 16, "threads": 1, "save": {"every": "5 steps", "keep": 2}}
PREPARE = {"limit": 120, "split": {"test": 0.25, "validation": 0.2}}


@pytest.fixture
def begun(cli: Cli, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run that was stopped politely after step 12 of its training."""
    path = recipe(train=TRAIN, evaluate=None, release=None)
    stop_after(12, cli, path, tmp_path, monkeypatch)
    return tmp_path / "runs/tiny"


def stop_after(step: int, cli: Cli, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from modelwright.app.screen import Screen

    with monkeypatch.context() as patch:
        patch.setattr(Screen, "on_progress", lambda self, progress: "interrupt" if progress.step == step else "go")
        assert cli("train", path, "--runs", tmp_path / "runs").code == 75


def refused(cli: Cli, begun: Path, *arguments: object) -> list[str]:
    """Train again; return the lines of the diff, after a look at what must not have changed."""
    before = sorted(path.name for path in begun.glob("work/*/checkpoints/*"))
    outcome = cli("train", *arguments, "--runs", begun.parent, "--json")
    assert outcome.code == 2, outcome.err
    (problem,) = outcome.json["problems"]
    said, *lines = problem["found"].split("\n  ")
    assert said == "an unfinished 'train' lies here, and what it is made from has changed:"
    assert all(
        way in problem["next_step"] for way in (f"modelwright resume {begun}", "--allow-change", "--from-scratch")
    )
    assert events(begun, "change refused")[-1]["data"]["changed"] == lines
    assert sorted(path.name for path in begun.glob("work/*/checkpoints/*")) == before
    return lines


def test_a_changed_recipe_is_refused_and_the_old_one_resumed(cli: Cli, begun: Path, recipe: Recipe) -> None:
    path = recipe(train={**TRAIN, "batch": 8, "optimiser": "sgd"}, evaluate=None, release=None)
    lines = refused(cli, begun, path)
    assert "train.batch: 16 -> 8" in lines
    assert "train.optimiser.kind: adam -> sgd" in lines
    assert not any("seed" in line or "torch" in line or "digest" in line for line in lines)
    outcome = cli("resume", begun)
    assert outcome.code == 0, outcome.err
    assert "resumed after step 12" in outcome.err
    assert json.loads((begun / "run.json").read_text())["recipe"]["train"]["batch"] == 16
    # What is finished asks no questions.
    assert cli("train", path, "--runs", begun.parent).code == 0


def weights_of(run: Path) -> bytes:
    """Return the bytes of the current model's weights."""
    return (run / f"artifacts/model-{output_of(run, 'train', 'model')[:16]}/model.safetensors").read_bytes()


def test_changed_data_are_refused(cli: Cli, begun: Path, recipe: Recipe) -> None:
    lines = refused(cli, begun, recipe(train=TRAIN, prepare={**PREPARE, "limit": 130}, evaluate=None, release=None))
    (line,) = lines
    name, _, digests = line.partition(": ")
    old, new = digests.split(" -> ")
    assert (name, len(old), len(new)) == ("dataset (digest)", 12, 12)
    assert old != new
    # Resuming goes back to the old data too.
    assert "resumed after step 12" in cli("resume", begun).err


def test_changed_code_and_versions_are_refused(cli: Cli, begun: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = begun.parent.parent / "tiny.yaml"
    real, around = execute.code_digest("train"), execute.environment()
    with monkeypatch.context() as patch:
        patch.setattr(execute, "code_digest", lambda stage: "ab" * 32 if stage == "train" else real)
        lines = refused(cli, begun, path)
        assert lines == [f"code of modelwright (digest): {real[:12]} -> {'ab' * 6}"]
    with monkeypatch.context() as patch:
        patch.setattr(execute, "environment", lambda: {**around, "torch": "9.9.9"})
        lines = refused(cli, begun, path)
        assert lines == [f"torch: {around['torch']} -> 9.9.9"]
        assert cli("resume", begun).code == 2
        outcome = cli("resume", begun, "--allow-change")
        assert outcome.code == 0
        assert "resumed after step 12" in outcome.err


def test_an_allowed_change_goes_on_from_the_checkpoint(cli: Cli, begun: Path, recipe: Recipe) -> None:
    path = recipe(train={**TRAIN, "length": "40 steps"}, evaluate=None, release=None)
    assert refused(cli, begun, path) == ["train.length: 30 steps -> 40 steps"]
    outcome = cli("train", path, "--runs", begun.parent, "--allow-change")
    assert outcome.code == 0, outcome.err
    assert "resumed after step 12" in outcome.err
    (record,) = events(begun, "change allowed")
    assert record["data"]["changed"] == ["train.length: 30 steps -> 40 steps"]
    assert not list(begun.glob("work/train-*"))
    # This much longer, a training is the same whether it was so from the start or became so.
    twin = begun.parent.parent / "twin/tiny"
    assert cli("train", path, "--runs", twin.parent).code == 0
    assert weights_of(begun) == weights_of(twin)


def test_a_part_that_was_not_there_before_begins_when_it_is_allowed(cli: Cli, begun: Path, recipe: Recipe) -> None:
    path = recipe(train={**TRAIN, "average": "ema"}, evaluate=None, release=None)
    assert "train.average.kind: none -> ema" in refused(cli, begun, path)
    outcome = cli("train", path, "--runs", begun.parent, "--allow-change")
    assert outcome.code == 0, outcome.err
    assert "resumed after step 12" in outcome.err


def test_what_a_part_remembers_in_another_way_is_refused(
    cli: Cli, begun: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after an update that keeps something else in its checkpoints."""
    from modelwright.engine.observers import LossHistory

    def restore(self: LossHistory, tensors: object, numbers: dict) -> None:
        raise KeyError("moments")

    monkeypatch.setattr(LossHistory, "restore", restore)
    outcome = cli("resume", begun, "--json")
    assert outcome.code == 2
    assert outcome.json["problems"][0]["found"].endswith("what it says of 'history' cannot be used: 'moments'")


@pytest.mark.parametrize(
    ("sections", "reason"),
    [
        ({"model": {"kind": "mlp", "hidden": [17]}}, r"is \(16, 64\), the model's is \(17, 64\)"),
        ({"train": {**TRAIN, "optimiser": "sgd"}}, "was trained by Adam, and is to go on with SGD"),
    ],
)
def test_an_allowed_change_that_does_not_fit_leaves_all_as_it_was(
    cli: Cli, begun: Path, recipe: Recipe, sections: dict, reason: str
) -> None:
    before = sorted(str(path) for path in begun.glob("work/train-*/checkpoints/*/*"))
    path = recipe(**{"train": TRAIN, "evaluate": None, "release": None, **sections})
    outcome = cli("train", path, "--runs", begun.parent, "--allow-change", "--json")
    assert outcome.code == 2, outcome.err
    assert re.search(reason, outcome.json["problems"][0]["found"])
    assert sorted(str(path) for path in begun.glob("work/train-*/checkpoints/*/*")) == before
    old = recipe(train=TRAIN, evaluate=None, release=None)
    assert "resumed after step 12" in cli("train", old, "--runs", begun.parent).err


def test_from_scratch_forgets(cli: Cli, begun: Path, recipe: Recipe) -> None:
    path = recipe(train={**TRAIN, "batch": 8}, evaluate=None, release=None)
    (old,) = begun.glob("work/train-*")
    outcome = cli("train", path, "--runs", begun.parent, "--from-scratch")
    assert outcome.code == 0, outcome.err
    assert "resumed" not in outcome.err
    assert events(begun, "unfinished work forgotten")[0]["data"]["work"] == [old.name]
    assert not list(begun.glob("work/train-*"))


def test_a_failed_training_asks_nobody(cli: Cli, recipe: Recipe, tmp_path: Path) -> None:
    """Who has been told to lower the learning rate need not be asked whether it may be lowered."""
    train = {**TRAIN, "guard": {"then": "stop", "patience": 1, "window": 2, "spike": 2.0}}
    wild = recipe(train={**train, "optimiser": {"kind": "sgd", "lr": 1000.0}}, evaluate=None, release=None)
    assert cli("train", wild, "--runs", tmp_path / "runs").code == 3
    (failed,) = (tmp_path / "runs/tiny").glob("work/train-*/failed.json")
    assert "could not be taken" in json.loads(failed.read_text())["reason"]
    tame = recipe(train={**train, "optimiser": {"kind": "sgd", "lr": 0.1}}, evaluate=None, release=None)
    assert cli("train", tame, "--runs", tmp_path / "runs").code == 0
    assert not failed.parent.exists(), "its checkpoints would never be used again"


def test_a_training_that_failed_once_and_is_then_interrupted_is_unfinished(
    cli: Cli, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = recipe(train=TRAIN, evaluate=None, release=None)
    with monkeypatch.context() as patch:
        from modelwright.core.errors import DataError
        from modelwright.stages.train import run as stage

        def fail(*_: object) -> None:
            raise DataError("the share was away", where="toy")

        patch.setattr(stage, "_fit", fail)
        assert cli("train", path, "--runs", tmp_path / "runs").code == 3
    stop_after(12, cli, path, tmp_path, monkeypatch)
    refused(cli, tmp_path / "runs/tiny", recipe(train={**TRAIN, "batch": 8}, evaluate=None, release=None))


def test_workers_change_no_result_and_are_no_change(cli: Cli, begun: Path, recipe: Recipe) -> None:
    path = recipe(train={**TRAIN, "workers": 2}, evaluate=None, release=None)
    outcome = cli("train", path, "--runs", begun.parent)
    assert outcome.code == 0, outcome.err
    assert "resumed after step 12" in outcome.err
