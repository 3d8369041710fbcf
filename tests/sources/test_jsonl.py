from __future__ import annotations

import pytest

from modelwright.core.errors import DataError
from modelwright.sources.jsonl import JsonlSettings, read


def load(folder, content: str | bytes, **settings):
    (folder / "t.jsonl").write_bytes(content if isinstance(content, bytes) else content.encode())
    return read(JsonlSettings(path="t.jsonl", **settings), folder)


def test_keys_become_columns_and_absent_ones_are_missing(tmp_path):
    rows = load(tmp_path, '\ufeff{"text": "NA", "n": 1, "label": 3}\n\n{"text": "b", "flag": true, "label": 4}\n')
    assert rows.columns == {"n": [1.0, None], "flag": [None, "true"], "text": ["NA", "b"], "label": [3, 4]}
    assert list(rows.origins) == ["t.jsonl:1", "t.jsonl:3"]


def test_labels_of_two_kinds_become_words(tmp_path):
    rows = load(tmp_path, '{"y": 1, "x": [1, "é"]}\n{"y": "two", "x": null}\n', label="y")
    assert rows.columns == {"x": ['[1, "é"]', None], "label": ["1", "two"]}


def test_bad_lines_say_what_and_where(tmp_path):
    lines = [
        b'{"a": 1}',
        b'{"a": 1',
        b"[1, 2]",
        b'{"a": NaN}',
        b'{"a": 1e999}',
        b'{"a": "\\ud800"}',
        b'{"a": ' + b"[" * 100_000,
        b'{"a": "\xff"}',
        b'{"a": 2}',
    ]
    rows = load(tmp_path, b"\n".join(lines), types={"a": "number"}, max_line=200_000)
    reasons = {int(one.origin.split(":")[1]): one.reason for one in rows.quarantined}
    assert rows.columns == {"a": [1.0, 2.0]}
    assert set(reasons) == {2, 3, 4, 5, 6, 7, 8}
    assert "at column 8" in reasons[2]
    assert reasons[3] == "a JSON list, expected an object"
    assert "NaN is not a number" in reasons[4]
    assert reasons[5] == "column a: 'inf' is not a finite number"
    assert "surrogate" in reasons[6]
    assert "0xFF" in reasons[8]


def test_too_long_lines_and_huge_whole_numbers(tmp_path):
    rows = load(tmp_path, '{"a": 1' + "0" * 400 + '}\n{"a": 2}\n{"a": "' + "x" * 600 + '"}\n', max_line=500)
    assert [one.origin for one in rows.quarantined] == ["t.jsonl:3"]
    assert rows.columns["a"][1] == "2"
    with pytest.raises(DataError, match=r"no object in it; the first: t\.jsonl:1: not JSON"):
        load(tmp_path, "a,b\n1,2\n")


def test_parts(tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.jsonl").write_text(f'{{"text": "{name}", "label": "{name}"}}\n')
    rows = read(JsonlSettings(path={"train": "a.jsonl", "validation": "b.jsonl"}), tmp_path)
    assert (rows.parts, rows.columns["text"]) == (["train", "validation"], ["a", "b"])
