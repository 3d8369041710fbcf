"""Bad input: the message says what and where, the exit code is right, and nothing that was made before is lost."""

from __future__ import annotations

import errno
import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tiny import Cli, Finished, events, fork_cli, kill_after, mounted, output_of, remount, snapshot, wait_for

from modelwright.core.run import Run

Recipe = Callable[..., Path]
TABLE = {"task": "tabular", "model": {"kind": "linear"}, "prepare": {"split": {"test": 0.25, "validation": 0.25}}}


def write_table(path: Path, rows: int = 40, **cells: Any) -> Path:
    """Write a table of two columns and a label; `cells` maps 'r7' to the first column's value in data row 7."""
    lines = ["size,weight,label"]
    for row in range(rows):
        size = cells.get(f"r{row}", f"{row % 7}.{row}")
        lines.append(f"{size},{row * 0.5},{'cat' if row % 2 else 'dog'}")
    path.write_text("\n".join(lines) + "\n")
    return path


def write_pictures(folder: Path, each: int = 20) -> list[Path]:
    """Write pictures of two classes as PNG files in two folders."""
    generator = np.random.default_rng(1)
    paths = []
    for label in ("cat", "dog"):
        (folder / label).mkdir(parents=True)
        for number in range(each):
            path = folder / label / f"{number:02d}.png"
            Image.fromarray(generator.integers(0, 256, (8, 8), dtype=np.uint8)).save(path)
            paths.append(path)
    return paths


@pytest.mark.parametrize(
    ("override", "code", "found", "expected"),
    [
        ("train.bach=3", 2, "'train.bach' is not a key; did you mean 'batch'?", "batch"),
        ("trian.batch=3", 2, "'trian' is not a section; did you mean 'train'?", "train"),
        ("train.batch=many", 2, "'train.batch': found 'many'", "integer"),
        ("train.batch=0", 2, "'train.batch'", "greater than or equal to 1"),
        ("train.length=3", 2, "'train.length': found '3'", "'3 epochs' or '200 steps'"),
        ("train.optimiser=adm", 2, "'adm' is not a optimiser; did you mean 'adam", "adam"),
        ("train.optimiser={kind: adam, lr: -1}", 2, "'train.optimiser.lr': found -1", "greater than"),
        ("release.gates=[accuracy >= 1]", 2, "accuracy >= 1", "a gate such as"),
        ("seed=-1", 2, "seed is -1", "a whole number"),
        ("model=lstm", 2, "'lstm' is for text, and the task is image", "a model for the task image"),
    ],
)
def test_recipe_errors_touch_nothing(
    cli: Cli, finished: Finished, override: str, code: int, found: str, expected: str
) -> None:
    before = snapshot(finished.runs)
    outcome = cli("run", finished.recipe, override, "--runs", finished.runs, "--json")
    assert outcome.code == code
    assert outcome.json["exit_code"] == code
    assert any(found in problem["found"] and expected in problem["expected"] for problem in outcome.json["problems"])
    assert found in outcome.err
    assert snapshot(finished.runs) == before


def test_every_recipe_error_is_said_at_once_with_its_line(cli: Cli, recipe: Recipe, tmp_path: Path) -> None:
    path = recipe(train={"bach": 3, "length": "2 parsecs"}, evaluate={"resamples": "no"})
    outcome = cli("check", path)
    assert outcome.code == 2
    lines = path.read_text().splitlines()
    for key in ("bach", "length", "resamples"):
        number = 1 + next(index for index, line in enumerate(lines) if key in line)
        assert f"{path}:{number}: '" in outcome.err
    assert outcome.err.count("error: ") == 3


def _data_error(cli: Cli, finished: Finished, path: Path, code: int = 3) -> str:
    """Run a recipe of the same name as the finished run; check that the run's earlier work outlives the error."""
    before = snapshot(finished.runs, "tiny.witness")
    outcome = cli("run", path, "--runs", finished.runs, "--json")
    assert (outcome.code, outcome.json["exit_code"]) == (code, code), outcome.err
    after = snapshot(finished.runs, "tiny.witness")
    kept = {name: digest for name, digest in before.items() if name.split("/")[1] in ("artifacts", "stages", "release")}
    assert kept
    assert kept.items() <= after.items()
    # And the earlier recipe still finds everything it made.
    again = cli("run", finished.recipe, "--runs", finished.runs)
    assert again.code == 0
    assert again.err.count("nothing to do") == 4
    assert cli("verify", finished.release).code == 0
    return outcome.err


