"""Raw data that changes under a recipe is noticed, and what does not depend on the change is not made again."""

from __future__ import annotations

import os
from pathlib import Path

from modelwright.core.execute import run
from modelwright.core.recipe import recipe_from
from modelwright.core.run import Run


def write_table(path: Path, rows: int) -> None:
    lines = [f"{index},{index % 7},{'yes' if index % 2 else 'no'}" for index in range(rows)]
    path.write_text("\n".join(["first,second,label", *lines]) + "\n")


def prepared(folder: Path) -> Run:
    sections = {"task": "tabular", "data": {"kind": "csv", "path": "table.csv"}, "model": "linear", "prepare": {}}
    return run(recipe_from({"version": 1, "name": "table", **sections}, folder), folder=folder / "run")


def test_an_edited_file_is_read_again(tmp_path: Path) -> None:
    write_table(tmp_path / "table.csv", 60)
    first = prepared(tmp_path).current()["prepare"]
    assert prepared(tmp_path).current()["prepare"] == first
    write_table(tmp_path / "table.csv", 80)
    second = prepared(tmp_path).current()["prepare"]
    assert second.outputs["dataset"] != first.outputs["dataset"]


def test_a_touched_file_gives_the_same_dataset(tmp_path: Path) -> None:
    write_table(tmp_path / "table.csv", 60)
    first = prepared(tmp_path).current()["prepare"]
    os.utime(tmp_path / "table.csv", ns=(1, 1))
    second = prepared(tmp_path).current()["prepare"]
    assert second.key != first.key
    assert second.outputs == first.outputs
