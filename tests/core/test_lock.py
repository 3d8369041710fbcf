"""One process at a time works in a run folder, and a killed one leaves it free and whole."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import toy_stages
from toy_stages import recipe

from modelwright.core.errors import Busy
from modelwright.core.execute import run
from modelwright.core.journal import read_journal, verify_journal
from modelwright.core.run import Run


@pytest.fixture
def start() -> Iterator[Any]:
    """Start a toy run in another process; whatever still runs at the end is killed."""
    started: list[subprocess.Popen[bytes]] = []

    def start_one(folder: Path, **learn: Any) -> subprocess.Popen[bytes]:
        command = [sys.executable, toy_stages.__file__, str(folder), json.dumps({"learn": learn})]
        started.append(subprocess.Popen(command, stderr=subprocess.PIPE))
        return started[-1]

    yield start_one
    for process in started:
        process.kill()
        process.communicate()


def wait_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    for _ in range(2000):
        if path.exists():
            return
        assert process.poll() is None, process.stderr and process.stderr.read().decode()
        time.sleep(0.01)
    raise AssertionError(f"{path} did not appear")


def test_a_second_process_is_told_who_is_busy(toys: list[str], run_folder: Path, start: Any) -> None:
    first = start(run_folder, sleep=60)
    wait_for(run_folder / "learning", first)
    second = start(run_folder)
    _, message = second.communicate(timeout=60)
    assert second.returncode == 6
    assert f"process {first.pid} is working" in message.decode()
    assert str(run_folder) in message.decode()
    assert "--runs" in message.decode()
    with pytest.raises(Busy):
        run(recipe(run_folder), folder=run_folder)
    assert toys == []
    first.send_signal(signal.SIGKILL)
    first.wait()
    run(recipe(run_folder), folder=run_folder)
    assert toys == ["learn", "judge", "ship"], "the lock is free, and what the killed process had finished is kept"


def test_a_process_killed_in_a_stage_leaves_a_whole_journal_and_a_free_folder(
    toys: list[str], run_folder: Path, start: Any
) -> None:
    killed = start(run_folder, die=True)
    killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL
    for place in (run_folder, run_folder / "artifacts", run_folder / "stages"):
        (place / ".unfinished-999-x").mkdir()
        (place / ".unfinished-999-x" / "half").write_text("x")
    (run_folder / "stages" / ".unfinished-999-y").write_text("x")
    with (run_folder / "journal.jsonl").open("ab") as stream:
        stream.write(b'{"sequence": 3, "ti')
    made = run(recipe(run_folder), folder=run_folder)
    assert toys == ["learn", "judge", "ship"]
    assert not list(run_folder.rglob(".unfinished-*"))
    records = read_journal(run_folder / "journal.jsonl")
    assert [record.data for record in records if record.event == "torn record removed"] == [{"bytes": 19}]
    assert verify_journal(run_folder / "journal.jsonl", made.witness) == len(records)


def test_the_lock_goes_with_its_holder(run_folder: Path) -> None:
    opened = Run(run_folder)
    with opened.opened(), pytest.raises(Busy, match=f"process {os.getpid()} "), opened.opened():
        pass
    with opened.opened():
        assert (run_folder / "lock").read_text() == f"{os.getpid()}\n"
