"""Training in the workers of Ray Train: by a stand-in that starts workers as Ray does, and by Ray itself where it is installed."""

from __future__ import annotations

import importlib.util
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from tiny import Cli, events, write_recipe

TRAIN = {"length": "20 steps", "batch": 16, "threads": 1, "workers": 0, "save": {"every": "5 steps"}}
PARTS: dict[str, Any] = {"train": TRAIN, "evaluate": None, "release": None}


class StandIn:
    """State: how many workers each attempt had, and what it was asked for. Runs each worker in a thread, as Ray does."""

    def __init__(self, sizes: list[int]) -> None:
        self.sizes, self.asked = sizes, SimpleNamespace()
        self.mine = threading.local()

    def modules(self) -> dict[str, ModuleType]:
        """Return what can be imported of Ray."""
        names = ("ray", "ray.train", "ray.train.torch", "ray.train.collective")
        ray, train, trainer, collective = (ModuleType(name) for name in names)
        ray.__dict__.update(is_initialized=lambda: False, init=lambda **how: None, shutdown=lambda: None, train=train)
        keep: Callable[[str], Callable[..., None]] = lambda name: lambda **how: setattr(self.asked, name, how)
        train.__dict__.update(
            ScalingConfig=keep("scaling"),
            RunConfig=keep("run"),
            FailureConfig=lambda max_failures: max_failures,
            get_context=lambda: self.mine.context,
        )
        trainer.__dict__["TorchTrainer"] = lambda work, train_loop_config, **how: SimpleNamespace(
            fit=lambda: self.fit(work, train_loop_config)
        )
        collective.__dict__["broadcast_from_rank_zero"] = self.broadcast
        return dict(zip(names, (ray, train, trainer, collective), strict=True))

    def broadcast(self, value: Any) -> Any:
        if value is not None:
            self.said = value
        self.barrier.wait()
        return self.said

    def fit(self, work: Callable[[dict[str, Any]], None], configuration: dict[str, Any]) -> None:
        """Run the workers; begin again with the next number of them when one fails."""
        for size in self.sizes:
            failed: list[str] = []
            self.barrier = threading.Barrier(size)

            def be(rank: int, size: int = size, failed: list[str] = failed) -> None:
                self.mine.context = SimpleNamespace(get_world_rank=lambda: rank, get_world_size=lambda: size)
                try:
                    work(configuration)
                except RuntimeError as error:
                    failed.append(str(error))

            threads = [threading.Thread(target=be, args=(rank,)) for rank in range(size)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            if not failed:
                return
        raise RuntimeError("; ".join(failed))


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[int]], StandIn]:
    def use(sizes: list[int]) -> StandIn:
        made = StandIn(sizes)
        for name, module in made.modules().items():
            monkeypatch.setitem(sys.modules, name, module)
        return made

    return use


def test_ray_that_is_missing_is_named_with_its_extra(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    done = cli("train", write_recipe(tmp_path), "train.on=ray", "--processes", 2)
    assert done.code == 2
    assert "modelwright[ray]" in done.err


@pytest.mark.full
def test_workers_of_ray_train_as_processes_do(
    cli: Cli, tmp_path: Path, stand_in: Callable[[list[int]], StandIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = stand_in([2])
    done = cli("train", write_recipe(tmp_path, **PARTS), "train.on=ray", "--processes", 2, "--least", 1)
    assert done.code == 0, done.err
    assert made.asked.scaling == {"num_workers": (1, 2)}
    assert made.asked.run["failure_config"] == 3
    run = tmp_path / "runs" / "tiny"
    assert [record["data"]["stage"] for record in events(run, "stage finished")] == ["prepare", "train"]
    # Where it is started makes no other model.
    assert cli("train", tmp_path / "tiny.yaml").code == 0
    assert [record["data"]["stage"] for record in events(run, "stage skipped")] == ["prepare", "train"]


@pytest.mark.full
def test_an_error_of_the_recipe_ends_it_and_is_no_reason_to_begin_again(
    cli: Cli, tmp_path: Path, stand_in: Callable[[list[int]], StandIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    stand_in([2])
    data = {"kind": "csv", "path": "absent.csv"}
    recipe = write_recipe(tmp_path, **{**PARTS, "data": data, "task": "tabular"})
    assert cli("train", recipe, "train.on=ray", "--processes", 2).code in (2, 3)


@pytest.mark.full
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed")
def test_ray_itself_trains_in_two_workers(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = cli("train", write_recipe(tmp_path, **PARTS), "train.on=ray", "--processes", 2)
    assert done.code == 0, done.err
    assert len(events(tmp_path / "runs" / "tiny", "run finished")) == 1
