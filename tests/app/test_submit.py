"""Several recipes handed to Ray: by what they say, and by Ray itself where it is installed."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from tiny import TINY, Cli, events, write_recipe

from modelwright.core.run import Run
from modelwright.engine.queue import Job
from modelwright.engine.queue_ray import submit_to_ray

RAY = [
    pytest.mark.full,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed"),
    # Ray leaves its own processes to be collected.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]
PARTS: dict[str, Any] = {"evaluate": None, "release": None}
MIB = 2**20


def recipe_called(folder: Path, name: str, **sections: Any) -> Path:
    place = folder / name
    place.mkdir()
    return write_recipe(place, **{**PARTS, "name": name, **sections})


def test_the_section_says_what_a_job_needs(cli: Cli, tmp_path: Path) -> None:
    plain = recipe_called(tmp_path, "plain")
    said = {"priority": 3, "workers": 4, "least": 2, "cpus": 2, "gpus": 0.5, "memory": "3 GiB"}
    train = {"length": "1 epochs", "batch": 16, "threads": "auto"}
    urgent = recipe_called(tmp_path, "urgent", submit=said, train=train)
    first, second = cli("submit", plain, urgent, "--dry-run", "--json").json["jobs"]
    assert first["name"] == "urgent"
    assert (first["most"], first["least"], first["cpus"], first["gpus"]) == (4, 2, 2, 0.5)
    assert first["memory"] == 3 * 1024 * MIB
    assert first["overrides"] == ["train.threads=2"]
    assert (second["most"], second["least"], second["cpus"], second["overrides"]) == (1, 1, 1, [])


def test_what_cannot_stand_in_a_queue_is_refused(cli: Cli, tmp_path: Path) -> None:
    one = recipe_called(tmp_path, "one")
    assert cli("submit", one, one, "--dry-run").code == 2
    layout = recipe_called(tmp_path, "layout", submit={"workers": 2}, train={**TINY["train"], "layout": "local"})
    done = cli("submit", layout, "--dry-run")
    assert done.code == 2
    assert "layout" in done.err


def test_ray_that_is_missing_is_named_with_its_extra(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    done = cli("submit", recipe_called(tmp_path, "one"), "--runs", tmp_path / "runs")
    assert done.code == 2
    assert "modelwright[ray]" in done.err


class TestOnRay:
    """With a Ray of its own on this machine; slow to start, so in the longer proofs."""

    pytestmark = RAY

    def test_jobs_run_and_what_fits_nowhere_says_so(self, cli: Cli, tmp_path: Path) -> None:
        small = [recipe_called(tmp_path, name, submit={"memory": "400 MiB"}) for name in ("one", "two")]
        huge = recipe_called(tmp_path, "huge", submit={"memory": "4000 GiB", "priority": 9})
        done = cli("submit", *small, huge, "--runs", tmp_path / "runs")
        assert done.code == 4
        assert "huge" in done.err
        assert "no machine has that" in done.err
        for name in ("one", "two"):
            assert len(events(tmp_path / "runs" / name, "run finished")) >= 1
            assert f"{name}: begins with 1 cores and 400.0 MiB" in done.err

    def test_a_limit_of_energy_holds_back_the_last(self, cli: Cli, tmp_path: Path) -> None:
        recipes = [recipe_called(tmp_path, name) for name in ("one", "two")]
        planned = [cli("plan", recipe, "--runs", tmp_path / "runs", "--json").json for recipe in recipes]
        joules = [
            next(item["value"] for item in plan["evidence"] if item["name"] == "planned_energy") for plan in planned
        ]
        done = cli("submit", *recipes, "--runs", tmp_path / "runs", "--energy", f"{1.2 * max(joules)} J")
        assert done.code == 4
        assert done.err.count("with it the queue would take") >= 1
        finished = [name for name in ("one", "two") if Run(tmp_path / "runs" / name).artifact("model")]
        assert len(finished) == 1

    def test_sizes_change_at_a_checkpoint_and_the_training_goes_on(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import ray

        monkeypatch.chdir(tmp_path)
        train = {"length": "4000 steps", "batch": 16, "threads": 1, "workers": 0, "save": {"every": "100 steps"}}
        long = recipe_called(tmp_path, "long", train=train)
        short = recipe_called(tmp_path, "short")
        jobs = [
            Job("long", str(long), memory=100 * MIB, least=1, most=2, seconds=1),
            Job("short", str(short), memory=600 * MIB, seconds=2),
        ]
        said: list[str] = []
        address = os.environ.get("RAY_ADDRESS")
        here: dict[str, Any] = {"address": address} if address else {"address": "local", "num_cpus": 2}
        ray.init(**here, log_to_driver=False)
        try:
            standings = submit_to_ray(jobs, tmp_path / "runs", said.append, settling=8.0)
        finally:
            ray.shutdown()
        print("\n".join(said))
        assert [item.state for item in standings] == ["finished", "finished"], said
        sizes = standings[0].sizes
        assert sizes[0].workers == 2
        assert any(size.memory > 100 * MIB for size in sizes), "it took more than was set aside"
        assert events(tmp_path / "runs" / "long", "training resumed")
