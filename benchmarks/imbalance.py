"""Nine answers to imbalance on mammography, where 2 to 3 of 100 rows are positive: same network, same steps, five seeds.

A seed decides the split into parts, the first weights and the order of the examples; within a seed all answers see the
same parts. Every answer trains for the same number of steps and its last weights are judged, so that nothing is chosen
on the validation part by a loss that the answers change. Writes means, spreads and every single number, with the
machine and the versions, to `results/imbalance.json`.

Usage: python benchmarks/imbalance.py [--recipe recipes/mammography.yaml] [--seeds 5]
"""

import argparse
import datetime
import importlib.metadata
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from side_by_side import describe_machine

HERE = Path(__file__).resolve().parent
MEASURES = ("pr_auc", "recall_at_90_precision", "log_loss", "calibration_error")
ANSWERS = {
    "plain": {},
    "class weights": {"train.objective": "class_weights"},
    "focal loss": {"train.objective": "focal"},
    "balanced sampler": {"train.sampler": "balanced"},
    "over-sampling": {"train.sampler": "over_sampling"},
    "under-sampling": {"train.sampler": "under_sampling"},
    "SMOTE": {"train.resample": "smote"},
    "GAN": {"train.resample": "gan"},
    "GAN, a fifth": {"train.resample": {"kind": "gan", "ratio": 0.2}},
}
# For every answer the same; the floor model and most resamples of the intervals are left out to save time.
SAME = {
    "train.threads": 1,
    "train.early_stopping.patience": 0,
    "train.keep": "last",
    "evaluate.floor": "none",
    "evaluate.resamples": 100,
}


def judge(recipe, folder: Path) -> dict[str, float]:
    """Run a recipe to its evaluation in a folder; return the measures on the test part and the seconds of training."""
    from modelwright.core.execute import run

    claims = {claim.name: claim for claim in run(recipe, "evaluate", folder=folder).evidence()}
    found = {name: claims[name].value for name in MEASURES}
    return found | {"training_seconds": claims["training_seconds"].value, "steps": claims["steps"].value}


def reduce(runs: list[dict]) -> dict[str, dict]:
    """Return mean and standard deviation over the seeds, and the difference from plain on the same seed, per answer."""
    report: dict[str, dict] = {}
    for answer in ANSWERS:
        report[answer] = {}
        for name in (*MEASURES, "training_seconds"):
            values = [run[answer][name] for run in runs]
            gains = [run[answer][name] - run["plain"][name] for run in runs]
            report[answer][name] = {
                "mean": statistics.mean(values),
                "deviation": statistics.stdev(values) if len(values) > 1 else 0.0,
                "minimum": min(values),
                "maximum": max(values),
                "gain_over_plain": statistics.mean(gains),
                "seeds_better_than_plain": sum(gain > 0 for gain in gains),
            }
    return report


def show(report: dict[str, dict]) -> None:
    """Write the table of the guide."""
    lines = ["| answer | PR-AUC | recall at 90 % precision | log loss (nats) |", "| --- | --- | --- | --- |"]
    for answer, measures in report.items():
        cells = [f"{measures[name]['mean']:.3f} ± {measures[name]['deviation']:.3f}" for name in MEASURES[:3]]
        lines.append(f"| {answer} | {' | '.join(cells)} |")
    sys.stdout.write("\n".join(lines) + "\n")


def main() -> None:
    """Run every answer for every seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", type=Path, default=HERE.parent / "recipes" / "mammography.yaml")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--output", type=Path, default=HERE / "results" / "imbalance.json")
    options = parser.parse_args()
    from modelwright.core.recipe import load_recipe

    recipe = load_recipe(options.recipe)
    same = {**SAME, "train.length": f"{options.steps} steps", "train.validate_every": f"{options.steps} steps"}
    began = time.monotonic()
    runs: list[dict] = []
    with tempfile.TemporaryDirectory() as work:
        for seed in range(1, options.seeds + 1):
            run = {"seed": seed}
            for answer, edits in ANSWERS.items():
                run[answer] = judge(recipe.edited({"seed": seed, **same, **edits}), Path(work) / f"seed-{seed}")
                shown = ", ".join(f"{name} {value:.4g}" for name, value in run[answer].items())
                sys.stdout.write(f"seed {seed} {answer}: {shown}\n")
                sys.stdout.flush()
            runs.append(run)
    report = reduce(runs)
    packages = ("torch", "numpy", "scikit-learn", "imbalanced-learn")
    content = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": describe_machine(),
        "versions": {name: importlib.metadata.version(name) for name in packages},
        "protocol": {"recipe": options.recipe.name, "seeds": options.seeds, "same": same, "answers": ANSWERS},
        "seconds": round(time.monotonic() - began, 1),
        "comparison": report,
        "runs": runs,
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(content, indent=1) + "\n")
    show(report)


if __name__ == "__main__":
    main()
