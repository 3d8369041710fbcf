"""What compression does to the network of `recipes/mnist.yaml`: points lost on the test part, bytes, and time for an answer.

The network is trained once. Two recipes go on from it: one exports it and quantises it statically to int8, the other removes
channels until half of the floating-point operations are left, and fine-tunes. Times are medians, the models answering in turn
in one process on one thread. Writes the table of each, with the machine and the versions, to `results/compress_mnist.json`.

Usage: OMP_NUM_THREADS=1 python benchmarks/compress_mnist.py --data FOLDER --runs FOLDER
"""

import argparse
import importlib.metadata
import json
import os
from pathlib import Path

from side_by_side import HERE, write_line, write_result

WAYS = {
    "static_int8": "[{kind: export}, {kind: quantise, how: static, calibration: 512}]",
    "half_the_operations": "[{kind: prune, how: structured, amount: 0.32, fine_tune: 1 epochs, batch: 128, rate: 1e-3}]",
}


def tested(run: object) -> float:
    """Return the accuracy on the test part."""
    return next(item.value for item in run.evidence() if item.name == "accuracy")


def judge(way: str, run: object, before: float) -> dict[str, object]:
    """Return what a way of compression cost and gave; the table of the stage is kept whole."""
    from modelwright.core.files import read_json

    steps = read_json(run.artifact("compression").path / "compression.json")["steps"]
    last, facts = steps[-1], steps[-1]["facts"]
    after = tested(run)
    return {
        "way": WAYS[way],
        "test_accuracy": after,
        "points_lost": 100 * (before - after),
        "validation_accuracy_change": last["to_first"]["accuracy_change"],
        "agreement": last["to_first"]["agreement"],
        "size_ratio": last["to_first"]["size_ratio"],
        "time_ratio": {batch: latency["ratio_to_first"] for batch, latency in last["latency"].items()},
        "time_ratio_to_step_before": {batch: latency["ratio_to_before"] for batch, latency in last["latency"].items()},
        "cpu_ratio": steps[0]["cost"]["cpu_seconds"] / last["cost"]["cpu_seconds"],
        "operations_left": facts["operations"] / facts["operations_before"] if "operations" in facts else 1.0,
        "table": steps,
    }


def main() -> None:
    """Train once, compress in each way, judge every model on the test part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the four gzipped idx files")
    parser.add_argument("--runs", type=Path, required=True, help="where the runs are made")
    parser.add_argument("--rounds", type=int, default=300, help="how often each model answers when it is timed")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "compress_mnist.json")
    options = parser.parse_args()
    import modelwright

    recipe = HERE.parent / "recipes" / "mnist.yaml"
    common = [f"data.path={options.data.resolve()}", "train.threads=1", "train.workers=0", "evaluate.worst=0"]
    before = tested(modelwright.evaluate(recipe, *common, runs=options.runs))
    write_line(f"trained: {before:.4f} on the test part")
    ways = {}
    for way, steps in WAYS.items():
        more = [f"compress.steps={steps}", f"compress.rounds={options.rounds}"]
        ways[way] = judge(way, modelwright.evaluate(recipe, *common, *more, runs=options.runs), before)
        write_line(json.dumps({name: value for name, value in ways[way].items() if name != "table"}, indent=1))
    packages = ("torch", "onnx", "onnxruntime", "torch-pruning", "numpy")
    content = {
        "versions": {name: importlib.metadata.version(name) for name in packages},
        "protocol": {
            "threads": os.environ.get("OMP_NUM_THREADS", "unset"),
            "rounds": options.rounds,
            "machine_shared": "yes: other work ran on the same cores, so ratios count and no absolute time does",
        },
        "test_accuracy_before": before,
        "ways": ways,
    }
    write_result(options.output, content)


if __name__ == "__main__":
    main()
