from __future__ import annotations

import gzip
import json

import pytest

from modelwright.core.errors import DataError
from modelwright.sources.detect import detect
from modelwright.sources.jsonarray import JsonSettings, read


def load(folder, content: str | bytes, name: str = "t.json", **settings):
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return read(JsonSettings(path=name, **settings), folder)


def test_objects_become_rows_with_the_line_they_begin_on(tmp_path):
    text = '\ufeff\n[ {"text": "a", "n": 1,\r\n "label": "x"},\n\n{"text": ["b", "c"], "label": "y", "deep": [1]}\n]\n'
    rows = load(tmp_path, text)
    assert rows.columns == {"n": [1.0, None], "deep": [None, "[1]"], "text": ["a", "b\nc"], "label": ["x", "y"]}
    assert list(rows.origins) == ["t.json:2", "t.json:5"]


def test_elements_that_are_no_objects_are_quarantined(tmp_path):
    rows = load(tmp_path, b'[{"a": 1},\n[1],\n"x", {"a": "\\ud800"},\n{"a": "\xff"},\n{"a": 2}]', types={"a": "number"})
    assert [one.origin for one in rows.quarantined] == ["t.json:2", "t.json:3", "t.json:3", "t.json:4"]
    reasons = [one.reason for one in rows.quarantined]
    assert reasons[:2] == ["a JSON list, expected an object", "a JSON str, expected an object"]
    assert "surrogate" in reasons[2]
    assert "0xFF" in reasons[3]
    assert rows.columns == {"a": [1.0, 2.0]}


@pytest.mark.parametrize(
    ("text", "where", "reason"),
    [
        ("", "", "begins with ''"),
        ('{"a": 1}\n{"a": 2}\n', "", "kind: jsonl"),
        ('[{"a": 1},\n{"a": }]', ":2", "not JSON"),
        ('[{"a": 1},\n\n{"a": 2}', ":3", "the array has no end"),
        ('[{"a": 1}\n{"a": 2}]', ":1", "after an element"),
        ('[{"a": NaN}]', ":1", "NaN is not a number"),
        ("[" + "[" * 100_000, ":1", "not JSON"),
        ("[]", "", "no object in it"),
        ("[1, 2]", "", "the first: t.json:1: a JSON int"),
    ],
)
def test_what_is_no_array_of_objects_is_refused_by_line(text, where, reason, tmp_path):
    with pytest.raises(DataError) as raised:
        load(tmp_path, text)
    assert f"t.json{where}: " in str(raised.value)
    assert reason in str(raised.value)


def test_a_folder_parts_and_packed_files(tmp_path):
    for number in range(3):
        (tmp_path / f"{number}.json").write_text(json.dumps([{"text": f"text {number}", "label": number}]))
    (tmp_path / "9.json.gz").write_bytes(gzip.compress(b'[{"text": "packed", "label": 9}]'))
    (tmp_path / "LICENSE").write_text("free")
    rows = read(JsonSettings(path="."), tmp_path)
    assert rows.columns["label"] == [0, 1, 2, 9]
    assert rows.parts is None
    assert set(rows.files) == {"0.json", "1.json", "2.json", "9.json.gz"}
    assert read(JsonSettings(path={"train": "0.json", "test": "1.json"}), tmp_path).parts == ["train", "test"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"no file whose name ends in \.json"):
        read(JsonSettings(path="empty"), tmp_path)


def test_detection(tmp_path):
    rows = [{"body": f"this is a long enough sentence {at}", "label": "ab"[at % 2]} for at in range(9)]
    for name in ("one.json", "two.json"):
        (tmp_path / name).write_text(json.dumps(rows))
    guess = detect(tmp_path / "one.json")
    assert (guess["task"], guess["source"]["kind"], guess["source"]["text"]) == ("text", "json", ["body"])
    assert detect(tmp_path)["source"] == {**guess["source"], "path": str(tmp_path)}
    packed = tmp_path / "t.csv.gz"
    packed.write_bytes(gzip.compress(b"size,label\n" + b"".join(b"%d.5,%d\n" % (at, at % 2) for at in range(30))))
    assert detect(packed) == {"task": "tabular", "source": {"kind": "csv", "path": str(packed), "label": "label"}}


def test_tang_poems(data):
    rows = read(JsonSettings(path="zh_tang_poems", text=["paragraphs"]), data)
    assert len(rows) + len(rows.quarantined) == 10_008
    assert rows.columns["text"][0].splitlines()[0] == "秦川雄帝宅，函谷壯皇居。"
    assert rows.origins[1] == "poet.tang.0.json:13"
