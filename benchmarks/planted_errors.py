"""Wrong labels and near copies planted into real data: how many the rules of `prepare.clean` find, and how many they make up.

Labels: 5 of 100 labels of the training part are turned into another class; the rule `label_errors` is asked for the worst
5 of 100 rows, and what it finds is compared with what was planted. Copies: 500 rows are changed a little and put back among
the others, which have no near copies of their own; the rule `duplicates` is asked, and what it finds is compared.
Writes `results/planted_errors.json`.

Usage: python benchmarks/planted_errors.py --mnist FOLDER --waimai FILE.csv --news FILE.csv --pictures FILE.zip
"""

import argparse
import csv
import gzip
import importlib.metadata
import io
import json
import resource
import struct
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from side_by_side import write_line, write_result

SHARE = 0.05
COPIES = 500
SEED = 9
TEXT_SIMILARITY, PICTURE_SIMILARITY = 0.7, 0.9
IMAGES, LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"


def flip(labels: np.ndarray, classes: int, generator: np.random.Generator) -> tuple[np.ndarray, set[int]]:
    """Turn a share of the labels into another class; return them and the rows that were turned."""
    chosen = generator.choice(len(labels), round(SHARE * len(labels)), replace=False)
    flipped = labels.copy()
    flipped[chosen] = (labels[chosen] + generator.integers(1, classes, len(chosen))) % classes
    return flipped, set(chosen.tolist())


def plant_digits(source: Path, folder: Path, generator: np.random.Generator) -> dict:
    """Write MNIST with wrong labels in its training part; return the recipe's sections and the planted origins."""
    raw = gzip.decompress((source / LABELS).read_bytes())
    flipped, rows = flip(np.frombuffer(raw, np.uint8, offset=8), 10, generator)
    (folder / LABELS).write_bytes(gzip.compress(struct.pack(">II", 2049, len(flipped)) + flipped.tobytes(), 1))
    for name in (IMAGES, *(path.name for path in source.glob("t10k-*"))):
        (folder / name).symlink_to((source / name).resolve())
    return {
        "planted": {f"{IMAGES}:{row}" for row in rows},
        "task": "image",
        "data": {"kind": "idx", "path": str(folder)},
        "model": {"kind": "cnn", "channels": [32, 64, 64], "dense": 64},
        "train": {
            "length": "2 epochs",
            "batch": 128,
            "optimiser": {"kind": "adam", "lr": 2e-3},
            "schedule": {"kind": "linear", "warm_up": "25 %"},
            "threads": 1,
        },
    }


