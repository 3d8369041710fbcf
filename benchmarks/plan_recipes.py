"""Planned memory against what happened, for every recipe that comes with the program.

Each recipe keeps its model, batch, lengths, precision and optimiser; only rows and steps are cut, so that it ends. Planned: the
trace of the stage `plan`. Happened: the stages `train` and `evaluate` in processes of their own, over the data that was prepared before:
once under torch's profiler from before there is a network (the peak is the highest "Total Allocated" of its memory events), once without
it for the resident peak of the process, as Linux counts it (VmHWM).

Usage: python benchmarks/plan_recipes.py [RECIPE...] [--rows N] [--steps N] [--ways allocator process] [--shared]
"""

import argparse
import datetime
import json
import sys
import tempfile
from pathlib import Path

from side_by_side import describe_machine, write_line

HERE = Path(__file__).resolve().parent
RESULT = HERE / "results" / "plan_recipes.json"
sys.path.insert(0, str(HERE.parent / "tests" / "stages" / "plan"))
# More than a batch of every recipe, and enough for a whole chunk of answers.
ROWS = 1200


def cut(path: Path, rows: int, steps: int = 4) -> dict:
    """Return what shortens a recipe and leaves its step as it is."""
    from modelwright.core.recipe import load_recipe

    recipe = load_recipe(path)
    changes = {
        "train.length": f"{steps} steps",
        "train.validate_every": f"{steps // 2} steps",
        "train.save.every": f"{steps // 2} steps",
        "train.threads": 1,
        "train.workers": 0,
        "evaluate.resamples": 100,
        "evaluate.folds": 0,
    }
    if recipe.sections["task"].kind == "language":
        changes |= {"task.longest": 60_000, "evaluate.floor": "none", "evaluate.samples.tokens": 8}
    else:
        changes["prepare.limit"] = rows
    schedule = recipe.sections["train"].schedule
    if getattr(schedule, "warm_up", 0):
        changes["train.schedule.warm_up"] = "1 steps"
    if recipe.sections["train"].privacy.kind != "none":
        changes["train.length"] = "2 epochs"
    sections = recipe.sections
    return {key: value for key, value in changes.items() if key.split(".")[0] in sections}


def measure_recipe(path: Path, rows: int, steps: int, ways: list[str]) -> dict:
    """Plan and run one recipe."""
    from measured import forked, measure, measure_forked

    from modelwright.core.errors import ModelwrightError
    from modelwright.core.execute import run
    from modelwright.core.recipe import load_recipe
    from modelwright.core.run import Run
    from modelwright.stages.plan.prices import ROOM_BYTES
    from modelwright.stages.plan.settings import Plan
    from modelwright.stages.plan.worker import Bench, Job

    row = {"recipe": path.stem}
    try:
        recipe = load_recipe(path)
        for name in ("tune", "compress", "explain", "audit", "release", "serve", "prove_resume"):
            recipe = recipe.without(name) if name in recipe.sections else recipe
        row |= {"model": recipe.sections["model"].kind}
        if getattr(type(recipe.sections["model"]), "at_once", False):
            return row | {"not_planned": "fitted at once, by scikit-learn, whose memory cannot be traced"}
        recipe = recipe.edited(cut(path, rows, steps))
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            forked(lambda: bool(run(recipe, "prepare", folder=folder / "run")))
            dataset = Run(folder / "run").artifact("dataset").path
            job = Job(recipe.resolved(), str(recipe.base), str(dataset), 1)
            plan = forked(lambda: {**Bench(job).trace({}, False), "curve": []})
            if "peaks" not in plan:
                return row | {"problem": plan.get("refused") or plan["failed"]}
            estimate = max(plan["peaks"].values())
            row |= {
                "batch": recipe.sections["train"].batch,
                "estimate_bytes": estimate,
                "bound_bytes": int(estimate * (1 + Plan().margin)) + ROOM_BYTES,
                "peaks": plan["peaks"],
                "process_estimate": plan.get("process", 0),
            }
            if "allocator" in ways:
                row["peak_bytes"] = measure_forked(folder / "run", recipe.resolved(), recipe.base, folder / "happened")
            if "process" in ways:
                found = measure(folder / "run", recipe.resolved(), recipe.base, folder / "happened", "process")
                row["process_bytes"] = found
    except (ModelwrightError, RuntimeError) as error:
        row["problem"] = str(error)
    return row


def told(row: dict) -> str:
    """Return a line for one recipe."""
    if "peak_bytes" not in row:
        return row.get("problem") or row["not_planned"]
    error, width = row["estimate_bytes"] / row["peak_bytes"] - 1, row["bound_bytes"] / row["peak_bytes"]
    text = f"{row['peak_bytes'] / 1e6:9.3f} MB {error:+.4%} bound {width:.4f}"
    process = row.get("process_bytes")
    if process:
        text += f"  process {process / 1e6:8.1f} MB"
        if row["process_estimate"]:
            text += f" {(row['process_estimate'] - process) / 1e6:+.1f} MB"
    return text


def main() -> None:
    """Plan and run recipe after recipe; what was measured so far is always on disk."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipes", type=Path, nargs="*")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--ways", nargs="*", default=["allocator", "process"])
    parser.add_argument(
        "--shared", action="store_true", help="say in the result that others used the machine meanwhile"
    )
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args()
    # Loaded once, for all the children that are forked from here.
    import torch._dynamo
    import torch.profiler  # noqa: F401

    import modelwright.engine.tracing.tracer  # noqa: F401

    rows = []
    for path in options.recipes or sorted((HERE.parent / "recipes").glob("*.yaml")):
        rows.append(measure_recipe(path, options.rows, options.steps, options.ways))
        write_line(f"{path.stem:20s} {told(rows[-1])}")
        good = [row for row in rows if "peak_bytes" in row]
        content = {
            "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "machine": describe_machine() | {"shared": options.shared},
            "summary": {
                "recipes": len(rows),
                "planned": len(good),
                "under_the_bound": sum(row["peak_bytes"] <= row["bound_bytes"] for row in good),
                "widest_bound": max((row["bound_bytes"] / row["peak_bytes"] for row in good), default=0),
            },
            "recipes": rows,
        }
        options.output.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
