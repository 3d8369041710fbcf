"""The profile of the data: what was planted in it is found, and what is said of it is valid for machines."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from modelwright.core.errors import GateFailed
from modelwright.core.run import Run

Tiny = Callable[..., Run]
# Made up, with a check character that holds.
ID_NUMBER = "11010519491231002X"


def found(run: Run, name: str = "profile.json") -> dict[str, Any]:
    """Return a file of the dataset of a run."""
    artifact = run.artifact("dataset")
    assert artifact is not None
    content: dict[str, Any] = json.loads((artifact.path / name).read_text())
    return content


def claims(run: Run) -> dict[str, float]:
    """Return what a run claims, by name."""
    return {item.name: item.value for item in run.evidence() if item.value is not None}


@pytest.fixture
def people(tmp_path: Path) -> dict[str, Any]:
    """Write a table with personal data, missing cells, a copied row and a column that drifts; return its sections."""
    lines = ["full_name,note,age,town,drifting,label,part"]
    for row in range(200):
        part = "test" if row >= 150 else "train"
        note = {3: "write to ada@example.org", 7: f"id {ID_NUMBER}", 9: "id 110105194912310021"}.get(row, f"note {row}")
        age = "" if row % 20 == 0 else str(20 + row % 40)
        lines.append(
            f"Person {row},{note},{age},{'ab'[row % 2]},{row % 7 + 50 * (part == 'test')},{'xy'[row % 2]},{part}"
        )
    lines[12] = lines[11]
    for part in ("train", "test"):
        chosen = [line.rsplit(",", 1)[0] for line in lines[1:] if line.endswith(part)]
        (tmp_path / f"{part}.csv").write_text("\n".join([lines[0].rsplit(",", 1)[0], *chosen]) + "\n")
    return {
        "task": "tabular",
        "data": {"kind": "csv", "path": {part: str(tmp_path / f"{part}.csv") for part in ("train", "test")}},
        "model": "linear",
        "prepare": {"split": {"validation": 0.2}},
    }


def test_what_was_planted_is_found(tiny: Tiny, people: dict[str, Any]) -> None:
    made = tiny("prepare", sections=people)
    profile = found(made)
    column = {item["name"]: item for item in profile["columns"]}
    assert column["age"]["kind"] == "number"
    assert sum(column["age"]["missing"].values()) == 10
    assert column["age"]["numbers"]["most"] == 59
    assert column["town"]["kind"] == "category"
    assert profile["duplicates"] == 1
    assert profile["personal"]["kinds"] == {"email": 1, "id_number": 1}
    assert [line[1] for line in profile["personal"]["first"]] == ["email", "id_number"]
    assert column["full_name"]["named"]
    assert not column["town"]["named"]
    assert column["drifting"]["drift"]["test"]["distance"] == 1.0
    assert column["drifting"]["drift"]["validation"]["chance"] > 0.001
    related = profile["relations"]["columns"]
    assert profile["relations"]["strength"][related.index("town")][related.index("label")] > 0.95
    said = claims(made)
    assert (said["personal_data"], said["duplicates"], said["drift"]) == (2, 1, 1.0)


def test_a_gate_may_ask_for_what_was_found(tiny: Tiny, people: dict[str, Any]) -> None:
    named = {"owner": "Ada", "purpose": "Tests.", "approver": "Grace"}
    with pytest.raises(GateFailed, match="personal_data.value <= 1"):
        tiny(sections={**people, "release": {**named, "gates": ["personal_data.value <= 1", "drift.value <= 1"]}})
    made = tiny(sections={**people, "release": {**named, "gates": ["personal_data.value <= 2", "duplicates.n >= 9"]}})
    assert made.artifact("release") is not None


def test_no_personal_value_stands_in_what_is_written(tiny: Tiny, people: dict[str, Any]) -> None:
    made = tiny("prepare", sections=people)
    written = json.dumps([found(made), found(made, "croissant.json")])
    assert "ada@example.org" not in written
    assert ID_NUMBER not in written
    assert "Person 3" not in written


def test_redacted_texts_hold_nothing_personal_any_more(tiny: Tiny, tmp_path: Path) -> None:
    lines = [{"text": f"call 13912345678 about case {row}, 你好", "label": "ab"[row % 2]} for row in range(40)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    sections = {"data": {"kind": "jsonl", "path": str(tmp_path / "a.jsonl")}, "model": {"kind": "tfidf", "least": 1}}
    plain = tiny("prepare", sections={**sections, "task": "text"})
    assert claims(plain)["personal_data"] == 40
    text = found(plain)["columns"][0]
    assert (text["measured"], sorted(text["scripts"])) == ("characters", ["han", "latin"])
    covered = tiny("prepare", sections={**sections, "task": {"kind": "text", "clean": {"redact": ["phone"]}}})
    assert claims(covered)["personal_data"] == 0


def test_sizes_and_modes_of_pictures_are_those_of_the_files(tiny: Tiny, tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    for row in range(40):
        mode, side = ("L", 8) if row % 4 else ("RGB", 12)
        shape = (side, side) if mode == "L" else (side, side, 3)
        stream = io.BytesIO()
        Image.fromarray(generator.integers(0, 255, shape).astype(np.uint8)).save(stream, "PNG")
        place = tmp_path / "pictures" / "ab"[row % 2] / f"{row}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(stream.getvalue())
    data = {"kind": "images", "path": str(tmp_path / "pictures"), "size": [8, 8], "mode": "grey"}
    pictures = found(tiny("prepare", sections={"data": data}))["pictures"]
    assert pictures["sizes"] == {"8 x 8": 30, "12 x 12": 10}
    assert pictures["modes"] == {"L": 30, "RGB": 10}
    assert pictures["used"] == [8, 8, 1]


@pytest.mark.parametrize("table", [True, False])
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
def test_the_datasheet_is_valid_croissant(tiny: Tiny, tmp_path: Path, table: bool, caplog: Any) -> None:
    croissant = pytest.importorskip("mlcroissant")
    sections: dict[str, Any] = {}
    if table:
        lines = ["age,town,answer", *(f"{row},{'pq'[row % 2]},{'ab'[row % 2]}" for row in range(60))]
        (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
        data = {"kind": "csv", "path": str(tmp_path / "a.csv"), "label": "answer"}
        sections = {"task": "tabular", "data": data, "model": "linear"}
    made = tiny("prepare", sections=sections)
    sheet = found(made, "croissant.json")
    with caplog.at_level(logging.ERROR):
        read = croissant.Dataset(jsonld=sheet)
    assert not read.metadata.ctx.issues.errors
    parts = {_plain(record["parts/name"]): record["parts/rows"] for record in read.records("parts")}
    assert parts == found(made)["rows"]
    if table:
        # Their reader, our file: the columns are where the sheet says.
        rows = croissant.Dataset(jsonld=_beside(sheet, tmp_path)).records("rows")
        first = next(iter(rows))
        assert (first["rows/age"], _plain(first["rows/label"])) == (0.0, "a")


def _beside(sheet: dict[str, Any], folder: Path) -> Path:
    """Write the sheet beside the data that it describes."""
    path = folder / "croissant.json"
    path.write_text(json.dumps(sheet))
    return path


def _plain(text: str | bytes) -> str:
    """Return a text of their reader, which gives bytes where it reads through a table."""
    return text.decode() if isinstance(text, bytes) else text
