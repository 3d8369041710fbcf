"""What every comparison shares: running one side in a process of its own, the machine, spreads, the result file."""

import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def run_side(python: str, script: str, arguments: list[str], environment: dict[str, str]) -> dict:
    """Run one side in a process of its own and return the object on its last line of output."""
    load_before = os.getloadavg()[0]
    command = [python, str(HERE / script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, check=False)
    if done.returncode != 0:
        raise SystemExit(
            f"{script} {' '.join(arguments)} failed with exit code {done.returncode}:\n{done.stderr[-2000:]}"
        )
    return json.loads(done.stdout.splitlines()[-1]) | {"load_before": load_before}


def choose(
    sides: dict, side: str, python: str, common: list[str], environment: dict[str, str]
) -> tuple[list[str], list[dict]]:
    """Return the fastest settings of a side, and the rates of all; `sides` has the script and the settings of each."""
    script, settings = sides[side]
    trials = []
    for chosen in settings:
        rate = run_side(python, script, [*common, *chosen], environment)["examples_per_second"]
        trials.append({"settings": " ".join(chosen), "examples_per_second": rate})
        write_line(f"{side:18s} {trials[-1]['settings']:28s} {rate:8.0f} examples/s")
    fastest = max(range(len(trials)), key=lambda number: trials[number]["examples_per_second"])
    return settings[fastest], trials


def describe_machine() -> dict[str, object]:
    """Name the processor, the cores this process may use, and the system."""
    model = platform.processor() or "unknown"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"cpu": model, "cores": cores, "system": platform.platform(), "python": platform.python_version()}


def spread(values: list[float]) -> dict[str, float]:
    """Return median, minimum and maximum."""
    return {"median": statistics.median(values), "minimum": min(values), "maximum": max(values)}


def write_line(text: str) -> None:
    """Write one line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def show(title: str, report: dict) -> None:
    """Write a comparison for a reader: one quantity a line."""
    write_line(f"\n{title + ':':40s}     median     (min .. max)")
    for name, value in report.items():
        if isinstance(value, dict):
            write_line(f"{name:40s} {value['median']:10.2f}     ({value['minimum']:.2f} .. {value['maximum']:.2f})")
        else:
            write_line(f"{name:40s} {value:10.2f}")


def write_result(path: Path, content: dict) -> None:
    """Write a result with the date and the machine."""
    date = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"date": date, "machine": describe_machine(), **content}, indent=1) + "\n")
