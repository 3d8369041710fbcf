"""Tokens a second in training on a CPU: 6 layers of width 384 at length 256, ours against plain PyTorch and the Trainer.

Peers: `peers/nano_gpt.py`, a GPT in plain PyTorch (4x feed-forward with GELU, about as many weights as ours with SwiGLU), and
`peers/hf_language.py`, a Llama of our own shape under the Hugging Face Trainer as it comes; both in float32 and bfloat16. Ours is
the recipe `shakespeare.yaml` with its windows side by side, from `modelwright train`: its time counts the whole sitting, with one
validation of 0.1 % of the text and the checkpoints. Each run is a process of its own; sides take turns.

Usage: python benchmarks/tokens_per_second.py --text FOLDER/input.txt [--steps 10] [--rounds 2] [--threads 1]
"""

import argparse
import importlib.metadata
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from side_by_side import HERE, run_side, show, spread, write_line, write_result

BATCH, LENGTH = 12, 256
RECIPE = HERE.parent / "recipes" / "shakespeare.yaml"
ENVIRONMENT = {"OMP_WAIT_POLICY": "passive"}
SIDES = ("plain float32", "plain bfloat16", "Trainer float32", "Trainer bfloat16", "ours float32", "ours bfloat16")


def run_ours(precision: str, options: argparse.Namespace) -> float:
    """Train with our recipe; return tokens a second over the whole sitting."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable, "-m", "modelwright", "train", str(RECIPE), f"data.path={options.text.resolve()}",
            f"task.stride={LENGTH}", "prepare.split.validation=0.001", f"train.batch={BATCH}", "model.dropout=0.0",
            f"train.length={options.steps} steps", f"train.validate_every={options.steps} steps", "train.guard.then=stop",
            f"train.save.every={options.steps} steps", f"train.precision={precision}", f"train.threads={options.threads}",
            "train.workers=0", "--json", "--runs", folder,
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    told = json.loads(done.stdout)
    if done.returncode:
        raise SystemExit(f"our side failed: {told}")
    seconds = next(item["value"] for item in told["evidence"] if item["name"] == "training_seconds")
    return options.steps * BATCH * LENGTH / seconds


def rate_of(side: str, options: argparse.Namespace) -> float:
    """Run one side once; return tokens a second."""
    name, precision = side.split()
    if name == "ours":
        return run_ours(precision, options)
    common = ["--text", str(options.text), "--steps", str(options.steps), "--batch", str(BATCH)]
    common += ["--threads", str(options.threads), *(["--bfloat16"] if precision == "bfloat16" else [])]
    if name == "Trainer":
        return run_side(sys.executable, "peers/hf_language.py", common, ENVIRONMENT)["tokens_per_second"]
    shape = ["--layers", "6", "--width", "384", "--heads", "6", "--length", str(LENGTH)]
    return run_side(sys.executable, "peers/nano_gpt.py", [*common, *shape], ENVIRONMENT)["tokens_per_second"]


def main() -> None:
    """Run all sides in turn and write the ratios."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--note", default="")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "tokens_per_second.json")
    options = parser.parse_args()
    rates: dict[str, list[float]] = {side: [] for side in SIDES}
    for _ in range(options.rounds):
        for side in SIDES:
            rates[side].append(rate_of(side, options))
            write_line(f"{side:18s} {rates[side][-1]:8.0f} tokens/s")
    report = {f"{side} tokens/s": spread(found) for side, found in rates.items()}
    for precision in ("float32", "bfloat16"):
        best = [max(pair) for pair in zip(rates[f"plain {precision}"], rates[f"Trainer {precision}"], strict=True)]
        report[f"{precision}: ours / best peer"] = spread(
            [one / other for one, other in zip(rates[f"ours {precision}"], best, strict=True)]
        )
    report["ours bfloat16 / Trainer as it comes"] = spread(
        [one / other for one, other in zip(rates["ours bfloat16"], rates["Trainer float32"], strict=True)]
    )
    show("Tokens a second in training", report)
    versions = {name: importlib.metadata.version(name) for name in ("torch", "transformers")}
    settings = {"threads": options.threads, "steps": options.steps, "batch": BATCH, "length": LENGTH}
    content = {"versions": versions, "settings": settings, "report": report, "rates": rates, "note": options.note}
    write_result(options.out, content)


if __name__ == "__main__":
    main()
