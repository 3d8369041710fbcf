"""The truth of a plan: `train` and `evaluate` of a prepared run, in a process of its own.

`allocator`: under torch's profiler from before there is a network; the peak is the highest "Total Allocated" of its memory events.
`process`: without it; the peak is what Linux counts as the most that was ever resident (VmHWM).
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path


def happened(how: str, prepared: Path, recipe: dict, base: Path, folder: Path) -> dict:
    """Train and evaluate in another process, beside a prepared run, and return what it measured."""
    shutil.copytree(prepared, folder)
    path = folder.with_suffix(".json")
    path.write_text(json.dumps(recipe))
    command = [sys.executable, __file__, how, str(folder), str(path), str(base)]
    environment = os.environ | {"OMP_WAIT_POLICY": "passive"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    shutil.rmtree(folder)
    if done.returncode:
        return {"problem": (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]}
    return json.loads(done.stdout.splitlines()[-1])


def _peak_of(run: object) -> int:
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        run()
    with tempfile.TemporaryDirectory() as place:
        trace = Path(place) / "trace.json"
        seen.export_chrome_trace(str(trace))
        events = json.loads(trace.read_text())["traceEvents"]
    return max(event["args"]["Total Allocated"] for event in events if event["name"] == "[memory]")


def main(how: str, folder: Path, recipe_path: Path, base: Path) -> None:
    """Train and evaluate in this process; print the peak that was measured."""
    from modelwright.core.execute import run
    from modelwright.core.recipe import recipe_from

    recipe = recipe_from(json.loads(recipe_path.read_text()), base)
    until = "evaluate" if "evaluate" in recipe.sections else "train"
    if how == "allocator":
        found = {"peak_bytes": _peak_of(lambda: run(recipe, until, folder=folder))}
    else:
        run(recipe, until, folder=folder)
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        found = {"process_bytes": 1024 * int(status["VmHWM"].split()[0])}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], *(Path(argument) for argument in sys.argv[2:]))