def plant_reviews(source: Path, folder: Path, generator: np.random.Generator) -> dict:
    """Write the reviews with wrong labels; return the recipe's sections and the planted origins."""
    with source.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    labels, turned = flip(np.array([int(row["label"]) for row in rows]), 2, generator)
    path = folder / "reviews.jsonl"
    lines = [
        json.dumps({"text": row["review"], "label": str(label)}, ensure_ascii=False)
        for row, label in zip(rows, labels.tolist(), strict=True)
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {
        "planted": {f"{path.name}:{row + 1}" for row in turned},
        "task": {"kind": "text", "tokens": "characters"},
        "data": {"kind": "jsonl", "path": str(path)},
        "model": {"kind": "tfidf", "C": 3.0},
        "train": {"threads": 1},
    }


def judge_labels(name: str, sections: dict, folders: int, folder: Path) -> dict:
    """Run `prepare` with the rule; return how many of the worst rows were planted."""
    from modelwright.core.execute import run
    from modelwright.core.recipe import recipe_from

    planted = sections.pop("planted")
    rule = {"kind": "label_errors", "folds": folders, "share": SHARE, "then": "report"}
    data = {
        "version": 1,
        "name": name,
        "seed": 1,
        **sections,
        "prepare": {"split": {"test": 0.1, "validation": 0.02}, "clean": [rule]},
    }
    before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    dataset = run(recipe_from(data, folder), "prepare", folder=folder / "run").artifact("dataset").path
    seconds = resource.getrusage(resource.RUSAGE_SELF).ru_utime - before
    train = set((dataset / "train" / "origins.txt").read_text().splitlines())
    entries = [json.loads(line) for line in (dataset / "ledger.jsonl").read_text().splitlines()]
    found = {entry["row"] for entry in entries if "label_errors" in entry["rule"]}
    hits = len(found & planted)
    report = {
        "training_rows": len(train),
        "planted": len(train & planted),
        "found": len(found),
        "true": hits,
        "share_true": hits / len(found),
        "recall": hits / len(train & planted),
        "folds": folders,
        "model": sections["model"]["kind"],
        "cpu_seconds": round(seconds, 1),
    }
    write_line(f"{name}: {hits} of the first {len(found)} were planted ({report['share_true']:.1%})")
    return report


def change_text(text: str, generator: np.random.Generator) -> str:
    """Change a text as copies are changed: one word gone, one letter wrong, a note behind it."""
    words = text.split()
    if len(words) > 8:
        del words[int(generator.integers(len(words)))]
    letters = list(" ".join(words))
    letters[int(generator.integers(len(letters)))] = "x"
    return "".join(letters).upper() if generator.random() < 0.2 else "".join(letters) + " ..."


def change_picture(picture: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Change a picture as copies are changed: stored again as JPEG, brighter or darker, smaller and back again."""
    from PIL import Image

    kind = int(generator.integers(3))
    if kind == 0:
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, "JPEG", quality=60)
        return np.array(Image.open(buffer))
    if kind == 1:
        return np.clip(picture.astype(np.int64) * generator.uniform(0.85, 1.15), 0, 255).astype(np.uint8)
    side = picture.shape[0]
    smaller = Image.fromarray(picture).resize((side * 3 // 4, side * 3 // 4), Image.Resampling.BILINEAR)
    return np.array(smaller.resize((side, side), Image.Resampling.BILINEAR))


def judge_copies(name: str, originals: list, change, near, similarity: float) -> dict:
    """Plant copies among originals that have no near copies of their own; return recall and the share made up."""
    generator = np.random.default_rng(SEED)
    own = {later for _, later, _ in near(originals)}
    kept = [item for index, item in enumerate(originals) if index not in own]
    chosen = generator.choice(len(kept), COPIES, replace=False).tolist()
    planted = {(row, len(kept) + number) for number, row in enumerate(chosen)}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    pairs = {(i, j) for i, j, _ in near([*kept, *(change(kept[row], generator) for row in chosen)])}
    seconds = resource.getrusage(resource.RUSAGE_SELF).ru_utime - before
    strangers = {later for first, later in pairs - planted}
    report = {
        "rows": len(kept),
        "rows_left_out_as_near_copies_of_others": len(own),
        "planted": COPIES,
        "similarity": similarity,
        "recall": len(pairs & planted) / COPIES,
        "made_up": len(strangers) / (len(kept) + COPIES),
        "cpu_seconds": round(seconds, 1),
    }
    write_line(f"{name}: recall {report['recall']:.1%}, made up {report['made_up']:.2%} of {len(kept) + COPIES} rows")
    return report


def read_news(path: Path) -> list[str]:
    """Return the texts of a file of news without a header: text, label."""
    with path.open(encoding="utf-8", newline="") as stream:
        return [row[0] for row in csv.reader(stream)]


def read_pictures(path: Path, most: int) -> list[np.ndarray]:
    """Return the first pictures of a zip, evenly over its members."""
    from PIL import Image

    with zipfile.ZipFile(path) as archive:
        names = sorted(archive.namelist())
        chosen = names[:: max(1, len(names) // most)][:most]
        return [np.array(Image.open(io.BytesIO(archive.read(name))).convert("RGB")) for name in chosen]


def main() -> None:
    """Plant, look, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mnist", type=Path, help="a folder with the four idx.gz files")
    parser.add_argument("--waimai", type=Path, help="a table with the columns label (0, 1) and review")
    parser.add_argument("--news", type=Path, help="a table without a header: text, label")
    parser.add_argument("--pictures", type=Path, help="a zip of pictures of one size")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "planted_errors.json")
    options = parser.parse_args()
    from modelwright.methods.cleaning.near import near_images, near_texts

    report: dict[str, dict] = {}
    with tempfile.TemporaryDirectory() as work:
        for name, source, plant, folds in (
            ("waimai", options.waimai, plant_reviews, 10),
            ("mnist", options.mnist, plant_digits, 3),
        ):
            if source:
                folder = Path(work) / name
                folder.mkdir()
                sections = plant(source, folder, np.random.default_rng(SEED))
                report[f"labels of {name}"] = judge_labels(name, sections, folds, folder)
    if options.news:
        near = lambda texts: near_texts(texts, TEXT_SIMILARITY, SEED)  # noqa: E731
        texts = read_news(options.news)
        report["copies of texts"] = judge_copies("texts", texts, change_text, near, TEXT_SIMILARITY)
    if options.pictures:
        near = lambda pictures: near_images(pictures, PICTURE_SIMILARITY)  # noqa: E731
        pictures = read_pictures(options.pictures, 4000)
        report["copies of pictures"] = judge_copies("pictures", pictures, change_picture, near, PICTURE_SIMILARITY)
    packages = ("torch", "numpy", "scikit-learn", "cleanlab", "rensa")
    versions = {name: importlib.metadata.version(name) for name in packages}
    write_result(options.output, {"versions": versions, "share": SHARE, "report": report})


if __name__ == "__main__":
    main()
