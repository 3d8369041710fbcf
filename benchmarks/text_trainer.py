"""Examples/s of a small BERT on texts: modelwright's loop against the Hugging Face Trainer, same module and rows.

First each side tries its settings (threads, texts of about one length together or not) in float32 and keeps the fastest.
Then, for every seed, both train in turn in float32 and in bf16, each in a process of its own. Prints the ratios with their
spread and writes them, with the machine, the versions and the trials, to `results/text_trainer.json`.

Usage: python benchmarks/text_trainer.py --data FOLDER --peer-python /path/to/python
"""

import argparse
import tempfile
from pathlib import Path

from seed_text import number_rows
from side_by_side import HERE, choose, run_side, show, spread, write_line, write_result

ONE, TWO = ["--threads", "1"], ["--threads", "2"]
SIDES = {
    "trainer": ("peers/hf_trainer.py", [ONE, TWO, [*TWO, "--mixed-lengths"]]),
    "ours": ("ours_encoder.py", [ONE, TWO]),
}
# By the clock on the wall; and by processor time, which knows less of what else runs on the machine.
RATES = {"examples_per_second": "rate_ratio", "examples_per_cpu_second": "cpu_rate_ratio"}
PRECISIONS = ("float32", "bfloat16")


def first_rows(path: Path, examples: int) -> None:
    """Keep so many training rows, which stand in no order; both sides train on the same."""
    import numpy as np

    with np.load(path) as file:
        arrays = {name: array[:examples] if name.startswith("train_") else array for name, array in file.items()}
    np.savez(path, **arrays)


def compare(runs: list[dict]) -> dict[str, object]:
    """Reduce the runs of all seeds to one spread per quantity; a ratio above 1 is in our favour, seed by seed."""
    report: dict[str, object] = {}
    for precision in PRECISIONS:
        pairs = [(run[f"trainer_{precision}"], run[f"ours_{precision}"]) for run in runs]
        for quantity in (*RATES, "accuracy"):
            for at, side in enumerate(SIDES):
                report[f"{quantity}_{side}_{precision}"] = spread([pair[at][quantity] for pair in pairs])
        for quantity, ratio in RATES.items():
            report[f"{ratio}_{precision}"] = spread([ours[quantity] / peer[quantity] for peer, ours in pairs])
    return report


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder of train.csv and dev.csv: ag_news/sub5k")
    parser.add_argument("--peer-python", required=True, help="interpreter with transformers, accelerate and pydantic")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3, help="the first one is not counted")
    parser.add_argument("--examples", type=int, default=1600, help="training rows of each epoch")
    parser.add_argument("--wait-policy", choices=["passive", "active"], default="passive", help="of both sides")
    parser.add_argument(
        "--no-trials", action="store_true", help="the first settings of every side, where time is short"
    )
    parser.add_argument("--output", type=Path, default=HERE / "results" / "text_trainer.json")
    return parser.parse_args()


def main() -> None:
    """Choose settings, run both sides in turn, seed by seed; write the result after every seed."""
    options = read_options()
    environment = {"OMP_WAIT_POLICY": options.wait_policy, "TOKENIZERS_PARALLELISM": "false"}
    runs: list[dict] = []
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.npz"
        counts = number_rows(options.data.resolve(), rows)
        first_rows(rows, options.examples)
        common = ["--rows", str(rows)]
        trial = [*common, "--epochs", "2"]
        chosen: dict[str, tuple] = {side: (SIDES[side][1][0], []) for side in SIDES}
        if not options.no_trials:
            chosen = {side: choose(SIDES, side, options.peer_python, trial, environment) for side in SIDES}
        for seed in range(options.seeds):
            told = [*common, "--epochs", str(options.epochs), "--seed", str(seed)]
            run = {
                f"{side}_{precision}": run_side(
                    options.peer_python, script, [*told, "--precision", precision, *chosen[side][0]], environment
                )
                for precision in PRECISIONS
                for side, (script, _) in SIDES.items()
            }
            runs.append({"seed": seed} | run)
            for side, result in run.items():
                write_line(
                    f"seed {seed} {side:18s} {result['examples_per_second']:7.0f} examples/s, "
                    f"accuracy {result['accuracy']:.3f}, load {result['load_before']:.2f}"
                )
            settings = {side: " ".join(words) for side, (words, _) in chosen.items()}
            protocol = {"rows": counts | {"train": options.examples}, "epochs": options.epochs}
            protocol |= {"seeds_asked": options.seeds, "settings": settings, "wait_policy": options.wait_policy}
            trials = {side: found for side, (_, found) in chosen.items()}
            about = {"versions": run["trainer_float32"]["versions"], "protocol": protocol, "trials": trials}
            write_result(options.output, about | {"comparison": compare(runs), "runs": runs})
    show(f"{len(runs)} seeds", compare(runs))


if __name__ == "__main__":
    main()