def test_unreachable_file(cli: Cli, recipe: Recipe, finished: Finished, tmp_path: Path) -> None:
    write_table(tmp_path / "table.csv")
    message = _data_error(cli, finished, recipe(**TABLE, data={"kind": "csv", "path": "tabel.csv"}))
    assert f"{tmp_path / 'tabel.csv'}: nothing is there" in message
    assert f"did you mean {tmp_path / 'table.csv'}?" in message


def test_unreachable_folder(cli: Cli, recipe: Recipe, finished: Finished, tmp_path: Path) -> None:
    message = _data_error(cli, finished, recipe(data={"kind": "images", "path": "nowhere/pictures"}))
    assert "nowhere" in message


@pytest.mark.parametrize("content", ["", "\n", "size,weight,label\n"])
def test_empty_file(cli: Cli, recipe: Recipe, finished: Finished, tmp_path: Path, content: str) -> None:
    (tmp_path / "table.csv").write_text(content)
    message = _data_error(cli, finished, recipe(**TABLE, data={"kind": "csv", "path": "table.csv"}))
    assert str(tmp_path / "table.csv") in message
    assert "expected: " in message


def test_empty_idx_file(cli: Cli, recipe: Recipe, finished: Finished, tmp_path: Path) -> None:
    for name in (
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    ):
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(b""))
    message = _data_error(cli, finished, recipe(data={"kind": "idx", "path": "."}))
    assert "idx" in message


