"""List B3: rows in two parts, constant labels, columns that give the label away; and the quarantine limit."""

from __future__ import annotations

import numpy
import pytest

from modelwright.core.errors import DataError
from modelwright.sources.checks import find_overlap, quarantine_limit, squeeze, suspicious_columns
from modelwright.sources.delimited import CsvSettings, read
from modelwright.sources.rows import Numbered, Quarantined, Rows


def rows_of(name: str = "f", quarantined: tuple[Quarantined, ...] = (), **columns) -> Rows:
    return Rows(columns, Numbered(name, 1, len(next(iter(columns.values())))), quarantined, {})


def test_quarantine_limit_names_the_first_three():
    bad = tuple(Quarantined(f"f:{at}", f"reason {at}") for at in range(5))
    rows = rows_of(quarantined=bad, label=["a"] * 95)
    quarantine_limit(rows, 0.05)
    with pytest.raises(
        DataError, match=r"5 of 100 rows .5.00%.*f:0: reason 0; f:1: reason 1; f:2: reason 2; \.\.\."
    ) as raised:
        quarantine_limit(rows, 0.049)
    assert raised.value.exit_code == 3
    assert "f:3" not in str(raised.value)
    assert raised.value.problems[0].where == "f"
    quarantine_limit(rows_of(label=["a"]), 0.0)


def test_quarantine_limit_names_the_files_with_most_bad_rows_first():
    origins = ["a.csv:1", "b.csv:1", "b.csv:2", "c/1.png", "d/2.png", "e/3.png"]
    rows = rows_of(quarantined=tuple(Quarantined(origin, "bad") for origin in origins), label=["a"])
    with pytest.raises(DataError) as raised:
        quarantine_limit(rows, 0.01)
    assert raised.value.problems[0].where == "b.csv, a.csv, c/1.png and 2 more files"


def test_overlap_of_texts_exact_and_near():
    train = rows_of("train", text=["Hello, World!", "other", "other", "!!!"], label=["a", "b", "b", "a"])
    test = rows_of("test", text=["hello  world", "other", "new", "???"], label=["b", "a", "a", "a"])
    found = find_overlap({"train": train, "test": test})
    assert [(one.kind, one.parts, one.origins) for one in found] == [
        ("near", ("train", "test"), ("train:1", "test:1")),
        ("exact", ("train", "test"), ("train:2", "test:2")),
    ]


def test_overlap_looks_at_every_pair_of_parts_but_not_inside_one():
    parts = {name: rows_of(name, text=texts) for name, texts in {"a": ["x", "x"], "b": ["y"], "c": ["y", "x"]}.items()}
    assert [one.origins for one in find_overlap(parts)] == [("b:1", "c:1"), ("a:1", "c:2")]


def test_overlap_of_images_and_tables():
    image = numpy.random.default_rng(0).integers(0, 255, (3, 4, 4, 1), dtype=numpy.uint8)
    found = find_overlap({"train": rows_of("a", image=image[:2]), "test": rows_of("b", image=image[[2, 1]])})
    assert [one.origins for one in found] == [("a:2", "b:2")]
    table = {
        "train": rows_of("a", n=[1.0, None], label=["x", "y"]),
        "test": rows_of("b", n=[None, 2.0], label=["x", "x"]),
    }
    assert [one.origins for one in find_overlap(table)] == [("a:2", "b:1")]


def test_squeeze_ignores_width_case_and_punctuation():
    assert squeeze("Ｈello，  WORLD！") == squeeze("hello world")
    assert squeeze("好吃。") == squeeze("好吃")
    assert squeeze("!!!") != squeeze("???")


def test_constant_label_and_empty_columns():
    found = {one.column: one.reason for one in suspicious_columns(rows_of(n=[None] * 3, c=[1.0] * 3, label=["a"] * 3))}
    assert set(found) == {"label", "n", "c"}
    assert "nothing can be learned" in found["label"]


def test_identifiers_leaks_and_broken_numbers():
    count = 100
    labels = ["yes" if at % 3 else "no" for at in range(count)]
    rows = rows_of(
        row_number=[float(at) for at in range(count)],
        key=[f"customer {at}" for at in range(count)],
        leak=[1.0 if label == "yes" else 0.0 for label in labels],
        broken=["n.a.", *(str(at % 7) for at in range(count - 1))],
        age=[float(at * 37 % 83) for at in range(count)],
        job=[f"job {at % 9}" for at in range(count)],
        label=labels,
    )
    found = {one.column: one.reason for one in suspicious_columns(rows)}
    assert set(found) == {"row_number", "key", "leak", "broken"}
    assert "identifier" in found["row_number"]
    assert "identifier" in found["key"]
    assert "stands for the label" in found["leak"]
    assert "99 of 100 values are numbers, but not 'n.a.'" in found["broken"]


def test_real_leaks(data):
    def news(path: str) -> Rows:
        return read(CsvSettings(path=f"ag_news/{path}", names=["t", "label"], text=["t"]), data)

    train, validation, test = news("sub5k/train.csv"), news("sub5k/dev.csv"), news("sub5k/test.csv")
    leaks = find_overlap({"train": train, "validation": validation})
    assert {one.origins[1] for one in leaks} == set(validation.origins)
    assert {one.kind for one in leaks} == {"exact"}
    assert len(find_overlap({"train": train, "test": test})) < 5
