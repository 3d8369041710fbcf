"""The truth of a plan: the train stage of a recipe run for real, in a process of its own, under torch's profiler.

`python measured.py DATASET RECIPE.json WORK` prints the peak of PyTorch's CPU allocator and of the process, in bytes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any


def measure(dataset: Path, recipe: dict[str, Any], work: Path) -> dict[str, Any]:
    """Train for real in another process and return what it measured."""
    work.mkdir(parents=True)
    (work / "recipe.json").write_text(json.dumps(recipe))
    command = [sys.executable, __file__, str(dataset), str(work / "recipe.json"), str(work)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"OMP_WAIT_POLICY": "passive"}
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


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


def main(dataset: Path, recipe_path: Path, work: Path) -> None:
    """Run the stage with the profiler open from before there is a network."""
    from torch.profiler import ProfilerActivity, profile

    from modelwright.core import registry

    context = context_of(dataset, recipe_path, work)
    run = registry.load(context.stage.function)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        run(context)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        seen.export_chrome_trace(str(path))
        events = json.loads(path.read_text())["traceEvents"]
    peak = max(event["args"]["Total Allocated"] for event in events if event["name"] == "[memory]")
    print(json.dumps({"peak_bytes": peak}))


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:]))
