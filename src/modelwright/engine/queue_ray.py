"""Handing jobs to Ray, which finds the place and the moment for each; and asking them to leave at a checkpoint for another size.

The folders of the recipes and that of the runs must be seen by all nodes; on one machine they are.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..core.errors import MissingExtra
from .queue import (
    Job,
    Room,
    Size,
    described,
    largest,
    resized,
    resources_of,
    size_now,
    waiting_before,
    why_never,
    why_waits,
)

# A job that was asked to leave ends so: it has saved a checkpoint, and the same command goes on from it.
INTERRUPTED = 75
LOOK_SECONDS = 0.5
# A job of a new size is left alone for so long: to change it costs a start.
SETTLING_SECONDS = 60.0


@dataclass
class Standing:
    """State of one job in the queue: its size, what Ray gave us for it, when it began, and what became of it."""

    job: Job
    size: Size
    state: str = "waiting"
    why: str = ""
    reference: Any = None
    began: float = 0.0
    seconds: float = 0.0
    peak: float = 0.0
    code: int | None = None
    next_size: Size | None = None
    sizes: list[Size] = field(default_factory=list)


def submit_to_ray(
    jobs: Sequence[Job],
    runs: Path,
    told: Callable[[str], None],
    settling: float = SETTLING_SECONDS,
) -> list[Standing]:
    """Run all jobs, in this order as far as there is room; return what became of each.

    Raises:
        MissingExtra: Ray is not installed.
    """
    ray = require_ray()
    started = not ray.is_initialized()
    if started:
        address = os.environ.get("RAY_ADDRESS")
        ray.init(address=address or "local", log_to_driver=False, include_dashboard=None if address else False)
    try:
        return _Queue(ray, jobs, runs, told, settling).run()
    finally:
        if started:
            ray.shutdown()


class _Queue:
    """State: how each job stands, and the board on which jobs and queue write for each other."""

    def __init__(self, ray: Any, jobs: Sequence[Job], runs: Path, told: Callable[[str], None], settling: float) -> None:
        self.ray, self.runs, self.told, self.settling = ray, runs, told, settling
        self.board = ray.remote(num_cpus=0)(Board).remote()
        self.machines = _rooms(ray, "total")
        self.standings = [self._stand(job) for job in jobs]
        self.said: dict[str, str] = {}

    def _stand(self, job: Job) -> Standing:
        workers = largest(job, self.machines)
        standing = Standing(job, Size(workers or job.least, job.memory))
        if not workers:
            standing.state, standing.why = "held", why_never(job, self.machines)
            self.told(f"{job.name}: {standing.why}")
        return standing

    def run(self) -> list[Standing]:
        """Hand over, look, and ask for other sizes, until all have ended."""
        while open_ones := [item for item in self.standings if item.state in ("waiting", "running")]:
            self._hand_over()
            self._look()
            for item in open_ones:
                if item.state == "running":
                    self._judge(item)
            references = [item.reference for item in open_ones if item.reference is not None]
            done, _ = self.ray.wait(references, timeout=LOOK_SECONDS) if references else ([], [])
            for item in open_ones:
                if item.reference in done:
                    self._take_back(item)
        return self.standings

    def _waiting(self) -> list[Standing]:
        return [item for item in self.standings if item.state == "waiting"]

    def _hand_over(self) -> None:
        """Give Ray whoever waits for nobody of a higher priority; when there is room for it, is Ray's to find out."""
        waiting = [item.job for item in self._waiting()]
        free = _rooms(self.ray, "available")
        for item in self._waiting():
            if item.reference is not None or waiting_before(item.job, waiting):
                continue
            item.size, free = size_now(item.job, item.size, free)
            work = self.ray.remote(max_retries=0)(carry_job)
            asked = work.options(name=item.job.name, **resources_of(item.job, item.size))
            item.reference = asked.remote(
                self.board, item.job.name, _command(item.job, item.size, self.runs), str(Path.cwd())
            )
            item.sizes.append(item.size)

    def _look(self) -> None:
        """Read from the board who has begun and what each takes; say of the others what they wait for."""
        begun, peaks = self.ray.get(self.board.read.remote())
        for item in self._waiting():
            if item.job.name in begun:
                item.state, item.began = "running", time.monotonic()
                self._say(item, f"begins with {_words(item)}")
        for item in self.standings:
            item.peak = peaks.get(item.job.name, item.peak)
        waiting = [item.job for item in self._waiting()]
        for item in self._waiting():
            item.why = why_waits(item.job, item.size, _rooms(self.ray, "available"), waiting_before(item.job, waiting))
            self._say(item, item.why)

    def _judge(self, item: Standing) -> None:
        """Ask a running job to leave at a checkpoint, where another size would suit."""
        if item.next_size or time.monotonic() - item.began < self.settling:
            return
        waits = bool(self._waiting())
        change = resized(item.job, item.size, item.peak, self.machines, _rooms(self.ray, "available"), waits)
        if change:
            item.next_size, why = change
            self._say(item, f"leaves at a checkpoint for another size: {why}")
            self.ray.get(self.board.ask.remote(item.job.name))

    def _take_back(self, item: Standing) -> None:
        """Take what a job has left with; who was asked to leave waits again, with its new size."""
        try:
            item.code = self.ray.get(item.reference)
        except self.ray.exceptions.RayError as error:
            item.code, item.why = 1, str(error).splitlines()[0]
        item.seconds += time.monotonic() - item.began
        item.reference = None
        self.ray.get(self.board.forget.remote(item.job.name))
        if item.next_size and item.code == INTERRUPTED:
            item.state, item.size, item.next_size, item.peak = "waiting", item.next_size, None, 0.0
            return
        item.state = "finished" if item.code == 0 else "failed"
        self._say(item, f"{item.state} after {item.seconds:.0f} s" + (f", exit code {item.code}" if item.code else ""))

    def _say(self, item: Standing, words: str) -> None:
        if self.said.get(item.job.name) != words:
            self.said[item.job.name] = words
            self.told(f"{item.job.name}: {words}")


