"""The command line: one JSON object or none, dry runs that write nothing, smoke runs that take nobody's place."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny import Cli, Finished, output_of, snapshot

from modelwright.app.cli import VERBS, main
from modelwright.app.screen import Screen

Recipe = Callable[..., Path]


def arguments_of(verb: str, finished: Finished, tmp_path: Path) -> list[object]:
    """Return arguments with which a verb works on the finished run."""
    picture = next(finished.run.glob("artifacts/evaluation-*/worst-00.png"))
    recipe: list[object] = [finished.recipe, "--runs", finished.runs]
    return {
        "init": ["--sample", "digits", "--out", tmp_path / "new.yaml"],
        "check": [finished.recipe],
        "show": [finished.recipe, "--origin"],
        "resume": [finished.run],
        "runs": ["--runs", finished.runs],
        "report": [finished.run],
        "predict": [finished.release, picture],
        "verify": [finished.release],
        "serve": [finished.release, "port=0", "--ask", picture],
        "keys": ["add", finished.release, "team"],
        "tune": [*recipe, "tune.space={train.batch: [8, 16]}", "tune.trials=2"],
        # Ray is not among what is installed for the tests: what is planned is said without it.
        "submit": [*recipe, "--dry-run"],
        "launch-files": [finished.recipe, "--on", "slurm", "--out", tmp_path / "files"],
        # A list of its own: nobody else's rows are to be forgotten.
        "forget": [
            *(finished.recipe, "--runs", tmp_path / "none", f"prepare.forgotten={tmp_path / 'gone.json'}"),
            *("--rows", "digits.csv.gz:1", "--reason", "a test"),
        ],
        "label": asked(tmp_path) if verb == "label" else [],
        "calibrate": ["--out", tmp_path / "machine.json", "--threads", "1"],
        "doctor": [],
    }.get(verb, recipe)


def asked(tmp_path: Path) -> list[object]:
    """Train on a few texts, beside the folder of the test; return the arguments that ask for more."""
    folder = tmp_path.with_name(f"{tmp_path.name}-asking")
    folder.mkdir()
    lines = [{"text": f"{['good', 'bad'][row % 2]} {row}", "label": "ab"[row % 2]} for row in range(40)]
    (folder / "known.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "pool.jsonl").write_text('{"text": "good or bad"}\n')
    (folder / "asking.yaml").write_text(
        "version: 1\nname: asking\ntask: text\ndata: {kind: jsonl, path: known.jsonl}\nmodel: tfidf\ntrain: {}\n"
    )
    assert main(["train", str(folder / "asking.yaml"), "--runs", str(folder / "runs")]) == 0
    return [folder / "runs" / "asking", folder / "pool.jsonl", "--out", folder / "to_label.csv"]


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_json_is_one_object(cli: Cli, finished: Finished, tmp_path: Path, verb: str) -> None:
    outcome = cli(verb, *arguments_of(verb, finished, tmp_path), "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.json


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_without_json_something_is_said(cli: Cli, finished: Finished, tmp_path: Path, verb: str) -> None:
    outcome = cli(verb, *arguments_of(verb, finished, tmp_path))
    assert outcome.code == 0, outcome.err
    assert outcome.out
    assert not outcome.out.startswith("{")


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_a_dry_run_writes_nothing(cli: Cli, finished: Finished, tmp_path: Path, verb: str) -> None:
    before = snapshot(tmp_path)
    outcome = cli(verb, *arguments_of(verb, finished, tmp_path), "--dry-run", "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.json
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("verb", ["run", "prepare", "train", "evaluate", "release"])
def test_a_dry_run_of_what_was_never_run_makes_no_folder(
    cli: Cli, finished: Finished, tmp_path: Path, verb: str
) -> None:
    outcome = cli(verb, finished.recipe, "--runs", tmp_path / "never", "--dry-run", "--json")
    assert outcome.code == 0
    plan = outcome.json["plan"]
    order = ["prepare", "train", "evaluate", "release"]
    assert [item["stage"] for item in plan] == (order if verb == "run" else order[: order.index(verb) + 1])
    assert not any(item["made_already"] for item in plan)
    assert not (tmp_path / "never").exists()


def test_a_dry_run_knows_what_was_made(cli: Cli, finished: Finished) -> None:
    plan = cli("run", finished.recipe, "--runs", finished.runs, "--dry-run", "--json").json["plan"]
    assert [item["made_already"] for item in plan] == [True] * 4
    assert cli("resume", finished.run, "--dry-run").out.count("made already") == 4


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["run", "missing.yaml", "--json"], 2),
        (["run", "--json"], 2),
        (["dance", "--json"], 2),
        (["check", "missing.yaml", "a", "--json"], 2),
        (["verify", "nowhere", "--json"], 3),
        (["resume", "nowhere", "--json"], 3),
        (["report", "nowhere", "--json"], 3),
        (["predict", "nowhere", "x.png", "--json"], 3),
        (["init", "nowhere.csv", "--json"], 3),
        (["init", "--json"], 2),
        (["init", "--sample", "digts", "--json"], 2),
    ],
)
def test_errors_are_one_object_too(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = cli(*arguments)
    assert outcome.code == code
    assert outcome.json["exit_code"] == code
    assert outcome.json["problems"][0]["found"]
    assert outcome.err
    assert list(tmp_path.iterdir()) == []


def test_a_real_process(finished: Finished, tmp_path: Path) -> None:
    """The installed entry, with its own standard output and exit code."""
    command = [sys.executable, "-m", "modelwright"]
    bad = subprocess.run([*command, "check", finished.recipe, "train.bach=2", "--json"], capture_output=True, text=True)
    assert bad.returncode == 2
    assert json.loads(bad.stdout)["problems"][0]["where"] == "command line"
    gone = subprocess.run([*command, "resume", tmp_path / "gone", "--json"], capture_output=True, text=True)
    assert (gone.returncode, json.loads(gone.stdout)["error"]) == (3, "DataError")


def test_a_bug_is_called_a_bug(cli: Cli, finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(Screen, "on_progress", lambda self, progress: 1 / 0)
    outcome = cli("run", finished.recipe, "--runs", finished.runs, "--json")
    assert outcome.code == 1
    assert outcome.json["error"] == "bug"
    assert "this is a bug of modelwright: ZeroDivisionError" in outcome.err
    assert "1 / 0" in next(tmp_path.glob("modelwright-bug-*.txt")).read_text()


def test_a_second_interrupt_stops_at_once(cli: Cli, finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    def press(self: Screen, progress: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(Screen, "on_progress", press)
    outcome = cli("run", finished.recipe, "train.batch=8", "--runs", finished.runs, "--json")
    assert outcome.code == 75
    assert outcome.json["exit_code"] == 75
    monkeypatch.undo()
    assert cli("run", finished.recipe, "train.batch=8", "--runs", finished.runs).code == 0


def test_a_smoke_run_touches_every_stage_and_takes_nobody_s_place(cli: Cli, finished: Finished) -> None:
    before = snapshot(finished.run)
    outcome = cli(
        "run", finished.recipe, "release.gates=[accuracy.value >= 2]", "--runs", finished.runs, "--smoke", "--json"
    )
    assert outcome.code == 0, outcome.err
    assert outcome.json["run"] == str(finished.runs / "tiny-smoke")
    assert list(outcome.json["stages"]) == ["prepare", "train", "evaluate", "release"]
    claims = {item["name"]: item.get("value") for item in outcome.json["evidence"]}
    assert claims["steps"] == 2
    assert claims["rows[train]"] + claims["rows[validation]"] + claims["rows[test]"] == 64
    assert snapshot(finished.run) == before


def test_a_smoke_run_is_small_whatever_the_recipe_leaves_out(cli: Cli, recipe: Recipe, tmp_path: Path) -> None:
    path = recipe(prepare=None, train=None, release=None)
    outcome = cli("run", path, "--runs", tmp_path / "runs", "--smoke", "--json")
    assert outcome.code == 0, outcome.err
    claims = {item["name"]: item.get("value") for item in outcome.json["evidence"]}
    assert claims["steps"] == 2
    assert claims["rows[train]"] + claims["rows[validation]"] + claims["rows[test]"] == 64
    assert list(outcome.json["stages"]) == ["prepare", "train", "evaluate"]


def test_overrides_may_stand_behind_options(cli: Cli, finished: Finished) -> None:
    outcome = cli("show", "--json", finished.recipe, "train.batch=7")
    (batch,) = (item for item in outcome.json["values"] if item["key"] == "train.batch")
    assert (batch["value"], batch["origin"]) == (7, "command line")
    outcome = cli("run", finished.recipe, "--runs", finished.runs, "train.batch=8", "--dry-run", "--json")
    assert not any(item["made_already"] for item in outcome.json["plan"])


def test_origins_are_lines_of_the_file(cli: Cli, finished: Finished) -> None:
    values = {item["key"]: item for item in cli("show", finished.recipe, "--origin", "--json").json["values"]}
    lines = finished.recipe.read_text().splitlines()
    number = 1 + next(index for index, line in enumerate(lines) if "batch" in line)
    assert values["train.batch"]["origin"] == f"{finished.recipe}:{number}"
    assert values["train.micro_batch"]["origin"] == "default"


def test_the_recipe_that_init_writes_runs(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "new.yaml"
    assert cli("init", "--sample", "digits", "--out", path).code == 0
    assert cli("check", path).code == 0
    again = cli("init", "--sample", "digits", "--out", path)
    assert again.code == 2
    assert "the file is there already" in again.err
    outcome = cli("run", path, "--smoke", "--runs", tmp_path / "runs")
    assert outcome.code == 0, outcome.err


def test_runs_lists_what_is_there(cli: Cli, finished: Finished, tmp_path: Path) -> None:
    (listed,) = cli("runs", "--runs", finished.runs, "--json").json["runs"]
    assert listed["run"] == str(finished.run)
    assert listed["stages"] == ["prepare", "train", "evaluate", "release"]
    assert listed["released"] is True
    assert cli("runs", "--runs", tmp_path / "none", "--json").json["runs"] == []


def test_chinese_where_the_language_is_chinese(
    finished: Finished, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert main(["check", str(finished.recipe)]) == 0
    assert "配方正确" in capsys.readouterr().out
    assert main(["check", str(finished.recipe), "train.bach=1"]) == 2
    assert "错误" in capsys.readouterr().err


def test_the_python_functions_are_the_same_verbs(finished: Finished, tmp_path: Path) -> None:
    import modelwright

    made = modelwright.run(finished.recipe, runs=tmp_path / "runs")
    assert made.artifact("model").digest == output_of(finished.run, "train", "model")
    assert modelwright.verify(made.folder / "release")["verdict"] == "intact, signer unknown"
    assert modelwright.check(finished.recipe, "train.batch=3").sections["train"].batch == 3
    assert modelwright.resume(made.folder).folder == made.folder.resolve()
