"""Pictures that do not fit into memory: written, prepared, trained on and deleted; the peak of memory, and megabytes a second.

The children run in a control group that holds them and the system's cache of their files to the limit, where this program may make one
(root, control groups of the first kind); otherwise only `ulimit -m` says what is wanted, and the peak is still measured. Reading is
also measured alone, without a network: a pass of the sampler `in_blocks` over part of the training part, against reading the same file
from end to end, both after the system's cache was emptied (root). Writes `results/larger_than_memory.json`.

Usage: python benchmarks/larger_than_memory.py --work FOLDER [--gigabytes 20] [--limit 2]
"""

import argparse
import importlib.metadata
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from side_by_side import write_line, write_result

SIDE, CLASSES, BATCH = 64, 10, 128
GROUP = Path("/sys/fs/cgroup/memory/modelwright-benchmark")
DROP = Path("/proc/sys/vm/drop_caches")
MEGABYTE = 1e6


def write_pictures(folder: Path, gigabytes: float) -> int:
    """Write so many bytes of pictures, a pattern of the class under noise, a piece at a time; return how many pictures."""
    generator = np.random.default_rng(1)
    shape = (SIDE, SIDE, 3)
    count = int(gigabytes * 1e9) // int(np.prod(shape))
    patterns = generator.integers(0, 128, (CLASSES, *shape), dtype=np.uint8)
    labels = generator.integers(0, CLASSES, count)
    folder.mkdir(parents=True)
    np.save(folder / "labels.npy", labels)
    with (folder / "inputs.npy").open("wb") as stream:
        header = {"descr": "|u1", "fortran_order": False, "shape": (count, *shape)}
        np.lib.format.write_array_header_1_0(stream, header)
        for start in range(0, count, 1000):
            chosen = labels[start : start + 1000]
            noise = generator.integers(0, 128, (len(chosen), *shape), dtype=np.uint8)
            stream.write((patterns[chosen] + noise).data)
    return count


def recipe(folder: Path, length: str) -> Path:
    """Write the recipe of a small network."""
    path = folder / "recipe.yaml"
    path.write_text(
        "version: 1\nname: large\nseed: 1\ntask: image\n"
        "data: {kind: arrays, path: raw, content: image}\n"
        "model: {kind: mlp, hidden: [16]}\n"
        "prepare: {split: {test: 0.05, validation: 0.02}}\n"
        f"train: {{length: {length}, batch: {BATCH}, sampler: in_blocks, workers: 1, "
        "optimiser: {kind: adam, lr: 1e-4}}\n"
    )
    return path


def confined(limit: int) -> bool:
    """Put this process and those that it starts under a limit; tell whether the system enforces it."""
    resource.setrlimit(resource.RLIMIT_RSS, (limit, limit))
    try:
        GROUP.mkdir(exist_ok=True)
        (GROUP / "memory.limit_in_bytes").write_text(str(limit))
        (GROUP / "cgroup.procs").write_text(str(os.getpid()))
    except OSError:
        return False
    return True


def run_stage(stage: str, folder: Path, limit: int) -> dict:
    """Run a stage in a process of its own under the limit; return its seconds and its peak of resident memory."""
    command = [sys.executable, "-m", "modelwright", stage, str(folder / "recipe.yaml"), "--runs", str(folder / "runs")]
    script = (
        "import json, resource, subprocess, sys; sys.path.insert(0, sys.argv[1])\n"
        "from larger_than_memory import confined\n"
        "enforced = confined(int(sys.argv[2]))\n"
        "done = subprocess.run(sys.argv[3:], stdout=subprocess.DEVNULL)\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(json.dumps({'code': done.returncode, 'enforced': enforced, 'peak_bytes': used.ru_maxrss * 1024, "
        "'cpu_seconds': used.ru_utime + used.ru_stime}))"
    )
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", script, str(Path(__file__).parent), str(limit), *command],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found = {**json.loads(done.stdout.splitlines()[-1]), "seconds": round(time.monotonic() - began, 1)}
    if found["code"]:
        raise SystemExit(f"{stage} ended with {found['code']}")
    write_line(
        f"{stage}: {found['seconds']} s, peak {found['peak_bytes'] / 2**20:.0f} MiB, limit enforced: {found['enforced']}"
    )
    return found


def read_alone(dataset: Path, megabytes: int) -> dict:
    """Return megabytes a second of the disk read from end to end, and of batches in the order of `in_blocks`."""
    from modelwright.core import registry
    from modelwright.engine.dataset import read_part
    from modelwright.engine.loader import Loader
    from modelwright.tasks.classification import gather

    examples = read_part(dataset, "train")
    column = examples.columns["image"]
    steps = min(len(column) // BATCH, int(megabytes * MEGABYTE / (column[:1].nbytes * BATCH)))
    settings = registry.settings_of("sampler", "in_blocks")()
    sampler = registry.function_of("sampler", "in_blocks")(settings, examples.columns, BATCH, 1)
    found = {}
    empty_cache()
    began, read = time.monotonic(), 0
    with (dataset / "train" / "image.npy").open("rb", buffering=0) as stream:
        while read < megabytes * MEGABYTE and (piece := stream.read(4 * 2**20)):
            read += len(piece)
    found["disk"] = read / MEGABYTE / (time.monotonic() - began)
    for name, workers in (("in_blocks", 1), ("in_blocks, 2 workers", 2)):
        empty_cache()
        loader = Loader(lambda step, indices, room: gather(room, "image", column, indices), workers)
        began = time.monotonic()
        read = sum(batch.nbytes for _, batch in loader.batches(sampler.batches(0, steps)))
        found[name] = read / MEGABYTE / (time.monotonic() - began)
    return {f"{name}, MB/s": round(value, 1) for name, value in found.items()}


def empty_cache() -> None:
    """Make the system forget what it has read, where it lets us."""
    os.sync()
    if os.access(DROP, os.W_OK):
        DROP.write_text("3\n")


def main() -> None:
    """Write, prepare, train, measure, delete."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--work", type=Path, default=Path("runs/larger_than_memory"), help="a folder on the disk to be used"
    )
    parser.add_argument("--gigabytes", type=float, default=20.0)
    parser.add_argument("--limit", type=float, default=2.0, help="GiB of memory")
    parser.add_argument("--length", default="1 epochs", help="how long to train, such as 4000 steps")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "larger_than_memory.json")
    options = parser.parse_args()
    limit = int(options.limit * 2**30)
    shutil.rmtree(options.work, ignore_errors=True)
    try:
        began = time.monotonic()
        count = write_pictures(options.work / "raw", options.gigabytes)
        write_line(f"{count} pictures written in {time.monotonic() - began:.0f} s")
        recipe(options.work, options.length)
        report: dict = {"pictures": count, "bytes": (options.work / "raw" / "inputs.npy").stat().st_size}
        for stage in ("prepare", "train"):
            report[stage] = run_stage(stage, options.work, limit)
            report[stage]["megabytes_per_second"] = round(report["bytes"] / MEGABYTE / report[stage]["seconds"], 1)
        dataset = next(options.work.glob("runs/*/artifacts/dataset-*/"))
        report["reading"] = read_alone(dataset, 2000)
        write_line(json.dumps(report["reading"]))
    finally:
        shutil.rmtree(options.work, ignore_errors=True)
    versions = {name: importlib.metadata.version(name) for name in ("torch", "numpy")}
    write_result(
        options.output, {"versions": versions, "limit_bytes": limit, "length": options.length, "report": report}
    )


if __name__ == "__main__":
    main()
