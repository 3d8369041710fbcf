"""How long until 99.0 % of the MNIST test part is right: modelwright against Keras, same network, same machine.

For every seed the peer and our side run in turn, each in a process of its own, so that both see the same weather.
Prints the ratios with their spread and writes them, with the machine and the versions, to `results/seed_mnist.json`.

Usage: python benchmarks/seed_mnist.py --data FOLDER --keras-python /path/to/python
"""

import argparse
import importlib.metadata
import sys
from pathlib import Path

from side_by_side import HERE, run_side, show, spread, write_line, write_result

OURS, PEER = "ours_digits.py", "peers/keras_digits.py"


def compare(runs: list[dict]) -> dict[str, object]:
    """Reduce the runs of all seeds to one spread per quantity; a ratio above 1 is in our favour, seed by seed."""
    report: dict[str, object] = {
        f"{quantity}_{side}": spread([run[side][quantity] for run in runs])
        for quantity in ("seconds", "cpu_seconds", "examples_per_second")
        for side in ("peer", "ours")
    }
    report["epochs_peer"] = spread([len(run["peer"]["accuracies"]) for run in runs])
    report["cycles_ours"] = spread([len(run["ours"]["accuracies"]) for run in runs])
    report["reached_peer"] = sum(run["peer"]["reached"] for run in runs)
    report["reached_ours"] = sum(run["ours"]["reached"] for run in runs)
    report["time_ratio"] = spread([run["peer"]["seconds"] / run["ours"]["seconds"] for run in runs])
    report["cpu_time_ratio"] = spread([run["peer"]["cpu_seconds"] / run["ours"]["cpu_seconds"] for run in runs])
    report["rate_ratio"] = spread(
        [run["ours"]["examples_per_second"] / run["peer"]["examples_per_second"] for run in runs]
    )
    report["median_time_ratio"] = report["seconds_peer"]["median"] / report["seconds_ours"]["median"]
    return report


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the four gzipped idx files")
    parser.add_argument("--keras-python", required=True, help="interpreter that has keras and tensorflow")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--accuracy", type=float, default=0.99)
    parser.add_argument("--max-epochs", type=int, default=15)
    parser.add_argument("--wait-policy", choices=["passive", "active", "unset"], default="unset")
    parser.add_argument("--threads", type=int, default=0, help="of our side; 1 where other work shares the cores")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "seed_mnist.json")
    return parser.parse_args()


def main() -> None:
    """Run both sides in turn, seed by seed; write the result after every seed."""
    options = read_options()
    ours_environment = {} if options.wait_policy == "unset" else {"OMP_WAIT_POLICY": options.wait_policy}
    runs: list[dict] = []
    for seed in range(options.seeds):
        arguments = ["--data", str(options.data), "--seed", str(seed), "--accuracy", str(options.accuracy)]
        arguments += ["--max-epochs", str(options.max_epochs)]
        sides = [("peer", options.keras_python, PEER, {}), ("ours", sys.executable, OURS, ours_environment)]
        threads = {"ours": ["--threads", str(options.threads)], "peer": []}
        run = {
            side: run_side(python, script, arguments + threads[side], extra) for side, python, script, extra in sides
        }
        runs.append({"seed": seed} | run)
        for side in ("peer", "ours"):
            result = run[side]
            write_line(
                f"seed {seed} {side}: {result['seconds']:7.2f} s, {result['examples_per_second']:7.0f} examples/s, "
                f"accuracies {[round(value, 4) for value in result['accuracies']]}, load {result['load_before']:.2f}"
            )
        content = {
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
        write_result(options.output, content)
    show(f"{len(runs)} seeds, test accuracy {options.accuracy:.1%}", compare(runs))


if __name__ == "__main__":
    main()
