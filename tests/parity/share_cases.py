"""Steps of a training in real processes, each under torch's profiler, and the same steps of one process in a fake group.

`python share_cases.py FOLDER real` is one of several processes, as its environment says; `... fake` plays every rank by turns.
"""

from __future__ import annotations

import gc
import json
import os
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any

from modelwright.core.execute import run
from modelwright.core.recipe import Recipe, recipe_from

PIPELINE = {"kind": "pipeline"}
LAYOUTS: dict[int, dict[str, Any]] = {
    2: {
        "data": "data",
        "sharded": "sharded",
        "tensor": "tensor",
        "gpipe": {**PIPELINE, "schedule": "gpipe", "micro_batches": 4},
        "1f1b": {**PIPELINE, "schedule": "1f1b", "micro_batches": 4},
    },
    4: {
        "data": "data",
        "sharded": {"kind": "sharded", "gather_again": False},
        "tensor_by_data": {"kind": "tensor", "size": 2},
        "pipeline_by_data": {**PIPELINE, "stages": 2, "schedule": "1f1b"},
        "gpipe": {**PIPELINE, "schedule": "gpipe"},
        "interleaved_by_data": {**PIPELINE, "stages": 2, "schedule": "interleaved"},
    },
}
RECIPE: dict[str, Any] = {
    "version": 1,
    "name": "share",
    "seed": 1,
    "task": {"kind": "language", "tokens": "characters", "length": 64},
    "data": {"kind": "jsonl", "path": "rows.jsonl", "text": ["text"], "label": ""},
    "prepare": {"split": {"test": 0.2, "validation": 0.2}},
    "model": {"kind": "decoder", "layers": 4, "width": 128, "heads": 4, "key_value_heads": 2, "hidden": 256},
    "train": {"length": "4 steps", "batch": 8, "threads": 1, "workers": 0, "optimiser": "adamw"},
}
# A thread of gloo may let go of what it has sent a little late, which makes a peak higher by chance: the lowest one counts.
TIMES = 2
# What else is tried in every layout that carries it.
MANNERS: dict[str, dict[str, Any]] = {
    "plain": {},
    "lora": {"train.low_rank": {"kind": "lora", "rank": 4}},
    "checkpointing": {"train.checkpointing": "blocks", "train.clip_norm": 1.0},
}


def recipe_of(folder: Path, layout: Any, manner: str) -> Recipe:
    """Return the recipe of a case."""
    return recipe_from(RECIPE, folder).edited({"train.layout": layout, **MANNERS[manner]})


def prepare(folder: Path) -> Path:
    """Write some text and return the dataset that is made of it."""
    words = "the sun went down far beyond the hill, and a star came up near the sea. " * 3
    rows = [{"text": f"{number}: {words}"} for number in range(60)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = run(recipe_from(RECIPE, folder), "prepare", folder=folder / "run").artifact("dataset")
    assert made is not None
    return made.path


def play(folder: Path, how: str, processes: int, cases: list[tuple[str, str, Any]]) -> dict[str, list[int]]:
    """Return the peak bytes of every rank in every case, (name, manner, layout), of real processes or of a fake group."""
    dataset = prepare(folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "cases.json").write_text(json.dumps({"dataset": str(dataset), "processes": processes, "cases": cases}))
    common = {"WORLD_SIZE": str(processes), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    with ExitStack() as files:
        started = [
            subprocess.Popen(
                [sys.executable, __file__, str(folder), how],
                env={**os.environ, **common, "RANK": str(rank), "OMP_NUM_THREADS": "1"},
                stderr=files.enter_context((folder / f"{how}-{rank}.err").open("w")),
            )
            for rank in range(processes if how == "real" else 1)
        ]
        while any(process.poll() is None for process in started) and not any(process.poll() for process in started):
            time.sleep(0.02)
        for process in started:
            process.kill()
        codes = [process.wait() for process in started]
    assert not any(codes), "\n".join((folder / f"{how}-{rank}.err").read_text()[-3000:] for rank in range(len(codes)))
    found: list[dict[str, Any]] = [
        json.loads((folder / f"{how}-{rank}.json").read_text()) for rank in range(len(codes))
    ]
    if how == "fake":
        return found[0]
    return {name: [one[name] for one in found] for name in found[0]}


def measure(recipe: Recipe, dataset: Path, processes: int) -> int:
    """Take the steps for real and return the most that PyTorch's allocator was asked for."""
    from torch.profiler import ProfilerActivity, profile

    from modelwright.stages.train.share_rehearsal import Told, open_recipe, take_steps

    def nothing(*given: Any) -> None:
        return None

    opened = open_recipe(recipe, dataset, 1)
    gc.collect()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        take_steps(*opened, processes, Told(nothing, nothing), nullcontext)
        gc.collect()
    path = Path(os.environ["SHARE_TRACE"])
    seen.export_chrome_trace(str(path))
    events = [event for event in json.loads(path.read_text())["traceEvents"] if event["name"] == "[memory]"]
    events.sort(key=lambda event: event["ts"])
    totals = [event["args"]["Total Allocated"] for event in events]
    return int(max(totals) - (totals[0] - events[0]["args"]["Bytes"]))


def trace(recipe: Recipe, dataset: Path, processes: int, rank: int, prober: Any) -> int:
    """Take the steps on tensors that are only shapes and return the peak."""
    from modelwright.engine.tracing.tracer import Tracer
    from modelwright.methods.planning.log import live_memory
    from modelwright.stages.train.share_rehearsal import rehearse_share

    tracer = Tracer()
    rehearse_share(recipe, dataset, 1, tracer, rank, processes)
    return live_memory(tracer.log, prober.probe(tracer.calls)).peak


def main(folder: Path, how: str) -> None:
    """Go through all cases."""
    import torch
    import torch.distributed as dist

    from modelwright.engine.tracing.probe import Prober

    said = json.loads((folder / "cases.json").read_text())
    dataset, processes, rank = Path(said["dataset"]), said["processes"], int(os.environ["RANK"])
    torch.set_num_threads(1)
    found: dict[str, Any] = {}
    if how == "real":
        os.environ["SHARE_TRACE"] = str(folder / f"trace-{rank}.json")
        dist.init_process_group("gloo")
    prober = Prober()
    for name, manner, layout in said["cases"]:
        recipe = recipe_of(folder, layout, manner)
        key = f"{name}-{manner}"
        if how == "real":
            found[key] = min(measure(recipe, dataset, processes) for _ in range(TIMES))
        else:
            found[key] = [trace(recipe, dataset, processes, one, prober) for one in range(processes)]
    (folder / f"{how}-{rank}.json").write_text(json.dumps(found))
    if how == "real":
        dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
