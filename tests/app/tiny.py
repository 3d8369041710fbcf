"""A tiny recipe on real digits, the command line as a forked child, small file systems where root may mount them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from modelwright.app.cli import main

# Who answers for a release of the tests.
ANSWERS = {"owner": "Ada", "purpose": "Tests.", "approver": "Grace"}
TINY: dict[str, Any] = {
    "version": 1,
    "name": "tiny",
    "seed": 1,
    "task": "image",
    "data": {"kind": "sample", "name": "digits"},
    "model": {"kind": "mlp", "hidden": [16]},
    "prepare": {"limit": 120, "split": {"test": 0.25, "validation": 0.2}},
    "train": {"length": "2 epochs", "batch": 16, "threads": 1},
    "evaluate": {"resamples": 100},
    "release": {"gates": ["accuracy.lower_bound >= 0.01"], **ANSWERS},
}


@dataclass(frozen=True)
class Outcome:
    """What one call of the command line gave."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object on standard output; fails if there is anything else."""
        found = json.loads(self.out)
        assert isinstance(found, dict)
        assert self.out.count("\n") == 1
        return found


Cli = Callable[..., Outcome]


def write_recipe(folder: Path, **sections: Any) -> Path:
    """Write the tiny recipe with some sections replaced; `None` leaves a section out."""
    path = folder / "tiny.yaml"
    content = {name: value for name, value in {**TINY, **sections}.items() if value is not None}
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


@dataclass(frozen=True)
class Finished:
    """A finished run that a test may spoil: the recipe, the folder of runs, the run, its release."""

    recipe: Path
    runs: Path

    @property
    def run(self) -> Path:
        return self.runs / "tiny"

    @property
    def release(self) -> Path:
        return self.run / "release"


def snapshot(folder: Path, *without: str) -> dict[str, str]:
    """Return the digest of every file below a folder; `without` leaves out top-level names."""
    return {
        name.as_posix(): hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and (name := path.relative_to(folder)).parts[0] not in without
    }


def events(run: Path, event: str = "") -> list[dict[str, Any]]:
    """Return the records of the journal, or those of one event."""
    records = [json.loads(line) for line in (run / "journal.jsonl").read_text().splitlines()]
    return [record for record in records if not event or record["event"] == event]


def output_of(run: Path, stage: str, kind: str) -> str:
    """Return the digest of what a stage of a run gave."""
    key = json.loads((run / "run.json").read_text())["current"][stage]
    digest: str = json.loads((run / "stages" / f"{stage}-{key[:16]}.json").read_text())["outputs"][kind]
    return digest


def fork_cli(*arguments: object, output: Path = Path(os.devnull)) -> int:
    """Start the command line in a child that shares what this process has imported; return its number.

    Standard output goes to `output`, standard error to a file of that name with `.err` behind it.
    """
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        places = [output, Path(os.devnull) if output == Path(os.devnull) else output.with_suffix(".err")]
        for number, place in enumerate(places, 1):
            os.dup2(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        # The child ends with _exit, so nothing is left in a buffer.
        sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1, closefd=False) for number in (1, 2))
        code = main([str(argument) for argument in arguments])
    finally:
        os._exit(code)


def wait_for(child: int) -> int:
    """Return the exit code of a child; minus the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def kill_after(child: int, seconds: float) -> int:
    """Kill a child after some seconds, unless it has ended before; return how it ended."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    return wait_for(child)


@contextmanager
def mounted(place: Path, options: str) -> Iterator[Path]:
    """Mount a small file system of its own, or skip the test where that is not allowed."""
    place.mkdir(exist_ok=True)
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        pytest.skip("only root can mount a file system")
    if subprocess.run([mount, "-t", "tmpfs", "-o", options, "tmpfs", str(place)], capture_output=True).returncode:
        pytest.skip("this machine does not let us mount a file system")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True, capture_output=True)


def remount(place: Path, options: str) -> None:
    """Change a mounted file system."""
    subprocess.run(["mount", "-o", f"remount,{options}", str(place)], check=True, capture_output=True)
