"""How long until the textbook LSTM is right on 80 % of unseen news: modelwright against Keras, same network and rows.

First each side tries its settings (threads, XLA) for two epochs and keeps the fastest. Then, for every seed, the peer
and our side, in bf16 and in float32, train in turn, each in a process of its own. Prints the ratios with their spread and
writes them, with the machine, the versions and the trials, to `results/seed_text.json`.

Usage: python benchmarks/seed_text.py --data FOLDER --keras-python /path/to/python
"""

import argparse
import csv
import importlib.metadata
import sys
import tempfile
from pathlib import Path

from ours_text import LENGTH, VOCABULARY
from side_by_side import HERE, run_side, show, spread, write_line, write_result

PEER, OURS = "peers/keras_text.py", "ours_text.py"
# Every side: its script, what is always said to it, and the settings it may choose among.
SIDES = {
    "peer": (PEER, [], [["--threads", "0"], ["--threads", "1"], ["--threads", "0", "--jit"]]),
    "ours": (OURS, ["--precision", "bfloat16"], [["--threads", "1"], ["--threads", "2"]]),
    "ours_float32": (OURS, ["--precision", "float32"], [["--threads", "1"], ["--threads", "2"]]),
}
# An accuracy that cannot be reached makes a trial run its two epochs; training takes about two more.
TRIAL, MORE_EPOCHS = ["--max-epochs", "2", "--accuracy", "2"], 2


def number_rows(folder: Path, path: Path) -> dict[str, int]:
    """Write the token numbers, lengths and targets of both parts; the vocabulary is learnt from the training part alone.

    The dev part lies inside the train part: its rows are taken out there.
    """
    import numpy as np

    from modelwright.tasks.tokens import encode, learn_tokens

    parts = {}
    for part, name in (("train", "train.csv"), ("validation", "dev.csv")):
        with (folder / name).open(encoding="utf-8", newline="") as file:
            parts[part] = [tuple(row) for row in csv.reader(file)]
    judged = set(parts["validation"])
    parts["train"] = [row for row in parts["train"] if row not in judged]
    learnt = learn_tokens([text for text, _ in parts["train"]], "words", VOCABULARY, 1, LENGTH)
    arrays = {}
    for part, rows in parts.items():
        arrays[f"{part}_tokens"], arrays[f"{part}_length"] = encode([text for text, _ in rows], learnt)
        arrays[f"{part}_target"] = np.array([int(label) for _, label in rows])
    np.savez(path, **arrays)
    return {part: len(rows) for part, rows in parts.items()}


def choose(
    side: str, python: str, rows: Path, examples: int, environment: dict[str, str]
) -> tuple[list[str], list[dict]]:
    """Return the settings with which a side should be done first, compiling included, and what all trials took."""
    script, always, settings = SIDES[side]
    trials = []
    for chosen in settings:
        result = run_side(python, script, ["--rows", str(rows), *TRIAL, *always, *chosen], environment)
        rate = result["examples_per_second"]
        expected = result["seconds"] + MORE_EPOCHS * examples / rate
        trials.append({"settings": " ".join(chosen), "examples_per_second": rate, "seconds_expected": expected})
        write_line(f"{side} {trials[-1]['settings']:20s} {rate:6.0f} examples/s, expected {expected:5.1f} s")
    return min(zip(trials, settings, strict=True), key=lambda pair: pair[0]["seconds_expected"])[1], trials


def compare(runs: list[dict]) -> dict[str, object]:
    """Reduce the runs of all seeds to one spread per quantity; a ratio above 1 is in our favour, seed by seed."""
    report: dict[str, object] = {}
    for side in SIDES:
        report[f"seconds_{side}"] = spread([run[side]["seconds"] for run in runs])
        report[f"cpu_seconds_{side}"] = spread([run[side]["cpu_seconds"] for run in runs])
        report[f"examples_per_second_{side}"] = spread([run[side]["examples_per_second"] for run in runs])
        report[f"epochs_{side}"] = spread([len(run[side]["accuracies"]) for run in runs])
        report[f"accuracy_{side}"] = spread([run[side]["accuracies"][-1] for run in runs])
        report[f"reached_{side}"] = sum(run[side]["reached"] for run in runs)
    for side in ("ours", "ours_float32"):
        name = side.removeprefix("ours")
        report[f"time_ratio{name}"] = spread([run["peer"]["seconds"] / run[side]["seconds"] for run in runs])
        report[f"cpu_time_ratio{name}"] = spread(
            [run["peer"]["cpu_seconds"] / run[side]["cpu_seconds"] for run in runs]
        )
        report[f"rate_ratio{name}"] = spread(
            [run[side]["examples_per_second"] / run["peer"]["examples_per_second"] for run in runs]
        )
        medians = [report[f"seconds_{one}"]["median"] for one in ("peer", side)]
        report[f"median_time_ratio{name}"] = medians[0] / medians[1]
    return report


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder of train.csv and dev.csv: ag_news/sub5k")
    parser.add_argument("--keras-python", required=True, help="interpreter that has keras and tensorflow")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--accuracy", type=float, default=0.8)
    parser.add_argument("--max-epochs", type=int, default=12)
    parser.add_argument("--wait-policy", choices=["passive", "active"], default="passive", help="of our side")
    parser.add_argument(
        "--no-trials", action="store_true", help="the first settings of every side, where time is short"
    )
    parser.add_argument("--output", type=Path, default=HERE / "results" / "seed_text.json")
    return parser.parse_args()


def main() -> None:
    """Choose settings, run both sides in turn, seed by seed; write the result after every seed."""
    options = read_options()
    sides = {
        side: (options.keras_python, {})
        if side == "peer"
        else (sys.executable, {"OMP_WAIT_POLICY": options.wait_policy})
        for side in SIDES
    }
    runs: list[dict] = []
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.npz"
        counts = number_rows(options.data.resolve(), rows)
        chosen: dict[str, tuple] = {side: (SIDES[side][2][0], []) for side in SIDES}
        if not options.no_trials:
            chosen = {
                side: choose(side, python, rows, counts["train"], environment)
                for side, (python, environment) in sides.items()
            }
        for seed in range(options.seeds):
            common = ["--rows", str(rows), "--seed", str(seed), "--accuracy", str(options.accuracy)]
            common += ["--max-epochs", str(options.max_epochs)]
            run = {
                side: run_side(python, SIDES[side][0], [*common, *SIDES[side][1], *chosen[side][0]], environment)
                for side, (python, environment) in sides.items()
            }
            runs.append({"seed": seed} | run)
            for side, result in run.items():
                write_line(
                    f"seed {seed} {side:12s} {result['seconds']:7.2f} s, {result['examples_per_second']:7.0f} examples/s, "
                    f"accuracies {[round(value, 3) for value in result['accuracies']]}, load {result['load_before']:.2f}"
                )
            content = {
                "versions": {"torch": importlib.metadata.version("torch"), **run["peer"]["versions"]},
                "protocol": {
                    "rows": counts,
                    "accuracy": options.accuracy,
                    "seeds_asked": options.seeds,
                    "max_epochs": options.max_epochs,
                    "wait_policy": options.wait_policy,
                    "settings": {side: " ".join(settings) for side, (settings, _) in chosen.items()},
                },
                "trials": {side: trials for side, (_, trials) in chosen.items()},
                "comparison": compare(runs),
                "runs": runs,
            }
            write_result(options.output, content)
    show(f"{len(runs)} seeds, validation accuracy {options.accuracy:.1%}", compare(runs))


if __name__ == "__main__":
    main()
