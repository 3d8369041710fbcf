"""Planned time of a step against the steps that happened, on the present machine: plan, train, plan, train, in turns.

Each case is one recipe. Planned: `planned_seconds[step]` of the stage `plan`, without any past run to learn from. Happened: the
median time between the ends of two steps of the same training by our own loop, in a process of its own, the first steps left
out; so waiting for batches, rules, observers and the optimiser are in it. The number of a case is the median over rounds of
planned / happened, each plan beside the training that follows it.

Usage: python benchmarks/plan_times.py [--rounds N] [--only NAME ...] [--shared] [--minutes M]
"""

import argparse
import datetime
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from side_by_side import describe_machine, write_line

HERE = Path(__file__).resolve().parent
RESULT = HERE / "results" / "plan_times.json"
WARM_UP = 10
WORDS = ["one", "two", "three", "four", "five", "six", "river", "stone", "light", "cloud", "paper", "glass", "table"]


def case(model: dict, task: object, steps: int, **train: object) -> dict:
    """Return the recipe of a case, on one thread and with batches made by the loop where it does not say otherwise."""
    said = {"length": f"{steps} steps", "threads": 1, "workers": 0, "validate_every": f"{steps} steps", "keep": "last"}
    return {
        "version": 1,
        "name": "case",
        "task": task,
        "data": DATA[task if isinstance(task, str) else task["kind"]],
        "model": model,
        "prepare": {"split": {"test": 0.1, "validation": 0.1}},
        "train": {**said, "optimiser": {"kind": "adam", "lr": 1e-3}, **train},
    }


DATA = {
    "image": {"kind": "sample", "name": "digits"},
    "text": {"kind": "jsonl", "path": "texts.jsonl"},
    "language": {"kind": "text", "path": "text.txt"},
    "tabular": {"kind": "sample", "name": "digits"},
}
CNN = {"kind": "cnn", "padding": "same", "channels": [32, 64, 64], "dense": 64}
WIDE = {"kind": "cnn", "padding": "same", "channels": [64, 128], "dense": 256}
TEXT = {"kind": "text", "tokens": "words", "length": 64}
LANGUAGE = {"kind": "language", "tokens": "characters", "length": 128, "stride": 128}
TRANSFORMER = {"kind": "transformer", "width": 128, "layers": 2}
DECODER = {"kind": "decoder", "layers": 4, "width": 128, "heads": 4}
SHORT = {"precision": "bfloat16"}
CASES = {
    "cnn batch 64": case(CNN, "image", 120, batch=64),
    "cnn batch 256": case(WIDE, "image", 40, batch=256),
    "cnn batch 256 bf16": case(WIDE, "image", 40, batch=256, **SHORT),
    "residual batch 64": case({"kind": "residual", "widths": [16, 32], "blocks": 1}, "image", 60, batch=64),
    "lstm batch 32": case({"kind": "lstm", "hidden": 96}, TEXT, 60, batch=32),
    "lstm batch 32 bf16": case({"kind": "lstm", "hidden": 96}, TEXT, 60, batch=32, **SHORT),
    "gru batch 64": case({"kind": "gru", "hidden": 64}, TEXT, 60, batch=64),
    "transformer batch 16": case(TRANSFORMER, TEXT, 60, batch=16),
    "transformer batch 64": case({**TRANSFORMER, "width": 192}, TEXT, 25, batch=64),
    "transformer batch 64 bf16": case({**TRANSFORMER, "width": 192}, TEXT, 25, batch=64, **SHORT),
    "decoder batch 8": case(DECODER, LANGUAGE, 60, batch=8),
    "decoder batch 16 bf16": case({**DECODER, "width": 256}, LANGUAGE, 30, batch=16, **SHORT),
    "mlp batch 32": case({"kind": "mlp", "hidden": [128]}, "image", 200, batch=32),
    "mlp batch 256": case({"kind": "mlp", "hidden": [1024, 1024]}, "image", 60, batch=256),
    "cnn batch 256, 2 threads": case(WIDE, "image", 40, batch=256, threads=2),
}


def write_data(folder: Path) -> None:
    """Write the texts that the cases learn from."""
    draw = random.Random(0)
    with (folder / "texts.jsonl").open("w") as stream:
        for _ in range(1500):
            words = [draw.choice(WORDS) + str(draw.randrange(40)) for _ in range(draw.randint(3, 60))]
            stream.write(json.dumps({"text": " ".join(words), "label": draw.choice("abc")}) + "\n")
    (folder / "text.txt").write_text("\n\n".join(" ".join(draw.choice(WORDS) for _ in range(600)) for _ in range(100)))


def plan(recipe: dict, dataset: Path, folder: Path) -> dict:
    """Plan one case as the stage does, without past runs."""
    from modelwright.core.recipe import recipe_from
    from modelwright.methods.planning.ledger import UNKNOWN
    from modelwright.stages.plan.machine import machine_of
    from modelwright.stages.plan.prices import Range, price
    from modelwright.stages.plan.settings import Plan
    from modelwright.stages.plan.tracing import Worker
    from modelwright.stages.plan.worker import Job

    built = recipe_from(recipe, folder)
    threads = recipe["train"]["threads"]
    began, used = time.monotonic(), os.times()
    with Worker(Job(built.resolved(), str(folder), str(dataset), threads), folder / "worker") as worker:
        found = worker.trace({}, timed=True)
    if "failed" in found or "refused" in found:
        raise SystemExit(str(found))
    now = os.times()
    priced = price(found, {}, built, Plan(), machine_of("here", threads), Range(*UNKNOWN))
    return {
        "step_seconds": priced.step_seconds.value,
        "wall": time.monotonic() - began,
        "cpu": now.children_user + now.children_system - used.children_user - used.children_system,
        "found": found,
    }


