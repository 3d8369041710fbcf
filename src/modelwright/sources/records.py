"""Delimited text to records with their line numbers; a bad record is set aside, never its neighbours."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from .decoding import Decoded, lines_of
from .rows import Quarantined

# Where two delimiters both cut every line alike, the first here is meant: a decimal comma is common between
# semicolons, a semicolon in each line between commas is not.
DELIMITERS = ("\t", "|", ";", ",")
SNIFFED_RECORDS = 200
NAME_LIKE = re.compile(r"[\w .,:/()%#$&'-]{1,64}")


@dataclass(frozen=True)
class Dialect:
    """How lines are cut into fields."""

    delimiter: str
    quoted: bool
    strip: bool
    comment: str
    max_field: int

    def reader(self, lines: _Lines) -> Iterator[list[str]]:
        """Return the standard library's reader set to this dialect."""
        quoting: Any = csv.QUOTE_MINIMAL if self.quoted else csv.QUOTE_NONE
        return csv.reader(
            lines, delimiter=self.delimiter, quoting=quoting, skipinitialspace=self.strip, strict=True, doublequote=True
        )


@dataclass
class Records:
    """The records of one file, the line on which each starts, and what was set aside."""

    fields: list[list[str]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)


class _Lines:
    """Owns the place of the reader in the lines: the next line, and where the present record began."""

    def __init__(self, lines: list[str], at: int, comment: str) -> None:
        self.lines = lines
        self.at = at
        self.start = at
        self.is_new_record = True
        self.comment = comment

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if self.is_new_record:
            while self.at < len(self.lines) and self._says_nothing(self.lines[self.at]):
                self.at += 1
            self.start = self.at
            self.is_new_record = False
        if self.at >= len(self.lines):
            raise StopIteration
        self.at += 1
        return self.lines[self.at - 1]

    def _says_nothing(self, line: str) -> bool:
        return not line.strip(" \r\n") or bool(self.comment and line.startswith(self.comment))


def split(decoded: Decoded, dialect: Dialect, file: str, skip: int, width: int) -> Records:
    """Cut the text into records of `width` fields; 0 takes the width that most of the first records have.

    A record that is not right is set aside with the number of its first line only, and reading goes on at the next
    line: a stray quote must not swallow what follows it.
    """
    lines = lines_of(decoded.text)
    width = width or _usual_width(lines[skip:], dialect)
    source = _Lines(lines, skip, dialect.comment)
    records = Records()
    has_nul = "\0" in decoded.text
    with _field_limit(dialect.max_field):
        reader = dialect.reader(source)
        while True:
            source.is_new_record = True
            try:
                record = next(reader, None)
            except csv.Error as error:
                record, reason = [], _explain(str(error))
            else:
                if record is None and source.start >= len(lines):
                    return records
                record = record or []
                reason = "" if len(record) == width else f"found {len(record)} columns, expected {width}"
            here = source.start + 1
            if reason:
                if source.at > here:
                    reason += f" (the quote opened here runs on to line {source.at})"
                    source.at = here
                    reader = dialect.reader(source)
                reason = decoded.damage_between(here, here) or reason
            elif has_nul or decoded.damage:
                reason = decoded.damage_between(here, source.at) or _nul(record)
            if reason:
                records.quarantined.append(Quarantined(f"{file}:{here}", reason))
            else:
                records.fields.append(record)
                records.lines.append(here)


@contextmanager
def _field_limit(characters: int) -> Iterator[None]:
    before = csv.field_size_limit(characters)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _explain(message: str) -> str:
    if "field limit" in message:
        return f"a field of more than {csv.field_size_limit()} characters"
    if "expected after" in message:
        return "a quote in the middle of a quoted field"
    if "unexpected end" in message:
        return "a quote that is never closed"
    return message


def _nul(record: list[str]) -> str:
    return next((f"a NUL byte in column {at}" for at, value in enumerate(record, 1) if "\0" in value), "")


def _first_records(lines: list[str], dialect: Dialect, count: int = SNIFFED_RECORDS) -> list[list[str]]:
    source = _Lines(lines, 0, dialect.comment)
    records: list[list[str]] = []
    with _field_limit(dialect.max_field):
        reader = dialect.reader(source)
        while len(records) < count:
            source.is_new_record = True
            try:
                record = next(reader, None)
            except csv.Error:
                source.at = source.start + 1
                continue
            if record is None:
                break
            records.append(record)
    return records


def _usual_width(lines: list[str], dialect: Dialect) -> int:
    widths = Counter(len(record) for record in _first_records(lines, dialect))
    return widths.most_common(1)[0][0] if widths else 1


def guess_delimiter(text: str, skip: int, quoted: bool, strip: bool, comment: str, max_field: int) -> str:
    """Return the delimiter that cuts the first records into the same number of fields, a comma when none does."""
    lines = lines_of(text[: 2**20])[skip:]
    best, best_share = ",", 0.0
    for delimiter in DELIMITERS:
        records = _first_records(lines, Dialect(delimiter, quoted, strip, comment, max_field), 50)
        width, count = Counter(len(record) for record in records).most_common(1)[0] if records else (0, 0)
        share = count / max(1, len(records))
        if width > 1 and share > best_share:
            best, best_share = delimiter, share
    return best


def looks_like_header(first: list[str], rest: list[list[str]], missing: frozenset[str]) -> bool:
    """Tell whether the first record names the columns: distinct, none a number, none a value of its own column."""
    names = [name.strip() for name in first]
    filled = [name for name in names if name]
    if len(filled) < len(names) - 1 or len(set(names)) < len(names) or any(is_number(name) for name in filled):
        return False
    if not all(NAME_LIKE.fullmatch(name) for name in filled):
        return False
    # A header that comes again, as in files that were joined, says nothing against itself.
    sample = [[value.strip() for value in record] for record in rest[:SNIFFED_RECORDS] if record != first]
    columns = list(zip(*sample, strict=True)) if sample else []
    present = [[value for value in column if value not in missing] for column in columns]
    if any(values and all(is_number(value) for value in values) for values in present):
        return True
    return not any(name in column for name, column in zip(names, columns, strict=False))


def is_number(text: str) -> bool:
    """Tell whether `text` is a number as data files write it; Python's own `1_000` is none."""
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text
