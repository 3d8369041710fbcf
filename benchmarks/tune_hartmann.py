"""Hartmann-6: how good a point the methods of `tune` have found after equally many trials, over 20 seeds.

The function (six variables between 0 and 1, minimum -3.32237) is asked through the door that trials go through, in memory.
For each method the difference to random search with the same seed is taken, and the interval of its mean.

Usage: python benchmarks/tune_hartmann.py
"""

import argparse
import datetime
import importlib.metadata
import json
import math
import statistics
import sys
import time
from pathlib import Path

from side_by_side import describe_machine, spread, write_line

from modelwright.methods.statistics.intervals import t_interval
from modelwright.stages.tune.search import Outcome, Plan, Search
from modelwright.stages.tune.space import read_space

HERE = Path(__file__).resolve().parent
MINIMUM = -3.32237
# Surjanovic and Bingham, Virtual Library of Simulation Experiments: Hartmann 6-D.
ALPHA = (1.0, 1.2, 3.0, 3.2)
A = (
    (10, 3, 17, 3.5, 1.7, 8),
    (0.05, 10, 17, 0.1, 8, 14),
    (3, 3.5, 1.7, 10, 17, 8),
    (17, 8, 0.05, 10, 0.1, 14),
)
P = (
    (0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886),
    (0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991),
    (0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650),
    (0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381),
)


def hartmann(x: list[float]) -> float:
    """Return the Hartmann-6 function."""
    return -sum(
        weight * math.exp(-sum(a * (here - centre) ** 2 for a, here, centre in zip(row, x, centres, strict=True)))
        for weight, row, centres in zip(ALPHA, A, P, strict=True)
    )


def best_found(method: str, trials: int, seed: int) -> float:
    """Return the lowest value that a method has found after so many trials."""
    space, problems = read_space({f"x{number}": "uniform(0, 1)" for number in range(6)})
    assert not problems
    search = Search(Plan(space, method, maximise=False, seed=seed, trials=trials))
    while (asked := search.ask()) is not None:
        search.tell(asked.number, Outcome("finished", hartmann([asked.edits[f"x{number}"] for number in range(6)])))
    return search.best().outcome.value


def main() -> None:
    """Run all methods with each seed; write the result after every seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--methods", nargs="+", default=["tpe", "gp"])
    parser.add_argument("--output", type=Path, default=HERE / "results" / "tune_hartmann.json")
    options = parser.parse_args()
    assert abs(hartmann([0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573]) - MINIMUM) < 1e-4
    methods = ["random", *options.methods]
    found: dict[str, list[float]] = {method: [] for method in methods}
    seconds = dict.fromkeys(methods, 0.0)
    for seed in range(options.seeds):
        for method in methods:
            began = time.monotonic()
            found[method].append(best_found(method, options.trials, seed))
            seconds[method] += time.monotonic() - began
        write_line(f"seed {seed:2}: " + "  ".join(f"{method} {found[method][-1]:.4f}" for method in methods))
        if seed:
            report(options, found, seconds)
    for method in options.methods:
        better = [here - there for here, there in zip(found[method], found["random"], strict=True)]
        low, high = t_interval(better, 0.95)
        write_line(f"{method} less random: {statistics.mean(better):.4f} [{low:.4f}, {high:.4f}]")


def report(options: argparse.Namespace, found: dict[str, list[float]], seconds: dict[str, float]) -> None:
    """Write what has been found so far."""
    differences = {}
    for method in options.methods:
        better = [here - there for here, there in zip(found[method], found["random"], strict=True)]
        low, high = t_interval(better, 0.95)
        differences[method] = {
            "mean": statistics.mean(better),
            "interval_95": [low, high],
            "seeds_better": sum(value < 0 for value in better),
        }
    content = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": describe_machine(),
        "versions": {"optuna": importlib.metadata.version("optuna")},
        "protocol": {"trials": options.trials, "seeds": len(found["random"]), "minimum": MINIMUM},
        "difference_to_random": differences,
        "best": {method: spread(values) for method, values in found.items()},
        "seconds": {method: round(value, 1) for method, value in seconds.items()},
        "runs": found,
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
