"""The other side of the worker: candidates go in, what they would cost comes out."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from ...core.errors import DataError
from ...core.files import read_json, write_json
from .worker import SHARE, Job

WORKER = "modelwright.stages.plan.worker"


class Worker:
    """State: the process, and how many candidates it was asked about."""

    def __init__(self, job: Job, folder: Path) -> None:
        self.folder, self.asked = folder, 0
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "job.json", asdict(job))
        self.errors = (folder / "errors.txt").open("w+b")
        self.process = subprocess.Popen(
            [sys.executable, "-m", WORKER, str(folder / "job.json")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env={**os.environ, "OMP_WAIT_POLICY": "passive"},
        )

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.process.kill()
        self.process.communicate()
        self.errors.close()

    def trace(self, edits: dict[str, Any], timed: bool = False) -> dict[str, Any]:
        """Return what the recipe with these edits would need; see `worker.Bench.trace`.

        Raises:
            DataError: the process has ended.
        """
        return self._ask(edits, "timed" if timed else "untimed")

    def trace_share(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Return what one process of several on other machines would need; see `worker.Bench.share`.

        Raises:
            DataError: the process has ended.
        """
        return self._ask(asked, SHARE)

    def _ask(self, said: dict[str, Any], how: str) -> dict[str, Any]:
        number, self.asked = self.asked, self.asked + 1
        write_json(self.folder / f"edits-{number}.json", said)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(f"{number} {how}\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise self._ended() from None
        if not self.process.stdout.readline():
            raise self._ended()
        found: dict[str, Any] = read_json(self.folder / f"result-{number}.json")
        return found

    def _ended(self) -> DataError:
        code = self.process.wait()
        self.errors.seek(0)
        told = self.errors.read().decode(errors="replace").strip().splitlines()
        return DataError(
            f"the process that traces the recipe ended with code {code}: {told[-1] if told else 'it said nothing'}",
            where="plan",
            expected="a recipe whose training can be traced",
            next_step="leave the section plan out, and report the recipe",
        )
