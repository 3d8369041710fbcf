"""Planned peak memory against what happened, on recipes drawn by seed, with the rules that others plan by beside it.

Each point is one recipe: a model, batch, length, precision, optimiser and way of checkpointing drawn by its seed. Planned: the
recipe traced on tensors without memory, by the stage `plan`. Happened: training and evaluation under torch's profiler in a process
of their own, from before there is a network; the peak is the highest "Total Allocated" of its memory events, the twin of
`max_memory_allocated`. The rules, from their published sources:

* accelerate: training with Adam takes four times the parameters (documentation, "Model memory estimator").
* DeepSpeed: 18 bytes a parameter and the largest layer, for one device (documentation, "Memory requirements", ZeRO-3 without offload).
* closed form: 16 bytes a parameter, and per block s b h (34 + 5 a s / h) bytes of activations, for Transformers alone, twice that in
  float32 (Korthikanti et al. 2022, equation 2).

Usage: python benchmarks/plan_accuracy.py [--points N] [--first SEED] [--shared] [--minutes M]
"""

import argparse
import datetime
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from side_by_side import describe_machine, write_line

HERE = Path(__file__).resolve().parent
RESULT = HERE / "results" / "plan_accuracy.json"
sys.path.insert(0, str(HERE.parent / "tests" / "stages" / "plan"))


def rules(recipe: dict, facts: dict) -> dict:
    """Return the bytes that the rules of others give."""
    parameters, largest = facts["parameters"], facts["largest"]
    found = {"accelerate": 4 * 4 * parameters, "deepspeed": 18 * parameters + 4 * largest}
    model = recipe["model"]
    if model["kind"] == "transformer":
        length, batch, width, layers = facts["length"], recipe["train"]["batch"], model["width"], model["layers"]
        block = length * batch * width * (34 + 5 * 4 * length / width)
        found["closed form"] = 16 * parameters + 2 * layers * block
    return found


def count(dataset: Path, recipe: dict) -> dict:
    """Return the parameters of the network, those of its largest layer, and the longest text."""
    from modelwright.core import registry
    from modelwright.engine.dataset import read_part

    learnt = read_part(dataset, "train").learnt
    settings = registry.settings_of("model", recipe["model"]["kind"]).model_validate(recipe["model"])
    network = registry.function_of("model", recipe["model"]["kind"])(settings, learnt)
    layers = [sum(item.numel() for item in layer.parameters(recurse=False)) for layer in network.modules()]
    return {"parameters": sum(layers), "largest": max(layers), "length": learnt.get("length", 0)}


def measure_point(seed: int, folder: Path, texts: str) -> dict:
    """Plan and train one recipe."""
    from grid import draw_point
    from measured import forked, measure_forked

    from modelwright.core.execute import run
    from modelwright.core.recipe import recipe_from
    from modelwright.core.run import Run
    from modelwright.stages.plan.prices import ROOM_BYTES
    from modelwright.stages.plan.settings import Plan
    from modelwright.stages.plan.worker import Bench, Job

    drawn = draw_point(seed, texts)
    recipe = recipe_from({name: section for name, section in drawn.items() if name != "plan"}, folder)
    forked(lambda: bool(run(recipe, "prepare", folder=folder / "run")))
    dataset = Run(folder / "run").artifact("dataset").path
    plain = {name: section for name, section in drawn.items() if name != "plan"}
    began = time.monotonic()
    found = forked(lambda: Bench(Job(recipe.resolved(), str(folder), str(dataset), 1)).trace({}, False))
    seconds = time.monotonic() - began
    if "peaks" not in found:
        return {
            "seed": seed,
            "model": drawn["model"],
            "train": drawn["train"],
            "problem": found.get("refused") or found["failed"],
        }
    estimate = max(found["peaks"].values())
    peak = measure_forked(folder / "run", plain, folder, folder / "happened")
    return {
        "seed": seed,
        "model": drawn["model"],
        "train": drawn["train"],
        "length": drawn["task"]["length"] if isinstance(drawn["task"], dict) else 0,
        "peak_bytes": peak,
        "estimate_bytes": estimate,
        "bound_bytes": int(estimate * (1 + Plan().margin)) + ROOM_BYTES,
        "rules": rules(drawn, forked(lambda: count(dataset, drawn))),
        "seconds": round(seconds, 2),
    }


def summarise(points: list[dict]) -> dict:
    """Return the numbers that the claims are about."""
    good = [point for point in points if "peak_bytes" in point]
    errors = [point["estimate_bytes"] / point["peak_bytes"] - 1 for point in good]
    summary = {
        "points": len(good),
        "problems": len(points) - len(good),
        "median_error": statistics.median(abs(error) for error in errors),
        "worst_error": max(errors, key=abs),
        "under_the_bound": sum(point["peak_bytes"] <= point["bound_bytes"] for point in good),
        "widest_bound": max(point["bound_bytes"] / point["peak_bytes"] for point in good),
    }
    for name in ("accelerate", "deepspeed", "closed form"):
        theirs = [point["rules"][name] / point["peak_bytes"] - 1 for point in good if name in point["rules"]]
        if theirs:
            summary[name] = {
                "points": len(theirs),
                "median_error": statistics.median(abs(error) for error in theirs),
                "worst_error": max(theirs, key=abs),
                "within_5_percent": sum(abs(error) <= 0.05 for error in theirs),
            }
    return summary


def main() -> None:
    """Draw, plan and train point after point; what was measured so far is always on disk."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=63)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=1e9, help="begin no point after so long")
    parser.add_argument(
        "--shared", action="store_true", help="say in the result that others used the machine meanwhile"
    )
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args()
    # Loaded once, for all the children that are forked from here.
    import torch.profiler  # noqa: F401
    from grid import write_texts

    import modelwright.engine.tracing.tracer  # noqa: F401

    began, points = time.monotonic(), []
    for seed in range(options.first, options.first + options.points):
        if time.monotonic() - began > 60 * options.minutes:
            break
        with tempfile.TemporaryDirectory() as place:
            write_texts(Path(place) / "texts.jsonl", 900, 60, seed=seed)
            points.append(measure_point(seed, Path(place), "texts.jsonl"))
        point = points[-1]
        told = (
            point.get("problem")
            or f"{point['peak_bytes'] / 1e6:9.3f} MB {point['estimate_bytes'] / point['peak_bytes'] - 1:+.4%}"
        )
        write_line(f"{seed:4d} {point['model']['kind']:12s} {told}")
        content = {
            "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "machine": describe_machine() | {"shared": options.shared},
            "summary": summarise(points),
            "points": points,
        }
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
