"""Few rows: a new last layer over frozen weights from outside against training from scratch, at 10, 100 and 1000 training rows.

Texts: MiniLM's mean last states and logistic regression, against TF-IDF with logistic regression, on TREC. Pictures: EfficientNet-Lite0's
features at 128 pixels and logistic regression, against a small residual network trained for 300 steps, on CIFAR-10. The same drawn rows for
both, of every class at least one; three seeds; the whole test part judges. Writes `results/few_rows.json`.

Usage: python benchmarks/few_rows.py [--train TREC.train.all --test TREC.test.all --weights FOLDER] [--pictures FOLDER]
"""

import argparse
import importlib.metadata
import time
from pathlib import Path

import numpy as np
from active_learning import encoded, read
from side_by_side import spread, write_line, write_result

COUNTS = (10, 100, 1000)
SIDE = 128
STEPS, BATCH = 300, 32


def draw(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return rows drawn at random, after one of each class."""
    order = np.random.default_rng(seed).permutation(len(labels))
    first = [int(next(row for row in order if labels[row] == label)) for label in np.unique(labels)]
    return np.array([*first, *(row for row in order if row not in set(first))][:count])


def linear(rows: np.ndarray, labels: np.ndarray, judged: np.ndarray, strength: float) -> np.ndarray:
    """Return the answers of logistic regression."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=strength, max_iter=1000).fit(rows, labels).predict(judged)


def texts(options: argparse.Namespace) -> dict[str, dict]:
    """Return the accuracy of both ways for each number of rows."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    train, test = read(options.train), read(options.test)
    labels, truth = (np.array([label for _, label in part]) for part in (train, test))
    known, judged = (np.stack([vector for vector, _ in encoded(part, options.weights)]) for part in (train, test))
    found: dict = {"transfer": {}, "scratch": {}}
    for count in COUNTS:
        chosen = [draw(labels, count, seed) for seed in range(1, options.seeds + 1)]
        scores: dict[str, list[float]] = {"transfer": [], "scratch": []}
        for rows in chosen:
            scores["transfer"].append(float((linear(known[rows], labels[rows], judged, 30.0) == truth).mean()))
            counted = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
            here = counted.fit_transform([train[row][0] for row in rows])
            there = counted.transform([text for text, _ in test])
            scores["scratch"].append(float((linear(here, labels[rows], there, 30.0) == truth).mean()))
        for side, values in scores.items():
            found[side][str(count)] = spread(values)
        write_line(f"texts, {count} rows: " + ", ".join(f"{side} {np.mean(v):.3f}" for side, v in scores.items()))
    return found


def pictures(options: argparse.Namespace) -> dict[str, dict]:
    """Return the accuracy of both ways for each number of rows."""
    from PIL import Image

    parts = {}
    for part in ("train", "test"):
        files = sorted((options.pictures / part).glob("*/*"))
        images = np.stack([np.array(Image.open(file).convert("RGB")) for file in files])
        parts[part] = (images, np.array([file.parent.name for file in files]))
    (images, labels), (judged, truth) = parts["train"], parts["test"]
    needed = np.unique(np.concatenate([draw(labels, max(COUNTS), seed) for seed in range(1, options.seeds + 1)]))
    features = np.zeros((len(images), 0))
    of_needed, of_judged = seen(images[needed]), seen(judged)
    features = np.zeros((len(images), of_needed.shape[1]))
    features[needed] = of_needed
    found: dict = {"transfer": {}, "scratch": {}}
    for count in COUNTS:
        scores: dict[str, list[float]] = {"transfer": [], "scratch": []}
        for seed in range(1, options.seeds + 1):
            rows = draw(labels, count, seed)
            scores["transfer"].append(float((linear(features[rows], labels[rows], of_judged, 0.01) == truth).mean()))
            scores["scratch"].append(float((from_scratch(images[rows], labels[rows], judged, seed) == truth).mean()))
        for side, values in scores.items():
            found[side][str(count)] = spread(values)
        write_line(f"pictures, {count} rows: " + ", ".join(f"{side} {np.mean(v):.3f}" for side, v in scores.items()))
    return found


def seen(images: np.ndarray) -> np.ndarray:
    """Return what the frozen backbone makes of pictures.

    Shapes: images (n, h, w, 3) uint8 -> (n, features) float32
    """
    import torch

    from modelwright.models.backbone import build, read_weights
    from modelwright.models.pretrained_settings import Backbone

    settings = Backbone(size=SIDE)
    learnt = {
        "classes": ["a", "b"],
        "mean": [0.0] * 3,
        "deviation": [1.0] * 3,
        "channels": 3,
        "height": 32,
        "width": 32,
    }
    model = build(settings, learnt).eval()
    weights = read_weights(settings, Path())
    assert weights is not None
    weights.fill(model)
    with torch.inference_mode():
        return np.concatenate(
            [
                model.backbone(model.resize(torch.from_numpy(images[at : at + 50]).permute(0, 3, 1, 2).float())).numpy()
                for at in range(0, len(images), 50)
            ]
        )


def from_scratch(images: np.ndarray, labels: np.ndarray, judged: np.ndarray, seed: int) -> np.ndarray:
    """Return the answers of a small residual network that has seen only these pictures, mirrored and shifted anew in every step."""
    import torch

    from modelwright.methods.augmentation.pictures import crop_padded, flip_horizontally
    from modelwright.models.residual import build
    from modelwright.models.settings import Residual

    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    names, targets = np.unique(labels, return_inverse=True)
    learnt = {"classes": names.tolist(), "channels": 3, "height": 32, "width": 32}
    model = build(Residual(widths=(16, 32, 64)), learnt)
    optimiser = torch.optim.AdamW(model.parameters(), 3e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=STEPS)
    pixels, goals = scaled(images), torch.from_numpy(targets)
    for _ in range(STEPS):
        rows = torch.randint(len(pixels), (BATCH,), generator=generator)
        batch = crop_padded(flip_horizontally(pixels[rows], 0.5, generator), 4, generator)
        torch.nn.functional.cross_entropy(model(batch), goals[rows]).backward()
        optimiser.step()
        optimiser.zero_grad()
        schedule.step()
    model.eval()
    with torch.inference_mode():
        return names[torch.cat([model(part).argmax(1) for part in scaled(judged).split(200)]).numpy()]


def scaled(images: np.ndarray):
    """Return pixels from -1 to 1, channels first."""
    import torch

    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1


def main() -> None:
    """Draw both curves."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", type=Path, help="lines of label, blank, text")
    parser.add_argument("--test", type=Path, help="the same, to judge on")
    parser.add_argument("--weights", type=Path, help="a folder of Hugging Face's with MiniLM")
    parser.add_argument(
        "--pictures", type=Path, help="a folder with train and test, and in each a folder for each class"
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "few_rows.json")
    options = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    began, report = time.process_time(), {}
    if options.train:
        report["texts"] = texts(options)
    if options.pictures:
        report["pictures"] = pictures(options)
    versions = {name: importlib.metadata.version(name) for name in ("torch", "numpy", "scikit-learn")}
    content = {"versions": versions, "seeds": options.seeds, "cpu_seconds": round(time.process_time() - began)}
    write_result(options.output, {**content, "report": report})


if __name__ == "__main__":
    main()
