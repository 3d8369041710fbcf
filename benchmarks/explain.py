"""What the sanity checks say of every attribution, and how faithful the surrogates are, on real pictures, texts and tables.

Each case is a recipe of the repository with some keys changed, trained and explained once. Nothing is chosen by the results: what
fails its check is written down as failed. Writes every claim of the stage, with the machine and the versions, to
`results/explain.json`.

Usage: python benchmarks/explain.py [CASE ...]
"""

import argparse
import datetime
import importlib.metadata
import json
import tempfile
from pathlib import Path

from side_by_side import describe_machine

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "explain.json"
EVERY = {
    "image": ["occlusion", {"kind": "shapley", "samples": 5}, "integrated_gradients", "grad_cam"],
    "text": ["occlusion", {"kind": "integrated_gradients", "steps": 200}, "attention_rollout"],
    "tabular": ["permutation", "occlusion", "shapley", "integrated_gradients"],
}
CASES = {
    "digits, convolutions": ("digits", {"explain.attributions": EVERY["image"], "explain.projections": ["pca", "tsne"]}),
    "mnist, convolutions": (
        "mnist",
        {"prepare.limit": 12000, "train.length": "3 epochs", "explain": {"attributions": EVERY["image"]}},
    ),
    "agnews, Transformer": ("agnews_transformer", {"train.length": "4 epochs", "explain.attributions": EVERY["text"]}),
    "adult, network": ("adult", {"explain.attributions": EVERY["tabular"]}),
    "adult, boosting": ("adult", {"model": "boosting", "explain.attributions": EVERY["tabular"][:3]}),
    "digits, half of the weights pruned": (
        "digits",
        {"compress": {"steps": [{"kind": "prune", "amount": 0.5, "fine_tune": "2 epochs"}], "rounds": 3}},
    ),
    "digits, half of the channels pruned": (
        "digits",
        {"compress": {"steps": [{"kind": "prune", "how": "structured", "amount": 0.5, "fine_tune": "2 epochs"}], "rounds": 3}},
    ),
}  # fmt: skip
# What every case says beside its own keys: more examples than a recipe needs.
SAME = {"explain.checks.examples": 64, "explain.checks.models": 10}


def measure(name: str, folder: Path) -> dict:
    """Explain one case; return its claims and the seconds of CPU that the stage took."""
    from modelwright.core.execute import run
    from modelwright.core.recipe import load_recipe

    recipe, changes = CASES[name]
    made = run(
        load_recipe(HERE.parent / "recipes" / f"{recipe}.yaml").edited({**changes, **SAME}), "explain", folder=folder
    )
    record = made.current()["explain"]
    return {
        "recipe": recipe,
        "changes": {**changes, **SAME},
        "cpu_seconds": record.cpu_seconds,
        "claims": {claim.name: claim.to_json() for claim in record.evidence},
    }


def main() -> None:
    """Explain the cases that are named, or all, and keep those that were explained before."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"any of: {'; '.join(CASES)}")
    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"cases": {}}
    for name in parser.parse_args().cases or CASES:
        with tempfile.TemporaryDirectory() as folder:
            found["cases"][name] = measure(name, Path(folder) / "run")
        found |= {
            "date": datetime.date.today().isoformat(),
            "machine": describe_machine(),
            "note": "other work shared the cores; nothing here is a timing but cpu_seconds",
            "versions": {
                name: importlib.metadata.version(name) for name in ("torch", "captum", "scikit-learn", "numpy")
            },
        }
        RESULTS.write_text(json.dumps(found, indent=1) + "\n")
        print(name, "done", flush=True)


if __name__ == "__main__":
    main()