class Board:
    """State: which jobs have begun, the most memory of each, and who is asked to leave. Lives in a process of Ray's."""

    def __init__(self) -> None:
        self.begun: set[str] = set()
        self.peaks: dict[str, float] = {}
        self.asked: set[str] = set()

    def tell(self, name: str, peak: float) -> bool:
        """Take down what a job has taken at most so far; answer whether it is to leave."""
        self.begun.add(name)
        self.peaks[name] = peak
        return name in self.asked

    def ask(self, name: str) -> None:
        """Ask a job to leave at a checkpoint."""
        self.asked.add(name)

    def read(self) -> tuple[set[str], dict[str, float]]:
        """Return who has begun, and what each has taken at most."""
        return self.begun, self.peaks

    def forget(self, name: str) -> None:
        """Forget a job that has left."""
        self.begun.discard(name)
        self.asked.discard(name)


def carry_job(board: Any, name: str, command: Sequence[str], place: str) -> int:
    """Run a command where Ray has put us; return its exit code. Who is asked to leave is interrupted, and saves a checkpoint."""
    import ray

    environment = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
    process = subprocess.Popen(list(command), cwd=place, env=environment, stdin=subprocess.DEVNULL)
    peak, told = 0.0, False
    try:
        while process.poll() is None:
            peak = max(peak, resident(process.pid))
            if ray.get(board.tell.remote(name, peak)) and not told:
                told = True
                process.send_signal(signal.SIGINT)
            time.sleep(LOOK_SECONDS)
    finally:
        if process.poll() is None:
            process.kill()
    return process.wait()


def resident(process: int) -> float:
    """Return the memory that a process and all that it has started take now; 0 where the system does not say.

    Units: bytes
    """
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
        lists = [file.read_text().split() for file in Path(f"/proc/{process}/task").glob("*/children")]
    except (OSError, ValueError, IndexError):
        return 0.0
    return pages * float(os.sysconf("SC_PAGE_SIZE")) + sum(resident(int(child)) for row in lists for child in row)


def _command(job: Job, size: Size, runs: Path) -> list[str]:
    together = ["--processes", str(size.workers)] if size.workers > 1 else []
    return [sys.executable, "-m", "modelwright", "run", job.recipe, *job.overrides, "--runs", str(runs), *together]


def _rooms(ray: Any, which: str) -> list[Room]:
    """Return what each machine of the cluster has in total, or has available."""
    from ray._private.state import available_resources_per_node, total_resources_per_node

    found = (total_resources_per_node if which == "total" else available_resources_per_node)()
    return [Room(node.get("CPU", 0), node.get("memory", 0), node.get("GPU", 0)) for node in found.values()]


def _words(item: Standing) -> str:
    return described(item.job, item.size.workers, item.size.memory)


def require_ray() -> Any:
    """Return Ray.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        import ray
    except ImportError as error:
        raise MissingExtra(
            "ray is not installed",
            where="submit",
            expected="the extra 'ray'",
            next_step="pip install 'modelwright[ray]', or run the recipes one after the other",
        ) from error
    return ray
