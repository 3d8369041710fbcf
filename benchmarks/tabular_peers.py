"""Examples/s of a small network on a table: modelwright's loop against skorch and Lightning, same module and rows.

First each side tries its settings (threads, how batches are fetched, workers) and keeps the fastest. Then, for every
seed, the sides train in turn, each in a process of its own. Prints the ratios with their spread and writes them, with the
machine, the versions and the trials, to `results/tabular_peers.json`.

Usage: python benchmarks/tabular_peers.py --recipe recipes/adult.yaml --peer-python /path/to/python
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from side_by_side import HERE, choose, run_side, show, spread, write_line, write_result

SKORCH, LIGHTNING, OURS = "peers/skorch_tabular.py", "peers/lightning_tabular.py", "ours_tabular.py"
ONE, TWO = ["--threads", "1"], ["--threads", "2"]
# Every side: its script, and the settings it may choose among. A peer is there twice: as its guides show it, with a
# loader that collects examples one by one, and as an expert would set it up, with whole batches fetched at once.
SIDES = {
    "skorch": (SKORCH, [ONE, TWO]),
    "skorch_batched": (SKORCH, [[*ONE, "--batched"], [*TWO, "--batched"]]),
    "lightning": (LIGHTNING, [ONE, TWO, [*ONE, "--workers", "1"]]),
    "lightning_batched": (LIGHTNING, [[*ONE, "--batched"], [*TWO, "--batched"]]),
    "ours": (OURS, [ONE, TWO]),
}
# By the clock on the wall; and by processor time, which knows less of what else runs on the machine.
RATES = {"examples_per_second": "rate_ratio", "examples_per_cpu_second": "cpu_rate_ratio"}
USUAL, EXPERT = ("skorch", "lightning"), ("skorch_batched", "lightning_batched")


def make_rows(recipe_path: Path, path: Path) -> dict[str, int]:
    """Write the columns of the training part, and a tenth of it for validation, as modelwright prepares them."""
    import numpy as np

    from modelwright.core import registry
    from modelwright.core.recipe import load_recipe
    from modelwright.engine.predictor import build_task

    recipe = load_recipe(recipe_path)
    source = recipe.sections["data"]
    rows = registry.function_of("source", source.kind)(source, recipe.base)
    training = np.flatnonzero(np.asarray(rows.parts) == "train")
    judged, trained = np.split(np.random.default_rng(0).permutation(training), [len(training) // 10])
    task = build_task(recipe.sections["task"])
    first = task.examples(rows.take(trained), None)
    second = task.examples(rows.take(judged), first.learnt)
    arrays = {
        f"{part}_{name}": column
        for part, examples in (("train", first), ("validation", second))
        for name, column in examples.columns.items()
    }
    np.savez(path, learnt=json.dumps(first.learnt), **arrays)
    return {"train": len(first), "validation": len(second)}


def compare(runs: list[dict]) -> dict[str, object]:
    """Reduce the runs of all seeds to one spread per quantity; a ratio above 1 is in our favour, seed by seed."""
    report: dict[str, object] = {
        f"{quantity}_{side}": spread([run[side][quantity] for run in runs])
        for quantity in (*RATES, "accuracy")
        for side in SIDES
    }
    for quantity, ratio in RATES.items():
        rates = [{side: run[side][quantity] for side in SIDES} for run in runs]
        for peer in (*USUAL, *EXPERT):
            report[f"{ratio}_{peer}"] = spread([rate["ours"] / rate[peer] for rate in rates])
        for name, peers in (("best_usual", USUAL), ("best_of_all", USUAL + EXPERT)):
            report[f"{ratio}_{name}"] = spread([rate["ours"] / max(rate[peer] for peer in peers) for rate in rates])
    return report


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--recipe", type=Path, required=True, help="the recipe whose data and task are used: adult.yaml"
    )
    parser.add_argument("--peer-python", required=True, help="interpreter with skorch, lightning, torch and pydantic")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=4, help="the first one is not counted")
    parser.add_argument("--wait-policy", choices=["passive", "active"], default="passive", help="of all sides")
    parser.add_argument(
        "--no-trials", action="store_true", help="the first settings of every side, where time is short"
    )
    parser.add_argument("--output", type=Path, default=HERE / "results" / "tabular_peers.json")
    return parser.parse_args()


def main() -> None:
    """Choose settings, run all sides in turn, seed by seed; write the result after every seed."""
    options = read_options()
    pythons = {side: sys.executable if side == "ours" else options.peer_python for side in SIDES}
    environment = {"OMP_WAIT_POLICY": options.wait_policy}
    runs: list[dict] = []
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.npz"
        counts = make_rows(options.recipe, rows)
        common = ["--rows", str(rows), "--epochs", str(options.epochs)]
        chosen: dict[str, tuple] = {side: (SIDES[side][1][0], []) for side in SIDES}
        if not options.no_trials:
            chosen = {side: choose(SIDES, side, pythons[side], common, environment) for side in SIDES}
        for seed in range(options.seeds):
            run = {
                side: run_side(pythons[side], script, [*common, "--seed", str(seed), *chosen[side][0]], environment)
                for side, (script, _) in SIDES.items()
            }
            runs.append({"seed": seed} | run)
            for side, result in run.items():
                write_line(
                    f"seed {seed} {side:18s} {result['examples_per_second']:8.0f} examples/s, "
                    f"accuracy {result['accuracy']:.4f}, load {result['load_before']:.2f}"
                )
            versions = {name: value for side in SIDES for name, value in run[side]["versions"].items()}
            settings = {side: " ".join(words) for side, (words, _) in chosen.items()}
            protocol = {"rows": counts, "epochs": options.epochs, "seeds_asked": options.seeds, "settings": settings}
            trials = {side: found for side, (_, found) in chosen.items()}
            content = {"versions": versions, "protocol": protocol | {"wait_policy": options.wait_policy}}
            write_result(options.output, content | {"trials": trials, "comparison": compare(runs), "runs": runs})
    show(f"{len(runs)} seeds", compare(runs))


if __name__ == "__main__":
    main()
