"""What was made already is not made again; what changed, and only what depends on it, is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tiny import Cli, Finished, Outcome, events, output_of, snapshot

ALL = ["prepare", "train", "evaluate", "release"]


def run(cli: Cli, finished: Finished, *overrides: str) -> tuple[list[str], Outcome]:
    """Run the recipe; return which stages ran, by the journal."""
    before = len(events(finished.run))
    outcome = cli("run", finished.recipe, *overrides, "--runs", finished.runs, "--json")
    assert outcome.code == 0, outcome.err
    fresh = events(finished.run)[before:]
    started = [record["data"]["stage"] for record in fresh if record["event"] == "stage started"]
    skipped = [record["data"]["stage"] for record in fresh if record["event"] == "stage skipped"]
    assert sorted(started + skipped) == sorted(ALL)
    assert outcome.err.count("nothing to do: made already") == len(skipped)
    return started, outcome


def test_the_second_run_does_nothing_and_says_so(cli: Cli, finished: Finished) -> None:
    volatile = ("tiny.witness",)
    before = snapshot(finished.runs, *volatile)
    started, outcome = run(cli, finished)
    assert started == []
    assert outcome.json["release"] == str(finished.release)
    after = snapshot(finished.runs, *volatile)
    # The journal says that the recipe was asked for again, and the page shows the journal; nothing else has changed.
    assert {name for name in before if before[name] != after[name]} <= {"tiny/journal.jsonl", "tiny/report.html"}
    assert set(before) == set(after)


@pytest.mark.parametrize(
    ("override", "runs_again"),
    [
        ("evaluate.resamples=200", ["evaluate", "release"]),
        ("evaluate.worst=3", ["evaluate", "release"]),
        ("release.owner=me", ["release"]),
        ("train.batch=8", ["train", "evaluate", "release"]),
        ("model.hidden=[8]", ["train", "evaluate", "release"]),
        ("prepare.split.test=0.3", ALL),
        ("task.normalise=unit", ALL),
        ("seed=2", ALL),
    ],
)
def test_only_what_depends_on_a_change_runs_again(
    cli: Cli, finished: Finished, override: str, runs_again: list[str]
) -> None:
    assert run(cli, finished, override)[0] == runs_again
    # And the way back is free.
    assert run(cli, finished)[0] == []


def test_judging_again_does_not_open_the_test_part_again(cli: Cli, finished: Finished) -> None:
    for override in ("evaluate.resamples=200", "evaluate.confidence=0.9", "evaluate.worst=0"):
        run(cli, finished, override)
    opened = [record["data"] for record in events(finished.run, "test part opened")]
    assert [item["model"] for item in opened] == [output_of(finished.run, "train", "model")]
    # Another model has not seen it yet.
    run(cli, finished, "train.batch=8")
    opened = [record["data"]["model"] for record in events(finished.run, "test part opened")]
    assert opened[1:] == [output_of(finished.run, "train", "model")]
    run(cli, finished)
    assert len(events(finished.run, "test part opened")) == 2


def test_a_removed_release_comes_back(cli: Cli, finished: Finished) -> None:
    before = snapshot(finished.release)
    shutil.rmtree(finished.release)
    assert run(cli, finished)[0] == []
    assert snapshot(finished.release) == before
    (finished.release / "README.md").write_text("mine")
    assert run(cli, finished)[0] == []
    assert snapshot(finished.release) == before


def test_a_damaged_original_of_a_release_is_not_published(cli: Cli, finished: Finished) -> None:
    (original,) = (path for path in (finished.run / "artifacts").glob("release-*") if path.is_dir())
    weights = original / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x7f")
    shutil.rmtree(finished.release)
    outcome = cli("run", finished.recipe, "--runs", finished.runs)
    assert outcome.code == 5
    assert f"{weights}: the file was changed" in outcome.err
    assert not finished.release.exists()
    # A release that lies there whole is no reason to look at its original.


def test_a_removed_artifact_is_made_again(cli: Cli, finished: Finished) -> None:
    (model,) = (path for path in (finished.run / "artifacts").glob("model-*") if path.is_dir())
    shutil.rmtree(model)
    digest = output_of(finished.run, "train", "model")
    started, _ = run(cli, finished)
    assert started[0] == "train"
    assert output_of(finished.run, "train", "model") == digest


def test_from_scratch_forgets(cli: Cli, finished: Finished) -> None:
    digest = output_of(finished.run, "train", "model")
    outcome = cli("run", finished.recipe, "--runs", finished.runs, "--from-scratch")
    assert outcome.code == 0
    assert "nothing to do" not in outcome.err
    assert output_of(finished.run, "train", "model") == digest


def test_a_stage_verb_stops_after_its_stage(cli: Cli, finished: Finished, tmp_path: Path) -> None:
    outcome = cli("train", finished.recipe, "--runs", tmp_path / "others", "--json")
    assert list(outcome.json["stages"]) == ["prepare", "train"]
    assert "release" not in outcome.json
    assert events(tmp_path / "others/tiny", "test part opened") == []
    assert list(json.loads((tmp_path / "others/tiny/run.json").read_text())["current"]) == ["prepare", "train"]
