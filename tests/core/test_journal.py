"""Whatever is done to the journal is noticed, and the first record that is wrong is named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwright.core import files, journal
from modelwright.core.errors import BudgetError, DamagedArtifact
from modelwright.core.journal import START, Journal, Record, hash_of, line_of, read_journal, verify_journal

COUNT = 8
POSITIONS = [0, 1, 4, COUNT - 2, COUNT - 1]


@pytest.fixture
def kept(tmp_path: Path) -> tuple[Path, Path]:
    """A journal of eight records with a checkpoint after the fifth and the last; return it and its witness."""
    path, witness = tmp_path / "journal.jsonl", tmp_path / "witness"
    opened = Journal(path, witness)
    for number in range(COUNT):
        opened.append(
            "something", number=number, text="模匠\u2028line\x85 and \udc80", nested={"b": [1, 2.5, None], "a": True}
        )
        if number in (4, COUNT - 1):
            opened.checkpoint()
    return path, witness


def rewritten(path: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    lines = path.read_bytes().split(b"\n")[:-1]
    path.write_bytes(b"".join(line + b"\n" for line in change(lines)))


def rechained(lines: list[bytes], start: int = 0) -> list[bytes]:
    """Give every line from `start` on a number and a hash that fit those before it, as a forger would."""
    previous = json.loads(lines[start - 1])["hash"] if start else START
    result = lines[:start]
    for number, line in enumerate(lines[start:], start):
        data = json.loads(line)
        digest = hash_of(number, data["time"], data["event"], data["data"], previous)
        result.append(line_of(Record(number, data["time"], data["event"], data["data"], previous, digest)))
        previous = digest
    return result


def edited(line: bytes, **changes: object) -> bytes:
    data = json.loads(line)
    data.update(changes)
    return json.dumps(data, ensure_ascii=False).encode("utf-8", "backslashreplace")


def test_an_untouched_journal_is_good(kept: tuple[Path, Path]) -> None:
    path, witness = kept
    assert verify_journal(path, witness) == COUNT
    assert [record.sequence for record in read_journal(path)] == list(range(COUNT))
    assert read_journal(path)[3].data["text"] == "模匠\u2028line\x85 and \udc80"
    again = Journal(path, witness)
    again.append("more")
    assert verify_journal(path, witness) == COUNT + 1


EDITS: dict[str, Callable[[bytes], bytes]] = {
    "data": lambda line: edited(line, data={"number": 99}),
    "event": lambda line: edited(line, event="nothing"),
    "time": lambda line: edited(line, time=1.0),
    "hash": lambda line: edited(line, hash="0" * 64),
    "previous": lambda line: edited(line, previous="1" * 64),
    "sequence": lambda line: edited(line, sequence=77),
    "whitespace": lambda line: line.replace(b": ", b":  ", 1),
    "order of keys": lambda line: json.dumps(json.loads(line), sort_keys=True, ensure_ascii=False).encode(
        "utf-8", "backslashreplace"
    ),
    "a key twice": lambda line: line.replace(b'"event"', b'"event": "hidden", "event"'),
    "escapes": lambda line: line.replace("模".encode(), b"\\u6a21"),
    "not JSON": lambda line: line[:-1],
    "not UTF-8": lambda line: line.replace("模".encode(), b"\xff"),
    "another key": lambda line: edited(line, more=1),
    "a list": lambda line: b"[]",
    "nothing": lambda line: b"",
}


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("what", EDITS)
def test_an_edit_is_noticed_where_it_is(what: str, position: int, kept: tuple[Path, Path]) -> None:
    path, _ = kept
    rewritten(
        path, lambda lines: [EDITS[what](line) if number == position else line for number, line in enumerate(lines)]
    )
    with pytest.raises(DamagedArtifact) as caught:
        verify_journal(path)
    assert f"{path}:{position + 1}" in str(caught.value)


@settings(max_examples=60)
@given(position=st.integers(0, 3000), value=st.integers(0, 255))
def test_any_changed_byte_is_noticed(position: int, value: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.jsonl"
        opened = Journal(path, Path(folder) / "witness")
        for number in range(3):
            opened.append("something", text="é\ufffd", number=number)
        opened.checkpoint()
        content = bytearray(path.read_bytes())
        position %= len(content)
        if content[position] == value:
            return
        content[position] = value
        path.write_bytes(content)
        if position == len(content) - 1:
            # The last line has lost its end: it counts as torn, which the witness does not forgive.
            try:
                Journal(path, Path(folder) / "other")
            except DamagedArtifact:
                return
            with pytest.raises(DamagedArtifact):
                verify_journal(path, Path(folder) / "witness")
            return
        with pytest.raises(DamagedArtifact):
            verify_journal(path)


@pytest.mark.parametrize("position", POSITIONS[:-1])
def test_a_deletion_is_noticed(position: int, kept: tuple[Path, Path]) -> None:
    path, _ = kept
    rewritten(path, lambda lines: lines[:position] + lines[position + 1 :])
    with pytest.raises(
        DamagedArtifact, match=f"record {position + 1} stands where record {position} belongs"
    ) as caught:
        verify_journal(path)
    assert f":{position + 1}" in str(caught.value)


@pytest.mark.parametrize("position", POSITIONS[:-1])
def test_a_swap_is_noticed(position: int, kept: tuple[Path, Path]) -> None:
    path, _ = kept
    rewritten(path, lambda lines: [*lines[:position], lines[position + 1], lines[position], *lines[position + 2 :]])
    with pytest.raises(DamagedArtifact, match=f"record {position + 1} stands where record {position} belongs"):
        verify_journal(path)


@pytest.mark.parametrize("position", POSITIONS)
def test_an_insertion_is_noticed(position: int, kept: tuple[Path, Path]) -> None:
    path, _ = kept
    rewritten(path, lambda lines: [*lines[:position], edited(lines[position], event="new"), *lines[position:]])
    with pytest.raises(DamagedArtifact) as caught:
        verify_journal(path)
    assert f"{path}:{position + 1}" in str(caught.value)


@pytest.mark.parametrize("position", POSITIONS)
def test_an_edit_with_the_rest_signed_anew_is_noticed_with_the_witness(position: int, kept: tuple[Path, Path]) -> None:
    path, witness = kept
    rewritten(
        path,
        lambda lines: rechained(
            [edited(line, event="forged") if number == position else line for number, line in enumerate(lines)],
            position,
        ),
    )
    assert verify_journal(path) == COUNT, "the chain alone cannot tell, which is what the witness is for"
    with pytest.raises(DamagedArtifact, match="is not the one that the witness saw") as caught:
        verify_journal(path, witness)
    seen = 5 if position < 5 else COUNT
    assert f"{path}:{seen}" in str(caught.value)


def test_a_chain_signed_anew_from_the_start_is_noticed_with_the_witness(kept: tuple[Path, Path]) -> None:
    path, witness = kept
    rewritten(path, lambda lines: rechained([edited(line, time=1.0) for line in lines]))
    assert verify_journal(path) == COUNT
    with pytest.raises(DamagedArtifact, match="record 4 is not the one that the witness saw"):
        verify_journal(path, witness)


@pytest.mark.parametrize("left", [0, 1, 5, COUNT - 1])
def test_a_truncation_is_noticed_with_the_witness(left: int, kept: tuple[Path, Path]) -> None:
    path, witness = kept
    rewritten(path, lambda lines: lines[:left])
    assert verify_journal(path) == left
    with pytest.raises(DamagedArtifact, match=f"the journal has {left} records"):
        verify_journal(path, witness)
    path.unlink()
    with pytest.raises(DamagedArtifact, match="the journal has 0 records"):
        verify_journal(path, witness)


def test_a_copy_from_before_the_run_went_on_is_good_and_a_forged_one_is_not(kept: tuple[Path, Path]) -> None:
    path, witness = kept
    rewritten(path, lambda lines: lines[:6])
    assert verify_journal(path, witness, whole=False) == 6
    rewritten(path, lambda lines: rechained([edited(line, event="forged") for line in lines]))
    with pytest.raises(DamagedArtifact, match="record 4 is not the one"):
        verify_journal(path, witness, whole=False)


def test_the_witness_survives_its_own_torn_lines(kept: tuple[Path, Path]) -> None:
    path, witness = kept
    with witness.open("ab") as stream:
        stream.write(b'{"records": 9')
    assert verify_journal(path, witness) == COUNT
    Journal(path, witness).checkpoint()
    assert len(witness.read_bytes().splitlines()) == 3
    assert all(json.loads(line)["records"] for line in witness.read_bytes().splitlines())


def test_a_torn_tail_is_dropped_and_recorded(kept: tuple[Path, Path]) -> None:
    path, witness = kept
    whole = path.read_bytes()
    for torn in (1, 17, len(whole.splitlines()[-1])):
        path.write_bytes(whole + whole.splitlines()[-1][:torn])
        Journal(path, witness)
        last = read_journal(path)[-1]
        assert (last.event, last.data) == ("torn record removed", {"bytes": torn})
        assert verify_journal(path, witness) == COUNT + 1


def test_a_broken_journal_is_not_written_on(kept: tuple[Path, Path]) -> None:
    path, witness = kept
    rewritten(path, lambda lines: [lines[0], *lines[2:]])
    before = path.read_bytes()
    with pytest.raises(DamagedArtifact):
        Journal(path, witness)
    assert path.read_bytes() == before


def test_a_process_killed_while_appending_leaves_at_most_a_torn_tail(tmp_path: Path) -> None:
    path, witness = tmp_path / "journal.jsonl", tmp_path / "witness"
    # Half a record is on the disk when the kill comes.
    program = f"""
