"""The truth of a plan: the stages `train` and `evaluate` of a prepared run, in a process of its own.

`allocator`: under torch's profiler from before there is a network; the peak is the highest "Total Allocated" of its memory events, the
CPU's twin of `max_memory_allocated`. `process`: without it; the peak is what Linux counts as the most that was ever resident (VmHWM).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any


def measure(prepared: Path, recipe: dict[str, Any], base: Path, folder: Path, how: str = "allocator") -> int:
    """Train and evaluate in another process, in a copy of a prepared run, and return the bytes of the peak.

    Raises:
        RuntimeError: the process failed; says what it said last.
    """
    shutil.copytree(prepared, folder)
    path = folder.with_suffix(".json")
    path.write_text(json.dumps(recipe))
    command = [sys.executable, __file__, how, str(folder), str(path), str(base)]
    environment = os.environ | {"OMP_WAIT_POLICY": "passive"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    shutil.rmtree(folder)
    if done.returncode:
        told = done.stderr.strip().splitlines()
        raise RuntimeError(told[-1] if told else f"exit code {done.returncode}")
    return int(done.stdout.splitlines()[-1])


def measure_forked(prepared: Path, recipe: dict[str, Any], base: Path, folder: Path) -> int:
    """Do as `measure` with `allocator`, in a child that is forked from this process: cheaper where many are measured.

    Nothing may have asked PyTorch for memory here before.
    """
    shutil.copytree(prepared, folder)
    try:
        return int(forked(lambda: allocator_peak(lambda: _train(recipe, base, folder))))
    finally:
        shutil.rmtree(folder)


def forked(work: Callable[[], Any]) -> Any:
    """Return what something returns that is run in a forked child, as JSON carries it.

    Raises:
        RuntimeError: the child failed.
    """
    receive, send = os.pipe()
    child = os.fork()
    if not child:
        code = 1
        try:
            os.write(send, json.dumps(work()).encode())
            code = 0
        except BaseException as error:
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
        finally:
            os._exit(code)
    os.close(send)
    with os.fdopen(receive, "rb") as stream:
        told = stream.read()
    if os.waitpid(child, 0)[1] or not told:
        raise RuntimeError("the forked child failed")
    return json.loads(told)


def allocator_peak(work: Callable[[], object]) -> int:
    """Return the most that PyTorch's allocator held at one time while something ran, in bytes."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        work()
    with tempfile.TemporaryDirectory() as place:
        trace = Path(place) / "trace.json"
        seen.export_chrome_trace(str(trace))
        events = json.loads(trace.read_text())["traceEvents"]
    return max(event["args"]["Total Allocated"] for event in events if event["name"] == "[memory]")


def process_peak() -> int:
    """Return the most that was resident of this process so far, in bytes."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return 1024 * int(status["VmHWM"].split()[0])


def context_of(dataset: Path, recipe_path: Path, work: Path) -> Any:
    """Return what the stage `train` is called with, without a run around it."""
    from modelwright.core import registry
    from modelwright.core.artifact import Artifact
    from modelwright.core.metering import Meter
    from modelwright.core.recipe import recipe_from
    from modelwright.core.stage import Context
    from modelwright.methods.energy.settings import Energy

    def go(*_: Any, **__: Any) -> Any:
        return "go"

    return Context(
        stage=registry.stage("train"),
        recipe=recipe_from(json.loads(recipe_path.read_text()), work),
        inputs={"dataset": Artifact("dataset", "", dataset)},
        gathered=(),
        folder=work,
        work=work,
        on_progress=go,
        run_recipe=go,
        store=lambda folder, kind: SimpleNamespace(digest=""),  # type: ignore[arg-type, return-value]
        find=go,
        note=go,
        choose=lambda name, decide: decide()[0],
        chosen=lambda name: None,
        meter=Meter(Energy()),
    )


def _train(data: dict[str, Any], base: Path, folder: Path) -> None:
    from modelwright.core.execute import run
    from modelwright.core.recipe import recipe_from

    recipe = recipe_from(data, base)
    run(recipe, "evaluate" if "evaluate" in recipe.sections else "train", folder=folder)


def main(how: str, folder: Path, recipe_path: Path, base: Path) -> None:
    """Train and evaluate in this process; print the peak that was measured."""
    recipe = json.loads(recipe_path.read_text())
    if how == "allocator":
        peak = allocator_peak(lambda: _train(recipe, base, folder))
    else:
        _train(recipe, base, folder)
        peak = process_peak()
    sys.stdout.write(f"{peak}\n")


if __name__ == "__main__":
    main(sys.argv[1], *(Path(argument) for argument in sys.argv[2:]))
