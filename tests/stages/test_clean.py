"""Cleaning in the stage `prepare`: what each rule finds, what the ledger says of it, and what it leaves alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelwright.core.errors import DataError, RecipeError
from modelwright.core.run import Run
from modelwright.stages.prepare.ledger import explain_row

Tiny = Callable[..., Run]
Prepare = Callable[..., Path]


def table(path: Path, lines: list[str], header: str = "number,other,label") -> dict[str, Any]:
    """Write a table and return the sections of a recipe that reads it."""
    path.write_text("\n".join([header, *lines]) + "\n")
    return {
        "task": "tabular",
        "data": {"kind": "csv", "path": str(path)},
        "model": {"kind": "linear"},
        "prepare": {"split": {"test": 0.25, "validation": 0.25}},
    }


def texts(path: Path, lines: list[tuple[str, str]]) -> dict[str, Any]:
    """Write labelled texts and return the sections of a recipe that reads them."""
    path.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in lines))
    return {
        "task": "text",
        "data": {"kind": "jsonl", "path": str(path)},
        "model": {"kind": "tfidf", "least": 1},
        "prepare": {"split": {"test": 0.25, "validation": 0.25}},
    }


@pytest.fixture
def prepare(tiny: Tiny) -> Callable[..., Path]:
    """Prepare with changes; return the dataset. A run shows only what was made last, a dataset stays what it is."""

    def call(**edits: Any) -> Path:
        path: Path = tiny("prepare", **edits).artifact("dataset").path
        return path

    return call


def ledger(dataset: Path) -> list[dict[str, str]]:
    """Return the entries of the ledger of a dataset."""
    return [json.loads(line) for line in (dataset / "ledger.jsonl").read_text().splitlines()]


def origins(dataset: Path, part: str) -> list[str]:
    """Return the origins of the rows of a part."""
    return (dataset / part / "origins.txt").read_text().splitlines()


NUMBERS = [f"{row % 10}.5,{row},{'ab'[row % 2]}" for row in range(80)]


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"kind": "z_score", "threshold": 4.0, "columns": ["number"]}, "(4 standard deviations)"),
        ({"kind": "robust_z_score", "columns": ["number"]}, "(6 robust deviations)"),
        ({"kind": "iqr", "columns": ["number"]}, "(3 widths of the middle half)"),
        ({"kind": "isolation_forest", "columns": ["number"], "share": 0.05}, "taking number together"),
    ],
)
def test_a_planted_outlier_of_the_training_part_is_dropped(
    prepare: Prepare, tmp_path: Path, rule: dict[str, Any], said: str
) -> None:
    sections = table(tmp_path / "a.csv", NUMBERS)
    before = origins(prepare(sections=sections), "train")
    place = before[10]
    row = int(place.split(":")[1]) - 2
    lines = [line.replace(f"{row % 10}.5,", "-1000.5,", 1) if at == row else line for at, line in enumerate(NUMBERS)]
    made = prepare(sections=table(tmp_path / "a.csv", lines), prepare__clean=[rule])
    dropped = [item["row"] for item in ledger(made) if item["action"] == "dropped"]
    assert place in dropped
    assert len(dropped) <= 3
    (entry,) = [item for item in ledger(made) if item["row"] == place]
    assert entry["rule"] == f"1 {rule['kind']}"
    assert said in entry["reason"]
    assert set(origins(made, "train")) == set(before) - set(dropped)


def test_each_rule_is_counted_and_claimed(tiny: Tiny, tmp_path: Path) -> None:
    lines = [*NUMBERS, "-1000.5,80,a", "-1000.5,81,b"]
    rules = [{"kind": "schema", "columns": {"number": {"least": 0}}}, {"kind": "iqr", "columns": ["other"]}]
    made = tiny("prepare", sections=table(tmp_path / "a.csv", lines), prepare__clean=rules)
    claims = {item.name: item.value for item in made.evidence() if item.name.startswith("cleaned")}
    assert claims == {"cleaned[1 schema]": 2, "cleaned[2 iqr]": 0}


def test_what_is_only_reported_stays(prepare: Prepare, tmp_path: Path) -> None:
    sections = table(tmp_path / "a.csv", [*NUMBERS, "-1000.5,80,a", "-1000.5,81,b", "-1000.5,82,a", "-1000.5,83,b"])
    rule = {"kind": "iqr", "columns": ["number"], "parts": "all"}
    reported = prepare(sections=sections, prepare__clean=[{**rule, "then": "report"}])
    assert [item["action"] for item in ledger(reported)] == ["reported"] * 4
    assert sum(len(origins(reported, part)) for part in ("train", "validation", "test")) == 84
    dropped = prepare(sections=sections, prepare__clean=[rule])
    assert sum(len(origins(dropped, part)) for part in ("train", "validation", "test")) == 80
    train_only = prepare(sections=sections, prepare__clean=[{**rule, "parts": "train"}])
    assert {item["part"] for item in ledger(train_only)} <= {"train"}
    assert len(origins(train_only, "test")) == len(origins(reported, "test"))


def test_bounds_are_learnt_on_the_training_part_alone(prepare: Prepare, tmp_path: Path) -> None:
    """A law: whatever stands in the test part, the training part is cleaned and scaled alike."""
    rules = [
        {"kind": "z_score", "threshold": 1.5, "columns": ["number"]},
        {"kind": "isolation_forest", "columns": ["number", "other"], "share": 0.1},
    ]
    sections = table(tmp_path / "a.csv", NUMBERS)
    made = prepare(sections=sections, prepare__clean=rules)
    held_out = {int(place.split(":")[1]) - 2 for part in ("validation", "test") for place in origins(made, part)}
    lines = [f"{9e5 + row},{-7e7 * row},{line[-1]}" if row in held_out else line for row, line in enumerate(NUMBERS)]
    changed = prepare(sections=table(tmp_path / "a.csv", lines), prepare__clean=rules)
    assert origins(changed, "test") == origins(made, "test")
    for name in ("numbers.npy", "target.npy", "origins.txt"):
        one, other = (dataset / "train" / name for dataset in (made, changed))
        assert one.read_bytes() == other.read_bytes(), name
    assert not np.array_equal(*(np.load(dataset / "test" / "numbers.npy") for dataset in (made, changed)))


def test_impossible_values_by_a_declared_schema(prepare: Prepare, tmp_path: Path) -> None:
    lines = [f"{20 + row % 50},2020-01-{1 + row % 28:02d},{'xy'[row % 2]},{'ab'[row % 3 == 0]}" for row in range(60)]
    lines[7] = "-3,2020-01-01,x,a"
    lines[11] = "200,2020-01-02,z,a"
    lines[13] = ",2020-01-03,x,a"
    columns = {
        "age": {"type": "number", "least": 0, "most": 120, "missing": False},
        "day": {"type": "date"},
        "sort": {"one_of": ["x", "y"], "pattern": "[a-z]"},
    }
    sections = table(tmp_path / "a.csv", lines, "age,day,sort,label")
    made = prepare(sections=sections, prepare__clean=[{"kind": "schema", "columns": columns}])
    found = {item["row"]: item["reason"] for item in ledger(made)}
    assert found == {
        "a.csv:9": "age is -3.0, expected at least 0",
        "a.csv:13": "age is 200.0, expected at most 120; sort is 'z', expected one of x, y",
        "a.csv:15": "age is missing",
    }
    columns["height"] = {"type": "number"}
    with pytest.raises(DataError, match="there is no column 'height'"):
        prepare(sections=sections, prepare__clean=[{"kind": "schema", "columns": columns}])


def test_copies_of_tables_and_near_copies_of_texts(prepare: Prepare, tmp_path: Path) -> None:
    lines = [f"{row}.25,{row},{'ab'[row % 2]}" for row in range(60)]
    sections = table(tmp_path / "a.csv", [*lines, *lines[:6]])
    made = prepare(sections=sections, prepare__overlap="keep", prepare__clean=["duplicates"])
    assert sum(item["rule"] == "1 duplicates" for item in ledger(made)) == 6
    kept = [place for part in ("train", "validation", "test") for place in origins(made, part)]
    assert len(kept) == len(set(kept)) == 60
    words = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
    long = [(" ".join(words[(row * step) % 10] + str(row) for step in range(1, 9)), "ab"[row % 2]) for row in range(60)]
    near = [(text.replace(" ", "  ", 1) + "!", label) for text, label in long[:5]]
    rule = {"kind": "duplicates", "similarity": 0.8}
    made = prepare(sections=texts(tmp_path / "a.jsonl", long + near), prepare__clean=[rule], prepare__overlap="keep")
    found = [item for item in ledger(made) if item["rule"] == "1 duplicates"]
    assert len(found) == 5
    assert all("like a.jsonl:" in item["reason"] for item in found)
    with pytest.raises(DataError, match="rows of a table cannot be 80% alike"):
        prepare(sections=sections, prepare__clean=[rule])


def test_texts_that_are_hardly_any_and_other_scripts(prepare: Prepare, tmp_path: Path) -> None:
    lines = [(f"a plain sentence about number {row}", "ab"[row % 2]) for row in range(60)]
    lines += [("?!", "a"), ("这是中文句子", "a"), ("?!!", "b"), ("又一个中文句子", "b")]
    rules = [
        {"kind": "text_quality", "parts": "all"},
        {"kind": "scripts", "keep": ["latin"], "parts": "all"},
    ]
    made = prepare(sections=texts(tmp_path / "a.jsonl", lines), prepare__clean=rules)
    found = {item["row"]: (item["rule"], item["reason"]) for item in ledger(made)}
    assert found["a.jsonl:61"] == ("1 text_quality", "0 letters and digits, fewer than 1")
    assert found["a.jsonl:62"] == ("2 scripts", "written in han 100%; less than 50% in latin")
    assert len(found) == 4


def test_texts_are_tidied_in_preparing_and_in_answering_alike(tiny: Tiny, tmp_path: Path) -> None:
    from modelwright.engine.predictor import open_predictor
    from modelwright.sources.rows import Rows

    lines = [
        (f"<b>good</b> &amp; tidy number{row}" if row % 2 else f"bad number{row} of mail{row}@a.cn", "ab"[row % 2])
        for row in range(60)
    ]
    task = {"kind": "text", "clean": {"html": True, "spaces": True, "redact": ["email"]}}
    made = tiny("train", sections={**texts(tmp_path / "a.jsonl", lines), "task": task})
    changed = [item for item in ledger(made.artifact("dataset").path) if item["rule"] == "task.clean"]
    assert len(changed) == 60
    assert all("a.cn" not in item["reason"] for item in changed), "the ledger must not repeat what was covered"
    predictor = open_predictor(made.artifact("model").path)
    assert "<b>" not in str(predictor.learnt)
    assert "@a.cn" not in str(predictor.learnt)

    def answer(text: str) -> np.ndarray:
        rows = Rows({"text": [text], "label": ["a"]}, ["here:1"], (), {})
        return predictor.predict(predictor.task.examples(rows, predictor.learnt))

    assert np.array_equal(answer("<b>good</b>  &amp; tidy"), answer("good & tidy"))
    assert not np.array_equal(answer("good & tidy"), answer("bad [email]"))


def test_label_errors_come_first(prepare: Prepare, tmp_path: Path) -> None:
    """Of 5 % flipped labels, the first 5 % found hold at least 80 %."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    generator = np.random.default_rng(7)
    chosen = generator.permutation(len(digits.target))[:1500]
    labels = digits.target[chosen].copy()
    flipped = set(generator.choice(1500, 75, replace=False).tolist())
    for row in flipped:
        labels[row] = (labels[row] + generator.integers(1, 10)) % 10
    lines = [
        ",".join(f"{value:g}" for value in digits.data[index]) + f",class {labels[row]}"
        for row, index in enumerate(chosen)
    ]
    header = ",".join([*(f"p{pixel}" for pixel in range(64)), "label"])
    sections = {
        **table(tmp_path / "a.csv", lines, header),
        "model": {"kind": "logistic", "C": 0.01},
        "train": {"threads": 1},
    }
    split = {"prepare__split": {"test": 0.1, "validation": 0.1}}
    rule = {"kind": "label_errors", "folds": 3, "share": 0.05}
    made = prepare(sections=sections, **split, prepare__clean=[rule])
    found = [int(item["row"].split(":")[1]) - 2 for item in ledger(made) if item["rule"] == "1 label_errors"]
    train = {int(place.split(":")[1]) - 2 for place in origins(made, "train")}
    assert len(found) == round(0.05 * len(train))
    assert set(found) <= train
    assert len(set(found) & flipped) >= 0.8 * min(len(found), len(train & flipped))
    counted = prepare(sections=sections, **split, prepare__clean=[{**rule, "share": 0.0, "then": "drop"}])
    dropped = {int(item["row"].split(":")[1]) - 2 for item in ledger(counted) if item["action"] == "dropped"}
    assert len(dropped & flipped) >= 0.7 * len(train & flipped)
    assert {int(place.split(":")[1]) - 2 for place in origins(counted, "train")} == train - dropped
    others = prepare(sections=sections, **split, prepare__clean=[{**rule, "folds": 2}])
    assert ledger(others) != ledger(made)


