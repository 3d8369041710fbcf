"""What each way to save memory saves and costs on a Transformer: peak memory against step time, one process per row.

The peak is that of PyTorch's CPU allocator, read from the memory events of its profiler, which starts before the model is
built; it is taken over two whole steps, so that the optimiser's state is in it. The seconds are those of further steps
without the profiler. Writes `results/memory_table.json`, and with `--pages` the tables of docs/guides/memory.md and
memory.zh.md.

Usage: python benchmarks/memory_table.py [--small] [--shared] [--pages]
"""

import argparse
import datetime
import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

from side_by_side import describe_machine, spread, write_line

HERE = Path(__file__).resolve().parent
RESULT = HERE / "results" / "memory_table.json"
GUIDES = HERE.parent / "docs" / "guides"
SIZES = {"vocabulary": 8000, "width": 256, "layers": 4, "heads": 4, "length": 128, "batch": 32, "classes": 4}
SMALL = {"vocabulary": 50, "width": 16, "layers": 2, "heads": 2, "length": 8, "batch": 16, "classes": 4}
MICRO, FOUR = {"micro_batch": 8}, {"batch": 4}
BLOCKS, SELECTIVE = {"checkpointing": "blocks"}, {"checkpointing": "selective"}
AUTOCAST, SHORT = {"precision": "bfloat16"}, {"precision": "bfloat16_parameters"}
RELEASE = {"gradient_release": True, "guard": {"patience": 1}}
EIGHT_BIT = {"optimiser": "adamw8bit"}
LORA, SVD = {"low_rank": {"kind": "lora", "rank": 8}}, {"low_rank": {"kind": "svd", "rank": 0.25}}
ROWS = {
    "plain": {},
    "micro_batch: 8": MICRO,
    "checkpointing: blocks": BLOCKS,
    "checkpointing: selective": SELECTIVE,
    "precision: bfloat16": AUTOCAST,
    "precision: bfloat16_parameters": SHORT,
    "optimiser: adamw8bit": EIGHT_BIT,
    "low_rank: lora": LORA,
    "low_rank: svd": SVD,
    "gradient_release: true": RELEASE,
    "bfloat16 + micro_batch": AUTOCAST | MICRO,
    "bfloat16_parameters + selective": SHORT | SELECTIVE,
    "blocks + micro_batch": BLOCKS | MICRO,
    "blocks + gradient_release": BLOCKS | RELEASE,
    "bfloat16_parameters + blocks + gradient_release": SHORT | BLOCKS | RELEASE,
    "bfloat16_parameters + blocks + micro_batch": SHORT | BLOCKS | MICRO,
    "adamw8bit + bfloat16_parameters + blocks + gradient_release": EIGHT_BIT | SHORT | BLOCKS | RELEASE,
    "lora + bfloat16_parameters + blocks + micro_batch": LORA | SHORT | BLOCKS | MICRO,
    # Where weights outweigh activations; a step of these is an eighth of the work.
    "batch: 4": FOUR,
    "batch: 4 + blocks": FOUR | BLOCKS,
    "batch: 4 + blocks + gradient_release": FOUR | BLOCKS | RELEASE,
}
PROFILED, WARM_UP = 2, 1


def build(keys: dict, sizes: dict):
    """Return the parts of a training by the settings of a recipe: turn, layout, batch."""
    import numpy as np
    import torch

    from modelwright.core import registry
    from modelwright.engine.turn import Turn
    from modelwright.stages.train.settings import Train
    from modelwright.stages.train.thrift import adapt_network, build_layout, build_optimiser
    from modelwright.tasks.task import Batch

    settings = Train.model_validate({"batch": sizes["batch"], "optimiser": "adamw", **keys})
    section = registry.settings_of("model", "transformer")(
        width=sizes["width"], heads=sizes["heads"], layers=sizes["layers"], dropout=0.1
    )
    learnt = {"size": sizes["vocabulary"], "length": sizes["length"], "classes": list(range(sizes["classes"]))}
    torch.manual_seed(1)
    network = registry.function_of("model", "transformer")(section, learnt)
    adapt_network(settings, section, network, 1, lambda event, **details: None)
    layout = build_layout(settings, network)
    network = layout.place(network).train()

    def losses(batch):
        logits = network(**batch.inputs).float()
        return torch.nn.functional.cross_entropy(logits, batch.targets, reduction="none")

    turn = Turn(
        "model",
        network,
        losses,
        lambda batch: torch.ones(len(batch)),
        build_optimiser(settings, network),
        lambda step: 1.0,
    )
    shape = (settings.batch, sizes["length"])
    inputs = {"tokens": torch.randint(1, sizes["vocabulary"], shape), "length": torch.full(shape[:1], shape[1])}
    batch = Batch(inputs, torch.randint(0, sizes["classes"], shape[:1]), np.arange(settings.batch))
    return turn, layout, batch


def walk(turn, layout, batch, steps: int) -> list[float]:
    """Take steps with the loop of the product; return the seconds of each."""
    from modelwright.engine.loop import train

    ends: list[float] = [time.perf_counter()]

    def note(moment) -> bool:
        ends.append(time.perf_counter())
        return False

    train(
        turns=[turn],
        batches=((step, batch) for step in range(steps)),
        layout=layout,
        objective=lambda losses, batch: losses,
        rules=[],
        observers=[note],
        seed_of_step=lambda step: step,
    )
    return [after - before for before, after in pairwise(ends)]


