"""How fast a text model learns when it asks for its labels: the undecided, the unlike and random rows, over five seeds.

Everything through `modelwright`'s own door: a model is trained on what is labelled so far, `choose_rows` asks for the next rows
of the pool, their labels are added, and again. The official test part judges. With `--weights` texts become the mean last
states of that encoder, the model is logistic regression over them, and the scores are asked directly. Writes
`results/active_learning.json`, or `results/active_learning_encoder.json`.

Usage: python benchmarks/active_learning.py --train TREC.train.all --test TREC.test.all [--weights FOLDER]
"""

import argparse
import importlib.metadata
import json
import tempfile
import time
from pathlib import Path

import numpy as np
from side_by_side import spread, write_line, write_result

WAYS = ("random", "uncertainty", "mixed", "diversity")


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


def encoded(rows: list[tuple[str, str]], folder: Path) -> list[tuple[np.ndarray, str]]:
    """Return the mean of the last states of an encoder for each text, at length one."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokeniser, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    found = []
    with torch.inference_mode():
        for start in range(0, len(rows), 64):
            texts = [text for text, _ in rows[start : start + 64]]
            batch = tokeniser(texts, padding=True, truncation=True, max_length=64, return_tensors="pt")
            mask = batch["attention_mask"][..., None]
            states = (model(**batch).last_hidden_state * mask).sum(1) / mask.sum(1)
            found.append(torch.nn.functional.normalize(states).numpy())
    return list(zip(np.concatenate(found), (label for _, label in rows), strict=True))


def learn(way: str, seed: int, rows: list[tuple[str, str]], test: list[tuple[str, str]], options, work: Path) -> list:
    """Return (labels, accuracy) after each round."""
    from modelwright.core.execute import run
    from modelwright.core.recipe import recipe_from
    from modelwright.stages.prepare.labelling import choose_rows

    order = np.random.default_rng(seed).permutation(len(rows)).tolist()
    known, pool = [rows[row] for row in order[: options.first]], [rows[row] for row in order[options.first :]]
    files = {"train": str(work / "train.jsonl"), "test": str(write(work / "test.jsonl", test, True))}
    sections = {
        "task": "text",
        "data": {"kind": "jsonl", "path": files},
        "model": {"kind": "tfidf", "least": 1},
    }
    curve = []
    for number in range(options.rounds + 1):
        write(work / "train.jsonl", known, True)
        data = {
            "version": 1,
            "name": "asking",
            "seed": seed,
            **sections,
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


def learn_encoded(way: str, seed: int, rows: list, test: list, options) -> list:
    """Return (labels, accuracy) after each round, of logistic regression over what an encoder makes of the texts."""
    from sklearn.linear_model import LogisticRegression

    from modelwright.methods.selection.scores import apart, bald, entropy, furthest, margin

    vectors, judged = (np.stack([vector for vector, _ in part]) for part in (rows, test))
    labels, truth = (np.array([label for _, label in part]) for part in (rows, test))
    names = np.unique(labels)
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(rows))
    known, pool = order[: options.first], order[options.first :]

    def answers(chosen: np.ndarray, asked: np.ndarray) -> np.ndarray:
        model = LogisticRegression(C=30.0, max_iter=300).fit(vectors[chosen], labels[chosen])
        found = np.zeros((len(asked), len(names)))
        found[:, np.searchsorted(names, model.classes_)] = model.predict_proba(asked)
        return found

    curve = []
    for number in range(options.rounds + 1):
        curve.append((len(known), float((names[answers(known, judged).argmax(1)] == truth).mean())))
        if number == options.rounds:
            break
        here = vectors[pool].astype(np.float64)
        if way == "random":
            chosen = generator.choice(len(pool), options.step, replace=False)
        elif way == "diversity":
            chosen = np.array(furthest(here, vectors[known].astype(np.float64), options.step))
        elif way == "mixed":
            chosen = np.array(apart(here, margin(answers(known, here)), options.step, seed))
        elif way == "bald":
            # A committee of models, each of rows drawn again.
            drawn = [generator.choice(known, len(known)) for _ in range(8)]
            scores = bald(np.stack([answers(rows_of_one, here) for rows_of_one in drawn]))
            chosen = np.argsort(-scores, kind="stable")[: options.step]
        else:
            chosen = np.argsort(-entropy(answers(known, here)), kind="stable")[: options.step]
        known, pool = np.concatenate([known, pool[chosen]]), np.delete(pool, chosen)
    return curve


def main() -> None:
    """Draw every curve for every seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", type=Path, required=False, help="lines of label, blank, text")
    parser.add_argument("--test", type=Path, required=False, help="the same, to judge on")
    parser.add_argument("--weights", type=Path, help="a folder of Hugging Face's with an encoder and its tokeniser")
    parser.add_argument("--first", type=int, default=100)
    parser.add_argument("--step", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    rows, test = read(options.train), read(options.test)
    name = "active_learning_encoder" if options.weights else "active_learning"
    output = options.output or Path(__file__).parent / "results" / f"{name}.json"
    if options.weights:
        rows, test = encoded(rows, options.weights), encoded(test, options.weights)
    began = time.process_time()
    ways = (*WAYS, "bald") if options.weights else WAYS
    curves: dict[str, list] = {way: [] for way in ways}
    for seed in range(1, options.seeds + 1):
        for way in ways:
            if options.weights:
                curves[way].append(learn_encoded(way, seed, rows, test, options))
                continue
            with tempfile.TemporaryDirectory() as work:
                curves[way].append(learn(way, seed, rows, test, options, Path(work)))
            write_line(f"seed {seed} {way}: " + ", ".join(f"{n} {accuracy:.3f}" for n, accuracy in curves[way][-1]))
    report = {
        way: {str(point[0][0]): spread([accuracy for _, accuracy in point]) for point in zip(*found, strict=True)}
        for way, found in curves.items()
    }
    versions = {name: importlib.metadata.version(name) for name in ("numpy", "scikit-learn")}
    write_result(
        output,
        {
            "versions": versions,
            "model": "logistic over an encoder" if options.weights else "tfidf",
            "cpu_seconds": round(time.process_time() - began),
            "report": report,
            "curves": curves,
        },
    )


if __name__ == "__main__":
    main()
