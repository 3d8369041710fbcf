"""Several processes of a stand-in for the program, which loads nothing: one that dies, exit codes, signals; and the watchdog."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelwright.engine import launch, watchdog
from modelwright.engine.launch import Crowd
from modelwright.engine.watchdog import Watchdog

PROGRAM = """
import os, pathlib, signal, sys, time
here, what = pathlib.Path(sys.argv[1]), sys.argv[2]
rank, attempt = int(os.environ["RANK"]), int(os.environ["TORCHELASTIC_RESTART_COUNT"])
(here / f"{attempt}-{rank}").write_text(str(time.monotonic()))
outcome = pathlib.Path(os.environ["MODELWRIGHT_OUTCOME"])
def leave(code):
    if rank == 0:
        (outcome / "code").write_text(str(code))
    sys.exit(0)
if what == "die" and attempt == 0:
    if rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(30)
if what == "fail":
    sys.exit(3 if rank == 1 else 0)
if what == "wait" and rank == 0:
    signal.signal(signal.SIGUSR1, lambda number, frame: leave(75))
    (outcome / "process").write_text(str(os.getpid()))
    time.sleep(30)
leave(int(what) if what.isdigit() else 0)
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the stand-in notes when which process of which attempt began."""
    package = tmp_path / "stand-in" / "modelwright"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(PROGRAM)
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    notes = tmp_path / "notes"
    notes.mkdir()
    before = [signal.getsignal(number) for number in launch.FORWARDED]
    yield notes
    assert [signal.getsignal(number) for number in launch.FORWARDED] == before
    assert launch.OUTCOME not in os.environ


def run(place: Path, what: str, restarts: int = 2) -> tuple[int, list[str]]:
    told: list[str] = []
    return launch.launch([str(place), what], Crowd(2, 1, "", restarts), told.append), told


def test_a_process_that_dies_is_noticed_and_all_begin_again(place: Path) -> None:
    code, told = run(place, "die")
    assert code == 0
    assert told == ["rank 1 ended with SIGKILL; all begin again from the last checkpoint"]
    assert sorted(path.name for path in place.iterdir()) == ["0-0", "0-1", "1-0", "1-1"]
    began = {path.name: float(path.read_text()) for path in place.iterdir()}
    assert began["1-0"] - began["0-1"] < 5


def test_they_begin_again_so_often_and_no_more(place: Path) -> None:
    code, told = run(place, "fail", restarts=1)
    assert code == 1
    assert told[-1] == "rank 1 ended with exit code 3, and all have begun again 1 times"
    assert len(list(place.iterdir())) == 4


@pytest.mark.parametrize("code", [0, 2, 75])
def test_the_exit_code_is_that_of_the_first_process_and_no_reason_to_begin_again(place: Path, code: int) -> None:
    assert run(place, str(code)) == (code, [])
    assert len(list(place.iterdir())) == 2


def test_a_signal_is_for_the_first_process(place: Path) -> None:
    def send() -> None:
        while not (place / "0-0").exists():
            time.sleep(0.02)
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGUSR1)

    threading.Thread(target=send).start()
    assert run(place, "wait") == (75, [])


class Shelf:
    """State: what was put. The words of a store that the watchdog uses."""

    def __init__(self, **items: str) -> None:
        self.items = dict(items)

    def set(self, key: str, value: str) -> None:
        self.items[key] = value

    def get(self, key: str) -> str:
        return self.items[key]

    def check(self, keys: list[str]) -> bool:
        return all(key in self.items for key in keys)


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Why watchdogs would have ended this process."""
    reasons: list[str] = []
    monkeypatch.setattr(watchdog, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(watchdog, "OVER_SECONDS", 0.05)

    def note(dog: Watchdog, why: str) -> None:
        reasons.append(why)
        dog._stopped.set()

    monkeypatch.setattr(Watchdog, "_end", note)
    return reasons


@pytest.mark.parametrize("rank", [0, 1])
def test_who_sees_no_sign_for_too_long_ends(ended: list[str], rank: int) -> None:
    shelf, signs = Shelf(), [0]
    dog = Watchdog(shelf, rank, 0.2, 1.0, signs, 0)
    dog.start()
    for number in range(1, 30):
        signs[0] = number
        shelf.set("signs", str(number))
        time.sleep(0.02)
    assert not ended, "there were signs all the time"
    time.sleep(0.6)
    dog.stop()
    assert len(ended) == 1
    assert "another one hangs" in ended[0]


def test_before_the_first_sign_there_is_more_time(ended: list[str]) -> None:
    dog = Watchdog(Shelf(), 0, 0.1, 5.0, [0], 0)
    dog.start()
    time.sleep(0.3)
    assert not ended
    time.sleep(0.5)
    dog.stop()
    assert len(ended) == 1


def test_who_stays_behind_when_the_stage_is_over_ends(ended: list[str]) -> None:
    dog = Watchdog(Shelf(**{"over/3": "badly"}), 1, 60.0, 1.0, [0], 3)
    dog.start()
    time.sleep(0.3)
    dog.stop()
    assert ended == ["the first process has left the training"]
