"""The batch that a plan chooses under a limit of bytes: does it fit, and how near is it to the largest that does?

A case is a model and a limit that lies between what one example at a time needs and what the whole batch needs. The plan chooses
`train.micro_batch`; the batch of a step stays what it is. The choice is then trained and evaluated under torch's profiler, and so are
larger ones, until the largest is known whose measured peak stays under the limit.

Usage: python benchmarks/plan_batch.py [--shared] [--cases NAME...]
"""

import argparse
import datetime
import json
import statistics
import sys
import tempfile
from pathlib import Path

from side_by_side import describe_machine, write_line

HERE = Path(__file__).resolve().parent
RESULT = HERE / "results" / "plan_batch.json"
sys.path.insert(0, str(HERE.parent / "tests" / "stages" / "plan"))

BATCH = 192
PICTURES = {"task": "image", "data": {"kind": "sample", "name": "digits"}}
TEXTS = {"task": {"kind": "text", "tokens": "words", "length": 48}, "data": {"kind": "jsonl", "path": "texts.jsonl"}}
WRITING = {
    "task": {"kind": "language", "tokens": "characters", "length": 64},
    "data": {"kind": "text", "path": "texts.jsonl", "label": "none"},
}
MODELS = {
    "cnn": ({"kind": "cnn", "channels": [32, 64], "padding": "same", "normalisation": "group"}, PICTURES),
    "residual": ({"kind": "residual", "widths": [16, 32], "normalisation": "group"}, PICTURES),
    "lstm": ({"kind": "lstm", "hidden": 64}, TEXTS),
    "convolution": ({"kind": "convolution", "channels": 64}, TEXTS),
    "transformer": ({"kind": "transformer", "width": 64, "layers": 2}, TEXTS),
    "decoder": ({"kind": "decoder", "layers": 2, "width": 64, "heads": 4}, WRITING),
}
# Of the way from one example at a time to the whole batch.
SHARES = (0.25, 0.6)


def recipe_of(name: str) -> dict:
    """Return the recipe of a case, without its limit."""
    model, rest = MODELS[name]
    return {
        "version": 1,
        "name": name,
        "seed": 7,
        "model": model,
        **rest,
        "prepare": {"limit": 700, "split": {"test": 0.2, "validation": 0.2}}
        if name != "decoder"
        else {"split": {"by": "position", "test": 0.1, "validation": 0.1}},
        "train": {"length": "4 steps", "batch": BATCH, "threads": 1, "workers": 0, "validate_every": "2 steps"},
        "evaluate": {"resamples": 100, **({"floor": "none", "samples": {"count": 0}} if name == "decoder" else {})},
    }


class Case:
    """State: one prepared run, and the measured peak of every micro-batch that was tried."""

    def __init__(self, name: str, folder: Path) -> None:
        from grid import write_texts

        from modelwright.core.execute import run
        from modelwright.core.recipe import recipe_from

        self.recipe, self.folder, self.peaks = recipe_of(name), folder, {}
        write_texts(folder / "texts.jsonl", 900, 60, seed=7)
        run(recipe_from(self.recipe, folder), "prepare", folder=folder / "run")

    def plan(self, micro_batch: object, memory: int = 0) -> dict:
        """Return the plan with a micro-batch, or with a limit under which it is chosen."""
        from modelwright.core.execute import run
        from modelwright.core.recipe import recipe_from

        train = self.recipe["train"] | {"micro_batch": micro_batch}
        changed = self.recipe | {"train": train, "plan": {"budget": {"memory": memory}}}
        made = run(recipe_from(changed, self.folder), "plan", folder=self.folder / "run")
        return json.loads((made.artifact("plan").path / "plan.json").read_text())

    def peak(self, micro_batch: int) -> int:
        """Measure the peak of a micro-batch, once."""
        from measured import measure_forked

        if micro_batch not in self.peaks:
            recipe = self.recipe | {"train": self.recipe["train"] | {"micro_batch": micro_batch}}
            self.peaks[micro_batch] = measure_forked(self.folder / "run", recipe, self.folder, self.folder / "happened")
        return self.peaks[micro_batch]

    def largest(self, chosen: int, limit: int) -> int:
        """Return the largest micro-batch whose measured peak stays under a limit, by bisection upwards of the choice."""
        low, high = chosen, BATCH
        step = max(1, chosen // 20)
        while low + step < high:
            if self.peak(low + step) > limit:
                high = low + step
                break
            low, step = low + step, 2 * step
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.peak(middle) <= limit else (low, middle)
        return low


def measure_case(case: Case, share: float) -> dict:
    """Plan under one limit, and measure what was chosen and what would have been the largest."""
    least, most = (case.plan(micro)["bound"] for micro in (1, 0))
    limit = int(least + share * (most - least))
    plan = case.plan("auto", limit)
    chosen = plan["choices"]["train.micro_batch"]["value"]
    peak = case.peak(chosen)
    largest = case.largest(chosen, limit) if peak <= limit else 0
    return {
        "model": case.recipe["model"]["kind"],
        "limit_bytes": limit,
        "chosen": chosen,
        "bound_bytes": plan["bound"],
        "peak_bytes": peak,
        "fits": peak <= limit,
        "largest": largest,
        "share": chosen / largest if largest else 0.0,
        "traced": len(plan["candidates"]),
    }


def main() -> None:
    """Measure case after case; what was measured so far is always on disk."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="*", default=list(MODELS))
    parser.add_argument("--shared", action="store_true", help="say that others used the machine meanwhile")
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args()
    # Loaded once, for all the children that are forked from here.
    import torch.profiler  # noqa: F401

    import modelwright.engine.tracing.tracer  # noqa: F401

    cases: list[dict] = []
    for name in options.cases:
        with tempfile.TemporaryDirectory() as place:
            case = Case(name, Path(place))
            for share in SHARES:
                cases.append(measure_case(case, share))
                found = cases[-1]
                write_line(
                    f"{name:12s} limit {found['limit_bytes'] / 1e6:8.3f} MB chosen {found['chosen']:4d} "
                    f"peak {found['peak_bytes'] / 1e6:8.3f} MB largest {found['largest']:4d} share {found['share']:.3f}"
                )
                content = {
                    "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
                    "machine": describe_machine() | {"shared": options.shared},
                    "batch": BATCH,
                    "summary": {
                        "cases": len(cases),
                        "fit": sum(item["fits"] for item in cases),
                        "least_share": min(item["share"] for item in cases),
                        "median_share": statistics.median(item["share"] for item in cases),
                    },
                    "cases": cases,
                }
                options.output.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
