"""How fast a text model learns when it asks for its labels: the undecided, the unlike and random rows, over five seeds.

Everything through `modelwright`'s own door: a model is trained on what is labelled so far, `choose_rows` asks for the next rows
of the pool, their labels are added, and again. The official test part judges. Writes `results/active_learning.json`.

Usage: python benchmarks/active_learning.py --train TREC.train.all --test TREC.test.all
"""

import argparse
import importlib.metadata
import json
import tempfile
import time
from pathlib import Path

import numpy as np
from side_by_side import spread, write_line, write_result

WAYS = ("random", "uncertainty", "diversity")


def read(path: Path) -> list[tuple[str, str]]:
    """Return text and label of each line: label, blank, text."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    pairs = {line.split(" ", 1)[1].strip(): line.split(" ", 1)[0] for line in lines if " " in line}
    return list(pairs.items())


def write(path: Path, rows: list[tuple[str, str]], labelled: bool) -> Path:
    """Write rows as JSON lines; a pool has no labels."""
    lines = [json.dumps({"text": text, **({"label": label} if labelled else {})}) for text, label in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def learn(way: str, seed: int, rows: list[tuple[str, str]], test: list[tuple[str, str]], options, work: Path) -> list:
    """Return (labels, accuracy) after each round."""
    from modelwright.core.execute import run
    from modelwright.core.recipe import recipe_from
    from modelwright.stages.prepare.labelling import choose_rows

    order = np.random.default_rng(seed).permutation(len(rows)).tolist()
    known, pool = [rows[row] for row in order[: options.first]], [rows[row] for row in order[options.first :]]
    files = {"train": str(work / "train.jsonl"), "test": str(write(work / "test.jsonl", test, True))}
    curve = []
    for number in range(options.rounds + 1):
        write(work / "train.jsonl", known, True)
        data = {
            "version": 1,
            "name": "asking",
            "seed": seed,
            "task": "text",
            "data": {"kind": "jsonl", "path": files},
            "model": {"kind": "tfidf", "least": 1},
            "prepare": {"split": {"validation": 0.1}, "overlap": "keep"},
            "train": {"threads": 1},
            "evaluate": {"resamples": 100, "floor": "none"},
        }
        made = run(recipe_from(data, work), "evaluate", folder=work / f"{way}-{seed}-{number}")
        accuracy = next(claim.value for claim in made.evidence() if claim.name == "accuracy")
        curve.append((len(known), accuracy))
        if number == options.rounds:
            break
        write(work / "pool.jsonl", pool, False)
        asked = choose_rows(made.folder, str(work / "pool.jsonl"), options.step, way)
        chosen = {int(row["row"].rsplit(":", 1)[1]) - 1 for row in asked}
        known += [pool[row] for row in sorted(chosen)]
        pool = [pair for row, pair in enumerate(pool) if row not in chosen]
    return curve


def main() -> None:
    """Draw every curve for every seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", type=Path, required=False, help="lines of label, blank, text")
    parser.add_argument("--test", type=Path, required=False, help="the same, to judge on")
    parser.add_argument("--first", type=int, default=100)
    parser.add_argument("--step", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "active_learning.json")
    options = parser.parse_args()
    rows, test = read(options.train), read(options.test)
    began = time.process_time()
    curves: dict[str, list] = {way: [] for way in WAYS}
    for seed in range(1, options.seeds + 1):
        for way in WAYS:
            with tempfile.TemporaryDirectory() as work:
                curves[way].append(learn(way, seed, rows, test, options, Path(work)))
            write_line(f"seed {seed} {way}: " + ", ".join(f"{n} {accuracy:.3f}" for n, accuracy in curves[way][-1]))
    report = {
        way: {str(point[0][0]): spread([accuracy for _, accuracy in point]) for point in zip(*found, strict=True)}
        for way, found in curves.items()
    }
    versions = {name: importlib.metadata.version(name) for name in ("numpy", "scikit-learn")}
    write_result(
        options.output,
        {
            "versions": versions,
            "model": "tfidf",
            "cpu_seconds": round(time.process_time() - began),
            "report": report,
            "curves": curves,
        },
    )


if __name__ == "__main__":
    main()
