"""The journal of a run: append-only, each record bound to all before it by its hash.

An edit, deletion, swap or insertion breaks the chain. Somebody who rewrites the whole chain, or cuts its end off,
is caught by the witness: a file kept elsewhere that remembers how long the journal was and what its last hash was.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import DamagedArtifact
from .files import as_bytes, explained

START = "0" * 64


@dataclass(frozen=True)
class Record:
    """One line of the journal."""

    sequence: int
    time: float
    event: str
    data: dict[str, Any]
    previous: str
    hash: str


def hash_of(sequence: int, moment: float, event: str, data: dict[str, Any], previous: str) -> str:
    """Return the hash that binds a record to its content and to the record before it."""
    text = json.dumps(
        [sequence, moment, event, data, previous], sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    return hashlib.sha256(as_bytes(text)).hexdigest()


def line_of(record: Record) -> bytes:
    """Return the one line that stands for a record; any other spelling of it is an edit."""
    return as_bytes(json.dumps(record.__dict__, ensure_ascii=False, allow_nan=False))


class Journal:
    """Owns the open end of one journal file: the number and hash of its last record."""

    def __init__(self, path: Path, witness: Path) -> None:
        self.path, self.witness = path, witness
        aside = _set_aside(witness) if not path.exists() and witness.exists() else None
        dropped = _drop_torn_tail(path)
        _drop_torn_tail(witness)
        verify_journal(path)
        records = read_journal(path)
        self._count = len(records)
        self._last = records[-1].hash if records else START
        if aside:
            self.append("witness of a journal that is gone set aside", **aside)
        if dropped:
            self.append("torn record removed", bytes=dropped)

    def append(self, event: str, **data: Any) -> Record:
        """Write one record and return when it is on the disk."""
        moment = round(time.time(), 3)
        digest = hash_of(self._count, moment, event, data, self._last)
        record = Record(self._count, moment, event, data, self._last, digest)
        _append_line(self.path, line_of(record))
        self._count, self._last = self._count + 1, digest
        return record

    def checkpoint(self) -> None:
        """Tell the witness how far the journal has come."""
        _append_line(self.witness, json.dumps({"records": self._count, "hash": self._last}).encode())


def read_journal(path: Path) -> list[Record]:
    """Read a journal without judging it.

    Raises:
        DamagedArtifact: a line is not a record.
    """
    records = []
    # Not `splitlines`: a record may hold characters that Python, and nobody else, takes for the end of a line.
    for number, line in enumerate(_lines(path), 1):
        try:
            records.append(Record(**json.loads(line)))
        except (ValueError, TypeError):
            raise DamagedArtifact("this line is not a journal record", where=f"{path}:{number}") from None
    return records


def verify_journal(path: Path, witness: Path | None = None, *, whole: bool = True) -> int:
    """Check the whole chain, and against the witness if there is one; return the number of records.

    With `whole=False` the file is a copy taken before the run went on, so the witness may know of more records.

    Raises:
        DamagedArtifact: names the first record that is not what it was.
    """
    previous = START
    records = read_journal(path)
    lines = _lines(path)
    for number, record in enumerate(records):
        where = f"{path}:{number + 1}"
        if record.sequence != number:
            raise DamagedArtifact(
                f"record {record.sequence} stands where record {number} belongs",
                where=where,
                expected="an unbroken sequence",
            )
        if record.previous != previous:
            raise DamagedArtifact(
                f"record {number} does not follow the one before it",
                where=where,
                expected="the hash of the record before",
            )
        if record.hash != hash_of(record.sequence, record.time, record.event, record.data, record.previous):
            raise DamagedArtifact(
                f"record {number} ('{record.event}') was changed", where=where, expected="content that matches its hash"
            )
        if line_of(record) != lines[number]:
            raise DamagedArtifact(
                f"record {number} ('{record.event}') was written anew",
                where=where,
                expected="the bytes that were appended",
            )
        previous = record.hash
    if witness is not None and witness.exists():
        _compare_with_witness(path, records, witness, whole)
    return len(records)


def _compare_with_witness(path: Path, records: list[Record], witness: Path, whole: bool) -> None:
    for line in _lines(witness):
        try:
            seen = json.loads(line)
            count, digest = int(seen["records"]), str(seen["hash"])
        except (ValueError, KeyError, TypeError):
            continue  # a witness line torn by a kill says nothing
        if count > len(records):
            if not whole:
                continue
            raise DamagedArtifact(
                f"the journal has {len(records)} records",
                where=path,
                expected=f"at least the {count} that the witness {witness} saw",
            )
        if count > 0 and records[count - 1].hash != digest:
            raise DamagedArtifact(
                f"record {count - 1} is not the one that the witness saw",
                where=f"{path}:{count}",
                expected=f"the hash in {witness}",
            )


def _set_aside(witness: Path) -> dict[str, Any]:
    """Give the witness of a journal that is gone another name, for a new journal needs a new one; say what it saw last.

    The old one stays: who compares with it learns that a journal is missing.
    """
    seen = _lines(witness)[-1:]
    number = 1
    while (aside := witness.with_name(f"{witness.name}.{number}")).exists():
        number += 1
    with explained(witness):
        os.replace(witness, aside)
    return {"witness": aside.name, "saw": seen[0].decode(errors="replace") if seen else ""}


def _lines(path: Path) -> list[bytes]:
    content = path.read_bytes() if path.exists() else b""
    return content.removesuffix(b"\n").split(b"\n") if content else []


def _append_line(path: Path, line: bytes) -> None:
    with explained(path, len(line)):
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        before = os.fstat(handle).st_size
        try:
            rest = line + b"\n"
            while rest:
                rest = rest[os.write(handle, rest) :]
            os.fsync(handle)
        except BaseException:
            # A disk that fills up takes part of a line; the next record must not be glued to it.
            os.ftruncate(handle, before)
            raise
        finally:
            os.close(handle)


def _drop_torn_tail(path: Path) -> int:
    """Cut off a last line that a kill or a full disk left unfinished; return how many bytes went."""
    if not path.exists():
        return 0
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    torn = len(content) - whole
    if torn:
        with path.open("r+b") as stream:
            stream.truncate(whole)
    return torn
