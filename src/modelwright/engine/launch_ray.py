"""Starting a command in several processes on a Ray cluster: Ray Train says where and when, and begins again what failed.

The folder of the recipe and that of the runs must be seen by all nodes; on one machine they are.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..core.errors import DataError, MissingExtra
from .launch import OUTCOME, Crowd, tell_outcome

BEGUN = "begun"


def launch_on_ray(arguments: Sequence[str], crowd: Crowd, told: Callable[[str], None]) -> int:
    """Run `modelwright ARGUMENTS` in so many workers of Ray Train; return the exit code of the first.

    With a least number the workers may become fewer and more again; each time all begin again from the last checkpoint.

    Raises:
        MissingExtra: Ray is not installed.
        DataError: Ray could not run it.
    """
    ray = _ray()
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    most = crowd.processes * crowd.machines
    started = not ray.is_initialized()
    if started:
        address = os.environ.get("RAY_ADDRESS")
        ray.init(address=address or "local", log_to_driver=True, include_dashboard=None if address else False)
    try:
        with tempfile.TemporaryDirectory(prefix=".ray-", dir=Path.cwd()) as folder:
            trainer = TorchTrainer(
                work,
                train_loop_config={"arguments": list(arguments), "folder": folder, "place": str(Path.cwd())},
                scaling_config=ScalingConfig(num_workers=(crowd.least, most) if crowd.least else most),
                run_config=RunConfig(
                    name="modelwright", storage_path=folder, failure_config=FailureConfig(max_failures=crowd.restarts)
                ),
            )
            try:
                trainer.fit()
            except RuntimeError as error:
                raise DataError(
                    f"Ray could not run it: {str(error)[-1000:]}",
                    where="train.on: ray",
                    expected="processes that end",
                    next_step="try train.on=here; look at Ray's log",
                ) from error
            code = Path(folder) / "code"
            return int(code.read_text()) if code.exists() else 0
    finally:
        if started:
            ray.shutdown()


def work(configuration: dict[str, Any]) -> None:
    """Be one worker: meet the others, and run the command as the process of this rank.

    Raises:
        RuntimeError: it ended before its time; Ray then begins again.
    """
    from ray.train import get_context
    from ray.train.collective import broadcast_from_rank_zero

    context = get_context()
    rank, size = context.get_world_rank(), context.get_world_size()
    folder, place = Path(configuration["folder"]), configuration["place"]
    # All must agree on whether this is the first attempt, too.
    agreed = (*_free_address(), (folder / BEGUN).exists()) if rank == 0 else None
    host, port, again = broadcast_from_rank_zero(agreed)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("RAY_")},
        "RANK": str(rank),
        "WORLD_SIZE": str(size),
        "MASTER_ADDR": host,
        "MASTER_PORT": str(port),
        "TORCHELASTIC_RESTART_COUNT": str(int(again)),
        OUTCOME: str(folder),
    }
    if rank == 0:
        (folder / BEGUN).touch()
    # Where Ray has only one worker for us, that one is alone.
    alone = ["--processes", "1", "--machines", "1"] if size == 1 else []
    command = [sys.executable, "-m", "modelwright", *configuration["arguments"], *alone]
    code = subprocess.call(command, cwd=place, env=environment, stdin=subprocess.DEVNULL)
    if size == 1 and code > 0:
        tell_outcome(folder, code)
    elif code:
        raise RuntimeError(f"rank {rank} ended with {code}")


def _free_address() -> tuple[str, int]:
    """Return where the others find this machine, and a port that is free on it."""
    host = socket.gethostbyname(socket.gethostname())
    with socket.socket() as free:
        free.bind((host, 0))
        return host, int(free.getsockname()[1])


def _ray() -> Any:
    try:
        import ray
        import ray.train
    except ImportError as error:
        raise MissingExtra(
            "ray is not installed",
            where="train.on: ray",
            expected="the extra 'ray'",
            next_step="pip install 'modelwright[ray]', or take on: here",
        ) from error
    return ray
