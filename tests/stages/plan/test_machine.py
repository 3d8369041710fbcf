"""The machine at hand: its file, who reads it, and what a plan says of settings that it counts another way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from modelwright.core.recipe import recipe_from
from modelwright.stages.plan import calibrating
from modelwright.stages.plan.machine import BYTES_OF_MEMORY, FLOPS_OF_CORE, machine_of
from modelwright.stages.plan.notes import notes_of

MEASURED = {"flops_per_second[float32]": 8e9, "flops_per_second[bfloat16]": 2e10, "bytes_per_second": 3e9}


@pytest.fixture
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    def measure(threads: int) -> dict[str, Any]:
        return {name: {"value": value, "how": "measured"} for name, value in MEASURED.items()}

    monkeypatch.setattr("modelwright.engine.calibration.calibrate", measure)
    return tmp_path


def test_a_plan_finds_what_was_measured_here_and_nothing_of_another_processor(
    at_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guessed = machine_of("here", 2)
    assert (guessed.flops_per_second, guessed.bytes_per_second) == (2 * FLOPS_OF_CORE, BYTES_OF_MEMORY)
    assert "not calibrated" in guessed.source
    assert not (at_home / "modelwright").exists()
    calibrating.calibrate(None, 2, 1.5, dry_run=True)
    assert not (at_home / "modelwright").exists()
    calibrating.calibrate(None, 2, 1.5, dry_run=False)
    known = machine_of("here", 1)
    # The rate of two threads, on one.
    assert (known.flops_per_second, known.bytes_per_second, known.price) == (4e9, 3e9, 1.5)
    assert machine_of("here", 2, "bfloat16_parameters").flops_per_second == 2e10
    assert "calibrated on" in known.source
    monkeypatch.setattr(calibrating, "processor", lambda: "another one")
    assert "not calibrated" in machine_of("here", 2).source


def test_every_constant_says_how_it_is_known(at_home: Path) -> None:
    place = at_home / "elsewhere.json"
    found = calibrating.calibrate(place, 1, 0.0, dry_run=False)
    content = json.loads(place.read_text())
    assert found == {"file": str(place), "machine": content}
    assert content["date"]
    assert content["source"]
    assert {item["how"] for item in content["constants"].values()} == {"measured", "stated", "guessed"}
    assert content["constants"]["watts"]["how"] == content["constants"]["price"]["how"] == "guessed"


def test_a_damaged_file_is_no_file(at_home: Path) -> None:
    calibrating.place_of_machine_file().parent.mkdir()
    calibrating.place_of_machine_file().write_text("{")
    assert "not calibrated" in machine_of("here", 1).source


@pytest.mark.parametrize(
    ("train", "said"),
    [
        ({}, ""),
        ({"compile": True}, "train.compile: true"),
        ({"compile": "auto"}, "train.compile: auto"),
        ({"privacy": {"kind": "dp_sgd", "epsilon": 5}, "guard": {"then": "stop", "spike": 0}}, "train.privacy: dp_sgd"),
    ],
)
def test_settings_that_are_planned_another_way_are_named(train: dict[str, Any], said: str) -> None:
    recipe = recipe_from(
        {
            "version": 1,
            "name": "named",
            "task": "image",
            "data": {"kind": "sample", "name": "digits"},
            "model": {"kind": "mlp"},
            "train": {"keep": "last", **train},
            "plan": {},
        },
        Path(),
    )
    notes = notes_of(recipe)
    assert [note.startswith(said) for note in notes] == ([True] if said else [])
