"""The trace of a training as others read it: TensorBoard's own reader and MLflow's own client find what the record says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny import Cli

from modelwright.app import tracking
from modelwright.engine.trackers import OF_LAYERS, scalars_of

Recipe = Callable[..., Path]


def record(run: Path) -> dict[str, Any]:
    (path,) = run.glob("artifacts/model-*/training.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_tensorboard_reads_what_was_written(cli: Cli, recipe: Recipe, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    path = recipe(track={"to": [{"kind": "tensorboard", "folder": "events"}]}, release=None)
    runs = tmp_path / "runs"
    for _ in range(2):
        assert cli("run", path, "--runs", runs).code == 0
    (file,) = (runs / "tiny" / "events").iterdir()
    read = {
        (value.tag, event.step): value.simple_value or value.tensor.float_val[0]
        for event in EventFileLoader(str(file)).Load()
        for value in event.summary.value
    }
    told = {(name, step): value for name, step, value in scalars_of(record(runs / "tiny"))}
    assert read == pytest.approx(told, rel=1e-6)
    curves = {name for name, _ in told}
    assert {
        "training/loss",
        "validation/loss",
        "validation/accuracy",
        "model/learning_rate",
        "model/gradient_norm",
    } <= curves
    for kind in OF_LAYERS:
        assert len([name for name in curves if name.startswith(f"{kind}/")]) == 2


def test_mlflow_reads_what_was_written_once(cli: Cli, recipe: Recipe, tmp_path: Path) -> None:
    pytest.importorskip("mlflow")
    import warnings

    path = recipe(track={"to": [{"kind": "mlflow", "store": "runs.db", "experiment": "trials"}]}, release=None)
    runs = tmp_path / "runs"
    with warnings.catch_warnings():
        # The library's own, about its own dependencies.
        warnings.simplefilter("ignore")
        for overrides in ((), (), ("train.batch=8",)):
            assert cli("run", path, *overrides, "--runs", runs).code == 0
        from mlflow.tracking import MlflowClient

        client = MlflowClient(f"sqlite:///{tmp_path / 'runs.db'}")
        experiment = client.get_experiment_by_name("trials")
        found = client.search_runs([experiment.experiment_id])
        assert sorted(item.data.params["train.batch"] for item in found) == ["16", "8"]
        newest = next(item for item in found if item.data.params["train.batch"] == "8")
        losses = client.get_metric_history(newest.info.run_id, "training/loss")
    told = [(step, value) for name, step, value in scalars_of(record_of(runs, newest)) if name == "training/loss"]
    assert [(item.step, item.value) for item in losses] == told
    assert newest.data.metrics["accuracy"] > 0
    assert any(name.startswith("recall.") for name in newest.data.metrics)


def record_of(runs: Path, run: Any) -> dict[str, Any]:
    """Return the record of the model that an MLflow run speaks of."""
    digest = run.data.tags["modelwright.model"]
    found: dict[str, Any] = json.loads(
        (runs / "tiny" / "artifacts" / f"model-{digest[:16]}" / "training.json").read_text()
    )
    return found


def test_without_the_extra_the_run_does_not_begin(
    cli: Cli, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracking, "find_spec", lambda name: None)
    outcome = cli("run", recipe(track={"to": ["mlflow"]}), "--runs", tmp_path / "runs")
    assert outcome.code == 2
    assert "modelwright[track]" in outcome.err
    assert not (tmp_path / "runs").exists()


def test_what_is_not_a_number_is_not_told() -> None:
    points = [{"step": 3, "turn": "model", "lr": 0.1, "norm": None, "layers": {"a": [1.0, float("nan"), None]}}]
    assert list(scalars_of({"trace": points})) == [("model/learning_rate", 4, 0.1), ("gradient_norm/a", 4, 1.0)]
