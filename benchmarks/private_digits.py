"""What privacy costs on digits: accuracy at several epsilons, beside the same training without noise and clipping.

`recipes/digits_private.yaml` with another epsilon, or with `train.privacy: none`; a seed decides the split, the first weights
and the order. Writes `results/private_digits.json`.

Usage: python benchmarks/private_digits.py [--seeds 3]
"""

import argparse
import datetime
import importlib.metadata
import json
import statistics
import tempfile
from pathlib import Path

from side_by_side import describe_machine

HERE = Path(__file__).resolve().parent
EPSILONS = (1.0, 2.0, 4.0, 8.0)


def measure(recipe, folder: Path) -> dict[str, float]:
    """Run a recipe to its evaluation; return accuracy on the test part, and epsilon and noise where there are any."""
    from modelwright.core.execute import run

    claims = {item.name: item for item in run(recipe, "evaluate", folder=folder).evidence()}
    found = {"accuracy": claims["accuracy"].value}
    return found | {name: claims[name].value for name in ("epsilon", "noise_multiplier") if name in claims}


def main() -> None:
    """Run every epsilon for every seed."""
    from modelwright.core.recipe import load_recipe

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=HERE / "results" / "private_digits.json")
    options = parser.parse_args()
    recipe = load_recipe(HERE.parent / "recipes" / "digits_private.yaml").edited(
        {"train.threads": 1, "evaluate.resamples": 100, "release.gates": []}
    )
    answers = {f"epsilon {value:g}": {"train.privacy.epsilon": value} for value in EPSILONS}
    answers["not private"] = {"train.privacy": "none"}
    runs = []
    with tempfile.TemporaryDirectory() as work:
        for seed in range(1, options.seeds + 1):
            found = {}
            for place, (name, edits) in enumerate(answers.items()):
                found[name] = measure(recipe.edited({"seed": seed, **edits}), Path(work) / f"{seed}-{place}")
                print(seed, name, found[name], flush=True)
            runs.append(found)
    accuracies = {name: [run[name]["accuracy"] for run in runs] for name in answers}
    content = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": describe_machine(),
        "versions": {name: importlib.metadata.version(name) for name in ("torch", "opacus", "dp-accounting")},
        "protocol": {"recipe": "digits_private.yaml", "seeds": options.seeds, "delta": 1e-4},
        "remark": "other work shared the cores; nothing here is a time",
        "accuracy": {
            name: {"mean": statistics.fmean(values), "deviation": statistics.stdev(values) if len(values) > 1 else 0.0}
            for name, values in accuracies.items()
        },
        "runs": runs,
    }
    options.output.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