import os, signal
from pathlib import Path
from modelwright.core.journal import Journal
opened = Journal(Path({str(path)!r}), Path({str(witness)!r}))
opened.append("first"); opened.append("second"); opened.checkpoint()
real = os.write
def half(handle, content):
    real(handle, content[: len(content) // 2])
    os.kill(os.getpid(), signal.SIGKILL)
os.write = half
opened.append("third")
"""
    assert subprocess.run([sys.executable, "-c", program]).returncode == -9
    assert not path.read_bytes().endswith(b"\n")
    opened = Journal(path, witness)
    opened.append("fourth")
    assert [record.event for record in read_journal(path)] == ["first", "second", "torn record removed", "fourth"]
    assert verify_journal(path, witness) == 4


def test_a_disk_that_fills_up_takes_no_half_record(kept: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path, witness = kept
    opened, before, real = Journal(path, witness), path.read_bytes(), os.write
    calls = []

    def nearly_full(handle: int, content: bytes) -> int:
        calls.append(len(content))
        if len(calls) > 2:
            raise OSError(28, "No space left on device")
        return real(handle, content[:7])

    monkeypatch.setattr(journal.os, "write", nearly_full)
    with pytest.raises(BudgetError, match="the disk is full"):
        opened.append("too much")
    assert len(calls) == 3
    assert path.read_bytes() == before
    monkeypatch.undo()
    opened.append("enough")
    assert verify_journal(path, witness) == COUNT + 1


def test_short_writes_are_finished(kept: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path, witness = kept
    real = os.write
    monkeypatch.setattr(files.os, "write", lambda handle, content: real(handle, content[:5]))
    Journal(path, witness).append("slow")
    assert verify_journal(path, witness) == COUNT + 1


def test_a_new_journal_gets_a_new_witness_and_the_old_one_stays(kept: tuple[Path, Path]) -> None:
    """As when somebody deletes a run folder: what comes next must verify, and that a journal is gone must show."""
    path, witness = kept
    before = witness.read_bytes()
    for number in (1, 2):
        path.unlink()
        opened = Journal(path, witness)
        opened.append("something else")
        opened.checkpoint()
        assert verify_journal(path, witness) == 2
        (first, _) = read_journal(path)
        assert first.event == "witness of a journal that is gone set aside"
        assert first.data["witness"] == f"witness.{number}"
        assert (witness.with_name(f"witness.{number}").read_bytes() == before) == (number == 1)
    with pytest.raises(DamagedArtifact, match="the journal has 2 records"):
        verify_journal(path, witness.with_name("witness.1"))
    assert json.loads(read_journal(path)[0].data["saw"])["records"] == 2


def test_a_journal_that_is_there_keeps_its_witness(kept: tuple[Path, Path]) -> None:
    path, witness = kept
    path.write_bytes(b"")
    Journal(path, witness)
    with pytest.raises(DamagedArtifact, match="the journal has 0 records"):
        verify_journal(path, witness)
