"""What a queue decides before and beside Ray: the order, who fits at all, who would break a limit, who is to change its size.

Pure functions over plain numbers. Where and when a job runs is Ray's affair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..core.units import format_bytes, format_joules

# What a process takes beside the tensors that a plan counts: the interpreter, torch and its threads.
PROCESS_BYTES = 512 * 2**20
# Who has taken less than this share of its memory is to give the rest back when somebody waits.
LITTLE = 0.5
# What is measured may still grow: so much more is asked for.
ROOM = 1.25


@dataclass(frozen=True)
class Job:
    """A recipe in the queue, with what each of its processes needs and what all of it will cost.

    Units: memory bytes, joules J; seconds and joules of the whole job, 0 where nothing is known.
    """

    name: str
    recipe: str
    priority: int = 0
    cpus: int = 1
    gpus: float = 0.0
    memory: int = PROCESS_BYTES
    least: int = 1
    most: int = 1
    seconds: float = 0.0
    joules: float = 0.0
    money: float = 0.0
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True)
class Room:
    """What a machine has, or has left."""

    cpus: float
    memory: float
    gpus: float = 0.0


@dataclass(frozen=True)
class Limits:
    """What the whole queue may cost; 0: no limit."""

    joules: float = 0.0
    money: float = 0.0


@dataclass(frozen=True)
class Size:
    """How many processes a job has, and the memory of each."""

    workers: int
    memory: int


def in_order(jobs: Sequence[Job]) -> list[Job]:
    """Return the jobs as they are to begin: higher priorities first, then what is over sooner, then as they came."""
    return sorted(jobs, key=lambda job: (-job.priority, job.seconds))


def within_limits(jobs: Sequence[Job], limits: Limits) -> tuple[list[Job], dict[str, str]]:
    """Return the jobs that together stay below the limits, taken in this order, and why each other one does not."""
    kept: list[Job] = []
    held: dict[str, str] = {}
    for job in jobs:
        joules = job.joules + sum(other.joules for other in kept)
        money = job.money + sum(other.money for other in kept)
        # What nobody could plan may cost anything.
        if limits.joules and not job.joules:
            held[job.name] = "nobody knows how much energy it takes, and the queue has a limit"
        elif limits.money and not job.money:
            held[job.name] = "nobody knows what it costs (plan.price), and the queue has a limit"
        elif limits.joules and joules > limits.joules:
            held[job.name] = (
                f"with it the queue would take {format_joules(joules)}, at most {format_joules(limits.joules)}"
            )
        elif limits.money and money > limits.money:
            held[job.name] = f"with it the queue would cost {money:.4g}, at most {limits.money:.4g}"
        else:
            kept.append(job)
    return kept, held


def fits(job: Job, workers: int, memory: int, room: Room) -> bool:
    """Say whether so many processes of a job find room on a machine."""
    return (
        job.cpus * workers <= room.cpus and memory * workers <= room.memory and job.gpus * workers <= room.gpus + 1e-9
    )


def largest(job: Job, machines: Sequence[Room], memory: int = 0) -> int:
    """Return the most processes of a job, between its least and its most, that one machine can hold; 0: not even the least."""
    sizes = range(job.most, job.least - 1, -1)
    return next((size for size in sizes if any(fits(job, size, memory or job.memory, room) for room in machines)), 0)


def why_never(job: Job, machines: Sequence[Room]) -> str:
    """Say why no machine can hold a job, however long it waits."""
    return f"needs {described(job, job.least, job.memory)}, and no machine has that: {'; '.join(map(_shown, machines))}"


def why_waits(job: Job, size: Size, free: Sequence[Room], before: Sequence[str]) -> str:
    """Say what a job waits for: somebody of a higher priority, or room."""
    if before:
        return f"waits for {', '.join(before)}, of a higher priority, to begin"
    return f"waits for {described(job, size.workers, size.memory)}; free now: {'; '.join(map(_shown, free))}"


def resized(
    job: Job, now: Size, peak: float, machines: Sequence[Room], free: Sequence[Room], somebody_waits: bool
) -> tuple[Size, str] | None:
    """Return the size that a running job is to have from its next checkpoint on, and why; nothing where it stays as it is.

    `peak` is the most memory that all its processes have taken together, in bytes; 0 where it is not known.
    """
    each = peak / now.workers
    if each > now.memory:
        memory = int(each * ROOM)
        workers = largest(job, machines, memory)
        if workers:
            return Size(workers, memory), f"takes {format_bytes(each)} a process, more than {format_bytes(now.memory)}"
        return None
    if somebody_waits and now.workers > job.least:
        return Size(job.least, now.memory), "others wait, and it can do with fewer processes"
    if somebody_waits and 0 < each < LITTLE * now.memory:
        memory = int(each * ROOM)
        return Size(now.workers, memory), f"takes {format_bytes(each)} a process, less than {format_bytes(now.memory)}"
    if not somebody_waits and now.workers < job.most:
        own = Room(job.cpus * now.workers, now.memory * now.workers, job.gpus * now.workers)
        alone = [Room(room.cpus + own.cpus, room.memory + own.memory, room.gpus + own.gpus) for room in free]
        workers = largest(
            job, [room for room in alone if any(_within(room, machine) for machine in machines)], now.memory
        )
        if workers > now.workers:
            return Size(workers, now.memory), "nobody waits, and there is room for more processes"
    return None


def size_now(job: Job, size: Size, free: Sequence[Room]) -> tuple[Size, list[Room]]:
    """Return the size with which a job is handed over now, and what is free after it.

    A job that can do with fewer processes takes as many as there is room for, and where there is none its least: it grows later.
    """
    workers = largest(job, free, size.memory)
    if not workers:
        return Size(min(size.workers, job.least), size.memory), list(free)
    place = next(number for number, room in enumerate(free) if fits(job, workers, size.memory, room))
    room = free[place]
    left = Room(room.cpus - job.cpus * workers, room.memory - size.memory * workers, room.gpus - job.gpus * workers)
    return Size(workers, size.memory), [*free[:place], left, *free[place + 1 :]]


def waiting_before(job: Job, waiting: Sequence[Job]) -> list[str]:
    """Return who has to begin before a job does: whoever waits with a higher priority."""
    return [other.name for other in waiting if other.priority > job.priority]


def described(job: Job, workers: int, memory: int) -> str:
    """Return what so many processes of a job need, in words."""
    gpus = f", {job.gpus * workers:g} accelerators" if job.gpus else ""
    each = f" ({workers} processes)" if workers > 1 else ""
    return f"{job.cpus * workers} cores and {format_bytes(memory * workers)}{gpus}{each}"


def resources_of(job: Job, size: Size) -> Mapping[str, float]:
    """Return what Ray is to set aside for a job."""
    return {
        "num_cpus": job.cpus * size.workers,
        "memory": size.memory * size.workers,
        "num_gpus": job.gpus * size.workers,
    }


def _within(room: Room, machine: Room) -> bool:
    return room.cpus <= machine.cpus and room.memory <= machine.memory and room.gpus <= machine.gpus


def _shown(room: Room) -> str:
    gpus = f", {room.gpus:g} accelerators" if room.gpus else ""
    return f"{room.cpus:g} cores, {format_bytes(room.memory)}{gpus}"
