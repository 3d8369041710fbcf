from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from modelwright.core.errors import DataError
from modelwright.sources import delimited, jsonl, textfile
from modelwright.sources.packing import unpacked

KINDS = {
    "t.csv": (delimited.CsvSettings, delimited.read, "text,label\nhello there,a\ngood bye,b\n"),
    "t.jsonl": (
        jsonl.JsonlSettings,
        jsonl.read,
        '{"text": "hello there", "label": "a"}\n{"text": "x", "label": "b"}\n',
    ),
    "t.txt": (textfile.TextFileSettings, textfile.read, "a\thello there\nb\tgood bye\n"),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_packed_file_reads_like_the_plain_one(name, tmp_path):
    settings, read, text = KINDS[name]
    (tmp_path / name).write_text(text)
    (tmp_path / f"{name}.gz").write_bytes(gzip.compress(text.encode()))
    plain, packed = (read(settings(path=path), tmp_path) for path in (name, f"{name}.gz"))
    assert packed.columns == plain.columns
    assert [origin.replace(".gz", "") for origin in packed.origins] == list(plain.origins)
    # The digest is that of the file as it lies there.
    assert packed.files != plain.files


def test_joined_streams_are_one_file_and_other_names_stay_as_they_are():
    both = gzip.compress(b"one ") + gzip.compress(b"two")
    assert unpacked(both, Path("x.GZ")) == b"one two"
    assert unpacked(both, Path("x.csv")) == both


@pytest.mark.parametrize(
    ("data", "most", "reason"),
    [
        (gzip.compress(b"abc" * 50, mtime=0)[:-9], 1000, "ends too early|damaged"),
        (b"plain text", 1000, "damaged gzip stream"),
        (gzip.compress(b"abc", mtime=0) + b"rest", 1000, "damaged gzip stream"),
        (gzip.compress(bytes(2_000_000), mtime=0), 1000, "more than 1000 bytes when unpacked"),
        (gzip.compress(bytes(600), mtime=0) * 2, 1000, "more than 1000 bytes when unpacked"),
    ],
)
def test_what_is_not_whole_or_too_much_is_refused(data, most, reason):
    with pytest.raises(DataError, match=rf"x\.csv\.gz: .*({reason})"):
        unpacked(data, Path("x.csv.gz"), most)