def measure_peak(keys: dict, sizes: dict) -> dict:
    """Build and take two steps under the profiler; return the allocator's peak and the counts of parameters."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        turn, layout, batch = build(keys, sizes)
        walk(turn, layout, batch, PROFILED)
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace.json"
        seen.export_chrome_trace(str(trace))
        events = json.loads(trace.read_text())["traceEvents"]
    totals = [event["args"]["Total Allocated"] for event in events if event["name"] == "[memory]"]
    counts = [(parameter.numel(), parameter.requires_grad) for parameter in turn.model.parameters()]
    return {
        "peak_bytes": max(totals),
        "parameters": sum(count for count, _ in counts),
        "learning": sum(count for count, learns in counts if learns),
    }


def measure(keys: dict, sizes: dict, steps: int, threads: int) -> dict:
    """Measure one row in this process."""
    import torch

    from modelwright.engine.memory import keep_freed_memory

    torch.set_num_threads(threads)
    keep_freed_memory("fast")
    found = measure_peak(keys, sizes)
    seconds = walk(*build(keys, sizes), WARM_UP + steps)[WARM_UP:]
    return found | {"seconds": spread(seconds), "load": os.getloadavg()[0]}


def run_row(name: str, options: argparse.Namespace) -> dict:
    """Measure one row in a process of its own."""
    command = [sys.executable, str(Path(__file__).resolve()), "--row", name, "--steps", str(options.steps)]
    command += ["--threads", str(options.threads), *(["--small"] if options.small else [])]
    # As the command line of the product has it, before torch is imported.
    environment = os.environ | {"OMP_WAIT_POLICY": "passive"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode != 0:
        raise SystemExit(f"'{name}' failed, exit code {done.returncode}:\n{done.stderr[-2000:]}")
    return {"row": name, "train": ROWS[name]} | json.loads(done.stdout.splitlines()[-1])


def version_of(package: str) -> str:
    """Return the version of a package, or that it is absent."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "absent"


def render(content: dict, chinese: bool) -> str:
    """Return the table of a result as markdown."""
    if chinese:
        lines = ["| `train` 的设置 | 峰值内存 | 相对普通训练 | 每步时间（相对） |", "| --- | --- | --- | --- |"]
    else:
        lines = ["| keys of `train` | peak memory | of plain | time of a step, of plain |", "| --- | --- | --- | --- |"]
    plain = content["rows"][0]
    for row in content["rows"]:
        share = row["peak_bytes"] / plain["peak_bytes"]
        ratio = row["seconds"]["median"] / plain["seconds"]["median"]
        lines.append(f"| {row['row']} | {row['peak_bytes'] / 1e6:.1f} MB | {share:.0%} | {ratio:.2f} |")
    if content["machine"]["shared"]:
        busy = (
            "这些时间是在机器同时被他人使用时测得的，不足为据。"
            if chinese
            else "Others used the machine: these times claim nothing."
        )
        lines += ["", busy]
    return "\n".join(lines)


def write_pages(content: dict) -> None:
    """Put the table between the marks of both guides."""
    for page in ("memory.md", "memory.zh.md"):
        path = GUIDES / page
        marked = f"<!-- table -->\n{render(content, page.endswith('.zh.md'))}\n<!-- end of table -->"
        text = path.read_text(encoding="utf-8")
        path.write_text(re.sub(r"<!-- table -->.*?<!-- end of table -->", marked, text, flags=re.DOTALL), "utf-8")


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="a tiny model, to see that everything runs")
    parser.add_argument(
        "--shared", action="store_true", help="say in the result that others used the machine meanwhile"
    )
    parser.add_argument("--pages", action="store_true", help="write the tables of the guides, too")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--output", type=Path, default=RESULT)
    parser.add_argument("--row", choices=list(ROWS), help="measure this row alone, in this process, and print it")
    return parser.parse_args()


def main() -> None:
    """Measure every row, one after the other."""
    options = read_options()
    sizes = SMALL if options.small else SIZES
    if options.row:
        write_line(json.dumps(measure(ROWS[options.row], sizes, options.steps, options.threads)))
        return
    rows, absent = [], [] if version_of("torchao") != "absent" else ["adamw8bit"]
    for name in ROWS:
        if any(word in name for word in absent):
            write_line(f"{name:62s} left out: torchao is not installed")
            continue
        rows.append(run_row(name, options))
        write_line(f"{name:62s} {rows[-1]['peak_bytes'] / 1e6:8.1f} MB {rows[-1]['seconds']['median']:8.3f} s")
    content = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": describe_machine() | {"shared": options.shared, "threads": options.threads},
        "versions": {name: version_of(name) for name in ("torch", "torchao")},
        "model": sizes,
        "protocol": {"profiled_steps": PROFILED, "warm_up_steps": WARM_UP, "timed_steps": options.steps},
        "rows": rows,
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(content, indent=1) + "\n")
    if options.pages:
        write_pages(content)


if __name__ == "__main__":
    main()