def happened(recipe: dict, dataset: Path, folder: Path) -> dict:
    """Train one case in a process of its own and return its step times."""
    (folder / "recipe.json").write_text(json.dumps(recipe))
    with tempfile.TemporaryDirectory() as work:
        command = [sys.executable, __file__, "--train", str(folder / "recipe.json"), str(dataset), work]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    return json.loads(done.stdout.splitlines()[-1])


def train_here(recipe_path: Path, dataset: Path, work: Path) -> None:
    """Run the stage `train` with an observer more, which looks at the clock after each step."""
    sys.path.insert(0, str(HERE.parent / "tests" / "stages" / "plan"))
    from measured import context_of

    from modelwright.core import registry
    from modelwright.engine import loop
    from modelwright.stages.train import by_steps

    wall: list[float] = []
    own: list[float] = []

    def look(moment: object) -> bool:
        wall.append(time.perf_counter())
        own.append(time.process_time())
        return False

    def timed(*, observers: list, **named: object) -> object:
        return loop.train(observers=[*observers, look], **named)

    by_steps.train = timed
    registry.load(registry.stage("train").function)(context_of(dataset, recipe_path, work))
    steps = [later - earlier for earlier, later in zip(wall[WARM_UP:], wall[WARM_UP + 1 :], strict=False)]
    used = [later - earlier for earlier, later in zip(own[WARM_UP:], own[WARM_UP + 1 :], strict=False)]
    print(json.dumps({"step_seconds": statistics.median(steps), "cpu": statistics.median(used), "steps": len(steps)}))


def _errors(rounds: dict[str, list[dict]], measured: str) -> dict:
    ratios = {
        name: statistics.median(item["planned_seconds"] / item[measured] for item in found)
        for name, found in rounds.items()
        if found
    }
    return {
        "median_error": statistics.median(abs(ratio - 1) for ratio in ratios.values()),
        "worst_error": max((ratio - 1 for ratio in ratios.values()), key=abs),
        "ratios": ratios,
    }


def summarise(rounds: dict[str, list[dict]]) -> dict:
    """Return the error of each case, their median and the worst of them."""
    return {
        "cases": sum(bool(found) for found in rounds.values()),
        "by_the_clock": _errors(rounds, "seconds"),
        # What other work on the machine does not change much: of one thread, planned times are those of the thread, too.
        "by_processor_time": _errors(
            {name: found for name, found in rounds.items() if "threads" not in name}, "cpu_seconds"
        ),
        "planning_seconds": statistics.median(item["plan_wall"] for found in rounds.values() for item in found),
        "planning_cpu_seconds": statistics.median(item["plan_cpu"] for found in rounds.values() for item in found),
    }


def main() -> None:
    """Take the cases in turn, round after round; what was measured so far is always on disk."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=list(CASES))
    parser.add_argument("--minutes", type=float, default=1e9, help="begin no round after so long")
    parser.add_argument(
        "--shared", action="store_true", help="say in the result that others used the machine meanwhile"
    )
    parser.add_argument("--output", type=Path, default=RESULT)
    parser.add_argument("--keep", type=Path, help="write all that was found of each operation into this folder")
    parser.add_argument("--train", nargs=3, type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.train:
        train_here(*options.train)
        return
    from modelwright.core.execute import run
    from modelwright.core.recipe import recipe_from

    began = time.monotonic()
    rounds: dict[str, list[dict]] = {name: [] for name in options.only}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_data(folder)
        for number in range(options.rounds):
            for name in options.only:
                if time.monotonic() - began > 60 * options.minutes:
                    break
                recipe = CASES[name]
                place_of_run = folder / name.replace(" ", "-").replace(",", "")
                made = run(recipe_from(recipe, folder), "prepare", folder=place_of_run)
                dataset = made.artifact("dataset").path
                planned, real = plan(recipe, dataset, folder), happened(recipe, dataset, folder)
                item = {
                    "planned_seconds": planned["step_seconds"],
                    "seconds": real["step_seconds"],
                    "cpu_seconds": real["cpu"],
                    "steps": real["steps"],
                    "plan_wall": planned["wall"],
                    "plan_cpu": planned["cpu"],
                    "load": os.getloadavg()[0],
                }
                rounds[name].append(item)
                if options.keep:
                    options.keep.mkdir(parents=True, exist_ok=True)
                    (options.keep / f"{place_of_run.name}-{number}.json").write_text(
                        json.dumps(planned["found"] | item)
                    )
                write_line(
                    f"{name:28s} {1e3 * item['planned_seconds']:8.2f} ms planned {1e3 * item['seconds']:8.2f} ms "
                    f"({1e3 * item['cpu_seconds']:8.2f} of the processor) {item['planned_seconds'] / item['seconds'] - 1:+.1%} "
                    f"{item['planned_seconds'] / item['cpu_seconds'] - 1:+.1%} plan {item['plan_wall']:.1f} s {item['plan_cpu']:.1f}"
                )
            content = {
                "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
                "machine": describe_machine() | {"shared": options.shared},
                "summary": summarise(rounds),
                "rounds": rounds,
            }
            options.output.parent.mkdir(parents=True, exist_ok=True)
            options.output.write_text(json.dumps(content, indent=1) + "\n")
    write_line(json.dumps(content["summary"], indent=1))


if __name__ == "__main__":
    main()
