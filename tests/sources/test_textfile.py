from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from modelwright.core.errors import DataError
from modelwright.sources.textfile import TextFileSettings, read


def load(folder: Path, content: str | bytes, **settings):
    (folder / "t.txt").write_bytes(content if isinstance(content, bytes) else content.encode())
    return read(TextFileSettings(path="t.txt", **settings), folder)


@pytest.mark.parametrize(
    ("content", "settings"),
    [
        ("a\tone two\nb\tthree four\na\tfive six\n", {}),
        ("one two\ta\nthree four\tb\nfive six\ta\n", {}),
        ("a one two\nb three four\na five six\n", {}),
        ("one two a\nthree four b\nfive six a\n", {}),
        ("a::one two\nb::three four\na::five six\n", {"separator": "::"}),
        ("a\tone two\r\n\r\nb\tthree four\r\na\tfive six", {"label": "first", "separator": "tab"}),
    ],
)
def test_label_first_or_last_with_any_separator(tmp_path, content, settings):
    rows = load(tmp_path, content, **settings)
    assert rows.columns == {"text": ["one two", "three four", "five six"], "label": ["a", "b", "a"]}
    assert [origin.split(":")[0] for origin in rows.origins] == ["t.txt"] * 3


def test_bad_lines_are_set_aside_with_their_number(tmp_path):
    content = b"a\tone\nb\ttwo\xf0 x\nno tab here\n\ta text\na\t \nb\tx\0y\n\na\tend\n" + b"a\tmore\n" * 40
    rows = load(tmp_path, content, separator="tab", label="first")
    assert {one.origin: one.reason for one in rows.quarantined} == {
        "t.txt:2": "byte 0xF0 at offset 11 is not utf-8",
        "t.txt:3": "no '\\t' between label and text",
        "t.txt:4": "no label",
        "t.txt:5": "no text",
        "t.txt:6": "a NUL byte",
    }
    assert list(rows.origins)[:2] == ["t.txt:1", "t.txt:8"]
    assert len(load(tmp_path, content, separator="tab", label="first", errors="replace")) == len(rows) + 1


def test_text_without_labels_is_refused_unless_stated(tmp_path):
    content = "".join(f"word{at} and word{at * 7}\n" for at in range(400))
    with pytest.raises(DataError, match="neither end of the lines looks like a label"):
        load(tmp_path, content)
    rows = load(tmp_path, content, label="none")
    assert (rows.columns, list(rows.origins)) == ({"text": [content]}, ["t.txt"])


def test_folder_per_class(tmp_path):
    for name, content in {
        "pos/1.txt": b"good",
        "pos/2.txt": b"\xff\xfe",
        "neg/1.txt": b"bad",
        "neg/2.txt": b" ",
    }.items():
        (tmp_path / "x" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "x" / name).write_bytes(content)
    rows = read(TextFileSettings(path="x"), tmp_path)
    assert (rows.columns, len(rows.files)) == ({"text": ["bad", "good"], "label": ["neg", "pos"]}, 4)
    assert [one.origin for one in rows.quarantined] == ["neg/2.txt", "pos/2.txt"]


def test_folder_of_unlabelled_files(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "b.txt").write_text("two")
    (tmp_path / "x" / "a.txt").write_text("one")
    rows = read(TextFileSettings(path={"train": "x"}, label="none"), tmp_path)
    assert (rows.columns, list(rows.origins), rows.parts) == (
        {"text": ["one", "two"]},
        ["x/a.txt", "x/b.txt"],
        ["train"] * 2,
    )


def test_trec(data):
    path = {"train": "trec6/TREC.train.all", "test": "trec6/TREC.test.all"}
    rows = read(TextFileSettings(path=path, errors="replace"), data)
    train = Counter(label for label, part in zip(rows.columns["label"], rows.parts, strict=True) if part == "train")
    assert train == {"0": 1162, "1": 1250, "2": 86, "3": 1223, "4": 835, "5": 896}
    assert (rows.parts.count("train"), rows.parts.count("test")) == (5452, 500)
    strict = read(TextFileSettings(path=path), data)
    assert [one.reason for one in strict.quarantined] == ["byte 0xF0 at offset 3173 is not utf-8"]


def test_sms_thucnews_and_novels(data):
    sms = read(TextFileSettings(path="sms_spam/SMSSpamCollection"), data)
    assert Counter(sms.columns["label"]) == {"ham": 4827, "spam": 747}
    news = read(TextFileSettings(path="zh_thucnews_titles/dev.txt"), data)
    assert Counter(news.columns["label"]) == {str(at): 1000 for at in range(10)}
    novels = read(TextFileSettings(path="zh_novels/红楼梦.txt", label="none"), data)
    assert len(novels.columns["text"][0]) == 860_933
    with pytest.raises(DataError, match=r"is not utf-8.*errors: replace"):
        read(TextFileSettings(path="dickens/dickens.txt", label="none"), data)