def test_one_class_only(cli: Cli, recipe: Recipe, finished: Finished, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("size,label\n" + "".join(f"{row}.5,cat\n" for row in range(40)))
    message = _data_error(cli, finished, recipe(**TABLE, data={"kind": "csv", "path": "table.csv"}))
    assert "only one class, 'cat'" in message
    assert "at least two classes" in message


def test_no_label_column(cli: Cli, recipe: Recipe, finished: Finished, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("size,weight\n" + "1,2\n" * 20)
    message = _data_error(cli, finished, recipe(**TABLE, data={"kind": "csv", "path": "table.csv"}))
    assert "no column is the label; there are size, weight" in message


def test_a_number_that_is_not_finite_is_quarantined_with_its_line(cli: Cli, recipe: Recipe, tmp_path: Path) -> None:
    write_table(tmp_path / "table.csv", rows=200, r7="inf", r100="nan")
    path = recipe(**TABLE, data={"kind": "csv", "path": "table.csv"})
    outcome = cli("prepare", path, "--runs", tmp_path / "runs", "--json")
    assert outcome.code == 0, outcome.err
    noted = [record["data"] for record in events(tmp_path / "runs/tiny", "row quarantined")]
    # Data row 7 stands in line 9; a missing number ('nan') is not a bad one.
    assert noted == [{"origin": "table.csv:9", "reason": "column size: 'inf' is not a finite number"}]
    counted = {item["name"]: item["value"] for item in outcome.json["evidence"]}
    assert counted["quarantined"] == 1
    assert counted["rows[train]"] + counted["rows[validation]"] + counted["rows[test]"] == 199


def test_too_many_numbers_that_are_not_finite_stop_the_run(
    cli: Cli, recipe: Recipe, finished: Finished, tmp_path: Path
) -> None:
    write_table(tmp_path / "table.csv", r3="inf", r9="-inf", r30="1e999")
    message = _data_error(cli, finished, recipe(**TABLE, data={"kind": "csv", "path": "table.csv"}))
    assert (
        "3 of 40 rows (7.50%) cannot be used: table.csv:5: column size: 'inf' is not a finite number; table.csv:11"
        in message
    )
    assert "at most 1.00%" in message


def test_truncated_picture(cli: Cli, recipe: Recipe, finished: Finished, tmp_path: Path) -> None:
    pictures = write_pictures(tmp_path / "pictures")
    whole = pictures[5].read_bytes()
    pictures[5].write_bytes(whole[: len(whole) // 2])
    sections = {
        "data": {"kind": "images", "path": "pictures"},
        "prepare": {"split": {"test": 0.25, "validation": 0.25}, "bad_rows": 0.05},
    }
    outcome = cli("prepare", recipe(**sections), "--runs", tmp_path / "others")
    assert outcome.code == 0, outcome.err
    (noted,) = events(tmp_path / "others/tiny", "row quarantined")
    assert "05.png" in noted["data"]["origin"]
    # Beyond the limit the same file stops the run, and is named.
    sections["prepare"]["bad_rows"] = 0.01
    assert "05.png" in _data_error(cli, finished, recipe(**sections))
    assert pictures[5].read_bytes() == whole[: len(whole) // 2]


def test_a_failed_run_fails_again_in_the_same_words(cli: Cli, recipe: Recipe, tmp_path: Path) -> None:
    """What a failed preparation leaves behind must not get in the way of the next one."""
    rows = "".join(f"{row}.5,{'cat' if row % 2 else 'dog'}\n" for row in range(40))
    (tmp_path / "train.csv").write_text("size,label\n" + rows)
    (tmp_path / "test.csv").write_text("size,label\n1.25,horse\n2.25,cat\n")
    path = recipe(**TABLE, data={"kind": "csv", "path": {"train": "train.csv", "test": "test.csv"}})
    first, second = (cli("prepare", path, "--runs", tmp_path / "runs") for _ in range(2))
    assert "the label 'horse' does not occur in the training part" in first.err
    assert (second.code, second.err) == (first.code, first.err)
    (tmp_path / "test.csv").write_text("size,label\n1.25,dog\n2.25,cat\n")
    assert cli("prepare", path, "--runs", tmp_path / "runs").code == 0


def test_read_only_folder_for_real(cli: Cli, finished: Finished, tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=8m") as disk:
        finished.runs.rename(tmp_path / "elsewhere")
        os.system(f"cp -a {tmp_path}/elsewhere/. {disk}")
        before = snapshot(disk)
        remount(disk, "ro")
        outcome = cli("run", finished.recipe, "--runs", disk)
        assert outcome.code == 2
        assert f"{disk / 'tiny'}: cannot write here: Read-only file system" in outcome.err
        assert "choose another with --runs FOLDER" in outcome.err
        assert cli("run", finished.recipe, "--runs", disk / "new").code == 2
        # What only reads still works.
        assert cli("verify", disk / "tiny/release").code == 0
        assert snapshot(disk) == before


def test_read_only_folder(cli: Cli, finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    before = snapshot(finished.runs)
    real = os.open

    def refuse(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR) and str(path).startswith(str(finished.runs)):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return real(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", refuse)
    outcome = cli("run", finished.recipe, "--runs", finished.runs, "--json")
    monkeypatch.undo()
    assert outcome.code == 2
    assert outcome.json["problems"][0]["found"] == "cannot write here: Read-only file system"
    assert outcome.json["problems"][0]["where"] == str(finished.run)
    assert snapshot(finished.runs) == before


STEADY = {"length": "12 steps", "batch": 16, "threads": 1, "save": {"every": "3 steps", "keep": 2}}


def test_full_disk_for_real(cli: Cli, recipe: Recipe, tmp_path: Path) -> None:
    path = recipe(train=STEADY, model={"kind": "mlp", "hidden": [384]})
    assert cli("train", path, "--runs", tmp_path / "twin").code == 0
    # Three checkpoints of about 460 KB do not fit, two do.
    with mounted(tmp_path / "disk", "size=1200k") as disk:
        outcome = cli("train", path, "--runs", disk)
        assert outcome.code == 4, outcome.err
        assert f"error: {disk}/tiny/work/train-" in outcome.err
        assert "the disk is full: " in outcome.err
        assert "KiB free" in outcome.err
        assert "what was stored before is untouched" in outcome.err
        (work,) = (disk / "tiny/work").glob("train-*")
        assert [place.name for place in sorted((work / "checkpoints").iterdir())] == [
            "step-000000003",
            "step-000000006",
        ]
        remount(disk, "size=16m")
        resumed = cli("resume", disk / "tiny", "--json")
        assert resumed.code == 0, resumed.err
        assert [record["data"]["step"] for record in events(disk / "tiny", "training resumed")] == [6]
        assert output_of(disk / "tiny", "train", "model") == output_of(tmp_path / "twin/tiny", "train", "model")


def test_full_disk_during_a_checkpoint(
    cli: Cli, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = recipe(train=STEADY)
    assert cli("train", path, "--runs", tmp_path / "twin").code == 0
    real = Path.write_bytes

    def fill(self: Path, data: Any) -> int:
        if self.name.startswith("tensors") and "step-000000009" in str(self):
            real(self, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))
        return real(self, data)

    monkeypatch.setattr(Path, "write_bytes", fill)
    outcome = cli("train", path, "--runs", tmp_path / "runs", "--json")
    assert outcome.code == 4
    problem = outcome.json["problems"][0]
    assert problem["where"].endswith("checkpoints/step-000000009")
    assert problem["found"].startswith("the disk is full: ")
    assert problem["found"].endswith(" free")
    (work,) = (tmp_path / "runs/tiny/work").glob("train-*")
    assert [place.name for place in sorted((work / "checkpoints").iterdir())] == ["step-000000003", "step-000000006"]
    assert events(tmp_path / "runs/tiny", "stage failed")[-1]["data"]["reason"].endswith("is untouched")
    monkeypatch.undo()
    assert cli("train", path, "--runs", tmp_path / "runs").code == 0
    assert output_of(tmp_path / "runs/tiny", "train", "model") == output_of(tmp_path / "twin/tiny", "train", "model")


def test_full_disk_while_the_state_is_written(cli: Cli, finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    before = snapshot(finished.runs, "tiny.witness")

    def fill(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fill)
    outcome = cli("run", finished.recipe, "train.batch=8", "--runs", finished.runs)
    monkeypatch.undo()
    assert outcome.code == 4
    assert "the disk is full" in outcome.err
    assert snapshot(finished.runs, "tiny.witness") == before


def test_two_processes_on_one_folder(cli: Cli, recipe: Recipe, tmp_path: Path) -> None:
    path = recipe(
        train={
            **STEADY,
            "length": "1000000 steps",
            "save": {"every": "100000 steps"},
            "validate_every": "100000 steps",
            "workers": 0,
        }
    )
    child = fork_cli("train", path, "--runs", tmp_path / "runs")
    try:
        while not list((tmp_path / "runs/tiny/work").glob("train-*/checkpoints/step-*")):
            assert os.waitpid(child, os.WNOHANG)[0] == 0
        journal = len(events(tmp_path / "runs/tiny"))
        outcome = cli("run", path, "--runs", tmp_path / "runs", "--json")
        assert outcome.code == 6
        assert outcome.json["problems"][0]["found"] == f"process {child} is working in this run folder"
        assert outcome.json["problems"][0]["where"] == str(tmp_path / "runs/tiny")
        assert len(events(tmp_path / "runs/tiny")) == journal
        # Reading is allowed meanwhile.
        assert cli("runs", "--runs", tmp_path / "runs").code == 0
    finally:
        assert kill_after(child, 0) == -9
    # The dead hold nothing.
    assert cli("train", path, "train.length=2 steps", "--from-scratch", "--runs", tmp_path / "runs").code == 0


def test_one_run_inside_another_in_one_process_is_busy_too(cli: Cli, finished: Finished) -> None:
    with Run(finished.run).opened():
        assert cli("run", finished.recipe, "--runs", finished.runs).code == 6
    assert cli("run", finished.recipe, "--runs", finished.runs).code == 0


def test_busy_child_leaves_with_six(finished: Finished) -> None:
    with Run(finished.run).opened():
        assert wait_for(fork_cli("resume", finished.run)) == 6
