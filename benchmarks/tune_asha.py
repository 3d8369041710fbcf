"""ASHA on news: how many epochs it needs to come to the value that random search found with all of its epochs.

For each seed random search makes its trials on the training part of `recipes/agnews.yaml`, each to its end. ASHA then makes the very
same trials (both draw alike from the same seed) and stops the worse ones early. Where it has stopped the best one, too, it makes twice
as many. Its epochs are those of all the trials that random had, and of further ones until one that was finished is at least as good on the
validation part as the best of random. The test part stays closed.

Usage: OMP_NUM_THREADS=1 python benchmarks/tune_asha.py --runs FOLDER
"""

import argparse
import importlib.metadata
import json
import statistics
from pathlib import Path

from side_by_side import HERE, write_line, write_result

SPACE = {
    "train.optimiser.lr": "log(1e-4, 3e-2)",
    "train.batch": "[16, 32, 64, 128]",
    "model.dropout": "uniform(0, 0.6)",
    "model.embedding": "[16, 32, 64, 128]",
}
EPOCHS = 9


def search(method: str, trials: int, seed: int, runs: Path, data: Path) -> list[dict]:
    """Return the trials of a search, in order."""
    import modelwright

    space = ", ".join(f"{key}: {domain!s}" for key, domain in SPACE.items())
    made = modelwright.tune(
        HERE.parent / "recipes" / "agnews.yaml",
        f"name=asha-{method}-{seed}",
        f"seed={seed}",
        f"data.path.train={(data / 'train.csv').resolve()}",
        f"data.path.test={(data / 'test.csv').resolve()}",
        f"train.length={EPOCHS} epochs",
        "train.early_stopping.patience=0",
        "train.threads=1",
        "train.workers=0",
        f"tune.space={{{space}}}",
        f"tune.method={method}",
        f"tune.trials={trials}",
        "tune.halving={first: 0.1111, factor: 3}",
        "tune.keep_trials=1",
        runs=runs,
    )
    lines = (made.artifact("tuning").path / "trials.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def place_of(trials: list[dict], value: float) -> int | None:
    """Return the place of the first finished trial that is at least as good; nothing if there is none."""
    good = [trial["state"] == "finished" and trial["value"] >= value for trial in trials]
    return good.index(True) if any(good) else None


def compare(random: list[dict], asha: list[dict]) -> dict[str, object]:
    """Return what both found and what it cost."""
    best = max(trial["value"] for trial in random)
    budget = sum(trial["epochs"] for trial in random)
    place, first = place_of(asha, best), place_of(random, best)
    counted = asha[: max(len(random), (place or 0) + 1)]
    spent = sum(trial["epochs"] for trial in counted)
    return {
        "random": {"best": best, "epochs": budget, "trial_of_its_best": first},
        "asha": {
            "best": max(trial["value"] for trial in counted if trial["state"] == "finished"),
            "epochs": spent,
            "trials": len(counted),
            "stopped": sum(trial["state"] == "stopped" for trial in counted),
            "trial_as_good_as_random's_best": place,
        },
        "share_of_random's_epochs": None if place is None else spent / budget,
        "trials": {"random": random, "asha": asha},
    }


def main() -> None:
    """Run both with each seed; write the result after every seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=HERE.parents[1] / "shared" / "data" / "ag_news" / "sub5k")
    parser.add_argument("--runs", type=Path, required=True, help="where the runs are made")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--trials", type=int, default=16)
    parser.add_argument("--output", type=Path, default=HERE / "results" / "tune_asha.json")
    options = parser.parse_args()
    found: dict[int, dict] = {}
    for seed in options.seeds:
        random = search("random", options.trials, seed, options.runs, options.data)
        asha = search("asha", options.trials, seed, options.runs, options.data)
        if place_of(asha, max(trial["value"] for trial in random)) is None:
            asha = search("asha", 2 * options.trials, seed, options.runs, options.data)
        found[seed] = compare(random, asha)
        write_line(json.dumps({name: value for name, value in found[seed].items() if name != "trials"}))
        shares = [item["share_of_random's_epochs"] for item in found.values()]
        content = {
            "versions": {name: importlib.metadata.version(name) for name in ("optuna", "torch", "numpy")},
            "protocol": {
                "trials": options.trials,
                "epochs_of_a_trial": EPOCHS,
                "space": SPACE,
                "machine_shared": "yes: other work ran on the same cores; epochs are counted, not seconds",
            },
            "share_of_random's_epochs": {
                "median": None if None in shares else statistics.median(shares),
                "each": shares,
                "seeds_that_did_not_reach_it": shares.count(None),
            },
            "seeds": found,
        }
        write_result(options.output, content)


if __name__ == "__main__":
    main()
