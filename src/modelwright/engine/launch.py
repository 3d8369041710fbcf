"""Starting a command in several processes, and again when one of them ends before its time: torchrun's own machinery."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import socket
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from ..core.crew import LostContact
from ..core.errors import Interrupted, LayoutError

# Where the first process writes how it ended, and its number: for the launcher, which is not its shell.
OUTCOME = "MODELWRIGHT_OUTCOME"
FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
# Seconds that the others have to end when one has failed: they have nothing to save.
GRACE = 2
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Crowd:
    """How many processes on each machine, how many machines, where they meet, how often all may begin again."""

    processes: int
    machines: int
    meet: str
    restarts: int
    # How few processes are still enough, where something may take some of them away; 0: all are needed.
    least: int = 0


def launch(arguments: Sequence[str], crowd: Crowd, told: Callable[[str], None]) -> int:
    """Run `modelwright ARGUMENTS` in so many processes until the first has ended as it should; return its exit code."""
    import torch.distributed as dist
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.elastic.rendezvous.api import RendezvousError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    own = _own_address(crowd.meet) if crowd.machines > 1 else ""
    config = LaunchConfig(
        min_nodes=crowd.machines,
        max_nodes=crowd.machines,
        nproc_per_node=crowd.processes,
        run_id=crowd.meet if crowd.machines > 1 else uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint=crowd.meet or "localhost:0",
        max_restarts=crowd.restarts,
        local_addr=own or None,
        rdzv_configs={"is_host": own == _address_of(crowd.meet)[0], "read_timeout": 20} if own else {},
        monitor_interval=0.1,
        # Politeness is for the first process alone to answer; the rest follow it.
        signals_to_handle="SIGQUIT",
        shutdown_timeout=GRACE,
    )
    with tempfile.TemporaryDirectory() as folder, _forwarding(Path(folder)), _heard(told):
        os.environ[OUTCOME] = folder
        # Each attempt meets at a place of its own: nobody is to read what the dead have left.
        os.environ["TORCH_DISABLE_SHARE_RDZV_TCP_STORE"] = "1"
        try:
            elastic_launch(config, sys.executable)("-m", "modelwright", *arguments)
        except ChildFailedError as error:
            rank, failure = error.get_first_failure()
            told(f"rank {rank} ended with {_ending(failure.exitcode)}, and all have begun again {crowd.restarts} times")
            return 1
        except (RendezvousError, dist.DistError, ConnectionError) as error:
            raise LostContact(
                f"the other machines cannot be reached: {str(error).splitlines()[0]}",
                where="--meet",
                next_step="the same command again, when they can",
            ) from error
        finally:
            del os.environ[OUTCOME]
        outcome = Path(folder) / "code"
        return int(outcome.read_text()) if outcome.exists() else 0


def _own_address(meet: str) -> str:
    """Return the address of this machine as the one where all meet would see it.

    Raises:
        LayoutError: it is no address, or not known here.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
        # Nothing is sent.
        way.connect(_address_of(meet))
        return str(way.getsockname()[0])


def _address_of(meet: str) -> tuple[str, int]:
    host, _, port = meet.rpartition(":")
    try:
        return socket.gethostbyname(host), int(port)
    except (OSError, ValueError) as error:
        raise LayoutError(f"'{meet}' is no place to meet: {error}", where="--meet", expected="HOST:PORT") from None


def _ending(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


@contextmanager
def _heard(told: Callable[[str], None]) -> Iterator[None]:
    """Pass on in one sentence what torch says of a process that failed."""

    class Handler(logging.Handler):
        """State: none of its own; it passes records on."""

        def emit(self, record: logging.LogRecord) -> None:
            words = record.getMessage()
            if "failed (exitcode" in words and isinstance(record.args, tuple):
                code, rank = record.args[:2]
                told(f"rank {rank} ended with {_ending(int(str(code)))}; all begin again from the last checkpoint")

    logger = logging.getLogger("torch.distributed.elastic")
    handler, before = Handler(), logger.propagate
    kept, logger.handlers, logger.propagate = logger.handlers, [handler], False
    try:
        yield
    finally:
        logger.handlers, logger.propagate = kept, before


@contextmanager
def _forwarding(folder: Path) -> Iterator[None]:
    """Hand signals on to the first process, if it is on this machine."""

    def forward(number: int, frame: FrameType | None) -> None:
        place = folder / "process"
        if not place.exists():
            raise Interrupted("stopped before it began", where="train", next_step="the same command again")
        os.kill(int(place.read_text()), number)

    before = {number: signal.signal(number, forward) for number in FORWARDED}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def settle_in(rank: int) -> None:
    """Make a process that was launched one that dies with its launcher; the first one is where signals go."""
    folder = os.environ.get(OUTCOME)
    if folder and sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if folder and rank == 0:
        _write(Path(folder) / "process", str(os.getpid()))
    if rank:
        for number in (signal.SIGINT, signal.SIGUSR1):
            signal.signal(number, signal.SIG_IGN)


def leave(code: int) -> int:
    """Tell the launcher how the first process ended; return the exit code that does not make it begin again."""
    folder = os.environ.get(OUTCOME)
    if not folder:
        return code
    tell_outcome(Path(folder), code)
    return 0


def tell_outcome(folder: Path, code: int) -> None:
    """Leave the exit code of the first process where its launcher looks for it."""
    _write(folder / "code", str(code))


def _write(path: Path, text: str) -> None:
    temporary = path.with_suffix(".new")
    temporary.write_text(text)
    os.replace(temporary, path)
