"""A run of the same recipe in a process of its own, which is killed and resumed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ...core.errors import BudgetError
from ...core.run import Run
from ...core.stage import Context

# Seconds between two looks at the process, and between two signs of life.
LOOK, SIGN = 0.005, 0.25


class Process(Protocol):
    """What is needed of a process (subprocess.Popen)."""

    def poll(self) -> int | None: ...
    def kill(self) -> None: ...
    def wait(self) -> int: ...


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit code, and the last line that it wrote."""

    code: int
    said: str


def start(folder: Path, output: Path, processes: int = 1) -> Process:
    """Start to resume the run in a folder, in a session of its own: what is typed at the terminal is not for it."""
    command = [sys.executable, "-m", "modelwright", "resume", str(folder), "--processes", str(processes)]
    with output.open("wb") as stream:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, start_new_session=True)


class Again:
    """State: how many kills have met the training so far, of this and of earlier runs of the recipe."""

    def __init__(self, context: Context, folder: Path, landed: int) -> None:
        self.context, self.folder, self.landed = context, folder, landed
        self.output = folder.with_name("output.txt")

    def disturb(self, delays: list[float]) -> Ended:
        """Kill the run so many seconds after its training began, resume it, and so on; then let it end.

        Raises:
            BudgetError: the disk or the memory was not enough for it.
            Interrupted: somebody asked to stop.
        """
        for delay in delays:
            ended = self._sit(delay)
            if ended is not None:
                return ended
        ended = self._sit(None)
        assert ended is not None
        return ended

    def _sit(self, delay: float | None) -> Ended | None:
        """Let it run, and kill it some seconds after training began; return how it ended if it was not killed."""
        workers = self.context.settings.workers
        self._set_workers(workers[self.landed % len(workers)])
        before = len(self._events())
        process = start(self.folder, self.output, self.context.crew.size)
        try:
            began, shown = None, 0.0
            while (code := process.poll()) is None:
                now = time.monotonic()
                if began is None and self._training(before):
                    began = now
                if delay is not None and began is not None and now - began >= delay:
                    break
                if now - shown >= SIGN:
                    shown = now
                    self.context.check_interrupt(self.landed, self.context.settings.kills)
                time.sleep(LOOK)
        finally:
            process.kill()
            process.wait()
        if code is None:
            # Between the look and the kill the training may have ended.
            self.landed += self._training(before)
            return None
        ended = Ended(code, (self.output.read_text(errors="replace").splitlines() or ["nothing was said"])[-1])
        if code == BudgetError.exit_code:
            raise BudgetError(f"training it again failed: {ended.said}", where=self.folder)
        return ended

    def _set_workers(self, number: int) -> None:
        """Give it another number of loader workers, which must not change anything."""
        run = Run(self.folder)
        recipe = run.state()["recipe"]
        run.update(recipe={**recipe, "train": {**recipe["train"], "workers": number}})

    def _events(self) -> list[dict[str, Any]]:
        """Return the journal so far; its last line may still be in the writing."""
        path = self.folder / "journal.jsonl"
        whole = path.read_bytes().rpartition(b"\n")[0].splitlines() if path.exists() else []
        return [json.loads(line) for line in whole]

    def _training(self, since: int) -> bool:
        """Whether the training has begun, in this sitting, and has not ended."""
        events = [item["event"] for item in self._events()[since:] if item["data"].get("stage") == "train"]
        return events[-1:] == ["stage started"]
