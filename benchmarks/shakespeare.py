"""How long until a character model of Shakespeare reaches a validation loss of 1.88: our CPU recipe against nanoGPT's.

The peer trains its 2000 steps; its time counts only the steps. Ours is `recipes/shakespeare_cpu.yaml` as it comes, its time
counts the whole training with validation and checkpoints. Both are judged on the last tenth of the text, window by window
of 64 characters: ours on the two halves that decide and judge. Ratios named `cpu` are of processor time; ours counts the whole
stage with its start, the peer's only its steps. Sides run in turn, each in a process of its own.

Usage: python benchmarks/shakespeare.py --text FOLDER/input.txt [--seeds 3]
"""

import argparse
import importlib.metadata
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from side_by_side import HERE, run_side, show, spread, write_line, write_result

BAR = 1.88
RECIPE = HERE.parent / "recipes" / "shakespeare_cpu.yaml"
ENVIRONMENT = {"OMP_WAIT_POLICY": "passive"}


def run_ours(text: Path, seed: int) -> dict:
    """Run our recipe up to the evaluation; return the loss on both halves of the last tenth, and the seconds."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable, "-m", "modelwright", "evaluate", str(RECIPE), f"data.path={text.resolve()}", f"seed={seed}",
            "evaluate.floor=none", "evaluate.samples.count=0", "--json", "--runs", folder,
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    told = json.loads(done.stdout)
    if done.returncode:
        raise SystemExit(f"our side failed: {told}")
    claims = {item["name"]: item["value"] for item in told["evidence"] if "value" in item}
    return {
        "seconds": claims["training_seconds"],
        "cpu_seconds": claims["cpu_seconds[train]"],
        "loss": (claims["validation_loss"] + claims["loss"]) / 2,
        "validation_loss": claims["validation_loss"],
        "test_loss": claims["loss"],
        "parameters": claims["parameters"],
    }


def main() -> None:
    """Run both sides for every seed and write the ratio."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--note", default="")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "shakespeare.json")
    options = parser.parse_args()
    runs = []
    for seed in range(1, options.seeds + 1):
        peer = run_side(
            sys.executable,
            "peers/nano_gpt.py",
            ["--text", str(options.text), "--seed", str(seed), "--threads", "2", "--judge"],
            ENVIRONMENT,
        )
        ours = run_ours(options.text, seed)
        runs.append({"seed": seed, "peer": peer, "ours": ours})
        last = peer["losses"][-1]
        write_line(
            f"seed {seed}: peer {last['loss']:.4f} in {peer['seconds']:.1f} s, ours {ours['loss']:.4f} in {ours['seconds']:.1f} s"
        )
    report = {
        "peer: loss after 2000 steps": spread([run["peer"]["losses"][-1]["loss"] for run in runs]),
        "ours: loss": spread([run["ours"]["loss"] for run in runs]),
        "peer: seconds": spread([run["peer"]["seconds"] for run in runs]),
        "ours: seconds": spread([run["ours"]["seconds"] for run in runs]),
        "times faster": spread([run["peer"]["seconds"] / run["ours"]["seconds"] for run in runs]),
        "times faster, cpu": spread([run["peer"]["cpu_seconds"] / run["ours"]["cpu_seconds"] for run in runs]),
    }
    show("Shakespeare on a CPU", report)
    versions = {"torch": importlib.metadata.version("torch")}
    content = {"versions": versions, "bar": BAR, "report": report, "runs": runs}
    write_result(options.out, {**content, "note": options.note})


if __name__ == "__main__":
    main()