def test_a_row_is_explained(prepare: Prepare, tmp_path: Path) -> None:
    sections = table(tmp_path / "a.csv", [*NUMBERS, "inf,1,a", "-1000.5,81,b"])
    rule = {"kind": "schema", "columns": {"number": {"least": 0}}}
    dataset = prepare(sections=sections, prepare__clean=[rule], prepare__bad_rows=0.1)
    (bad,) = explain_row(dataset, "a.csv:82")
    assert (bad["part"], bad["entries"][0]["rule"]) == ("", "quarantine")
    (impossible,) = explain_row(dataset, "a.csv:83")
    assert impossible["entries"][0]["reason"] == "number is -1000.5, expected at least 0"
    (fine,) = explain_row(dataset, "a.csv:2")
    assert fine["part"] in ("train", "validation", "test")
    assert fine["entries"] == []
    with pytest.raises(DataError, match="no row of this data is called 'b.csv:2'"):
        explain_row(dataset, "b.csv:2")


def test_a_rule_for_another_task_or_that_leaves_nothing_is_refused(prepare: Prepare, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="'iqr' is for tabular, and the task is image"):
        prepare(prepare__clean=["iqr"])
    sections = table(tmp_path / "a.csv", NUMBERS)
    rule = {"kind": "schema", "columns": {"number": {"least": 1000}}}
    with pytest.raises(DataError, match="the rule schema leaves no row of the train part"):
        prepare(sections=sections, prepare__clean=[rule])
