"""How long until 99.0 % of the MNIST test part is right: modelwright against Keras, same network, same machine.

For every seed the peer and our side run in turn, each in a process of its own, so that both see the same weather.
Prints the ratios with their spread and writes them, with the machine and the versions, to `results/seed_mnist.json`.

Usage: python benchmarks/seed_mnist.py --data FOLDER --keras-python /path/to/python
"""

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
OURS, PEER = "ours_digits.py", "peers/keras_digits.py"


def run_side(python: str, script: str, options: argparse.Namespace, seed: int, environment: dict[str, str]) -> dict:
    """Run one side for one seed in a process of its own and return the object on its last line of output."""
    command = [python, str(HERE / script), "--data", str(options.data), "--seed", str(seed)]
    command += ["--accuracy", str(options.accuracy), "--max-epochs", str(options.max_epochs)]
    load_before = os.getloadavg()[0]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{script} failed with seed {seed}, exit code {done.returncode}:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1]) | {"load_before": load_before}


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


def compare(runs: list[dict]) -> dict[str, object]:
    """Reduce the runs of all seeds to one spread per quantity; a ratio above 1 is in our favour, seed by seed."""
    report: dict[str, object] = {
        f"{quantity}_{side}": spread([run[side][quantity] for run in runs])
        for quantity in ("seconds", "examples_per_second")
        for side in ("peer", "ours")
    }
    report["epochs_peer"] = spread([len(run["peer"]["accuracies"]) for run in runs])
    report["epochs_ours"] = spread([len(run["ours"]["accuracies"]) for run in runs])
    report["reached_peer"] = sum(run["peer"]["reached"] for run in runs)
    report["reached_ours"] = sum(run["ours"]["reached"] for run in runs)
    report["time_ratio"] = spread([run["peer"]["seconds"] / run["ours"]["seconds"] for run in runs])
    report["rate_ratio"] = spread(
        [run["ours"]["examples_per_second"] / run["peer"]["examples_per_second"] for run in runs]
    )
    report["median_time_ratio"] = report["seconds_peer"]["median"] / report["seconds_ours"]["median"]
    return report


def write_line(text: str) -> None:
    """Write one line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def show(report: dict, seeds: int, accuracy: float) -> None:
    """Write the comparison for a reader: one quantity a line."""
    write_line(f"\n{seeds} seeds, test accuracy {accuracy:.1%}       median     (min .. max)")
    for name, value in report.items():
        if isinstance(value, dict):
            write_line(f"{name:32s} {value['median']:10.2f}     ({value['minimum']:.2f} .. {value['maximum']:.2f})")
        else:
            write_line(f"{name:32s} {value:10.2f}")


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the four gzipped idx files")
    parser.add_argument("--keras-python", required=True, help="interpreter that has keras and tensorflow")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--accuracy", type=float, default=0.99)
    parser.add_argument("--max-epochs", type=int, default=15)
    parser.add_argument("--wait-policy", choices=["passive", "active", "unset"], default="unset")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "seed_mnist.json")
    return parser.parse_args()


def main() -> None:
    """Run both sides in turn, seed by seed; write the result after every seed."""
    options = read_options()
    ours_environment = {} if options.wait_policy == "unset" else {"OMP_WAIT_POLICY": options.wait_policy}
    runs: list[dict] = []
    for seed in range(options.seeds):
        sides = [("peer", options.keras_python, PEER, {}), ("ours", sys.executable, OURS, ours_environment)]
        run = {side: run_side(python, script, options, seed, extra) for side, python, script, extra in sides}
        runs.append({"seed": seed} | run)
        for side in ("peer", "ours"):
            result = run[side]
            write_line(
                f"seed {seed} {side}: {result['seconds']:7.2f} s, {result['examples_per_second']:7.0f} examples/s, "
                f"accuracies {[round(value, 4) for value in result['accuracies']]}, load {result['load_before']:.2f}"
            )
        content = {
            "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "machine": describe_machine(),
            "versions": {"torch": importlib.metadata.version("torch"), **run["peer"]["versions"]},
            "protocol": {
                "accuracy": options.accuracy,
                "seeds_asked": options.seeds,
                "max_epochs": options.max_epochs,
                "wait_policy": options.wait_policy,
            },
            "comparison": compare(runs),
            "runs": runs,
        }
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(content, indent=1) + "\n")
    show(compare(runs), len(runs), options.accuracy)


if __name__ == "__main__":
    main()
