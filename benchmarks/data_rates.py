"""Images a second: augmentation against Keras and Kornia, and loading against torch's DataLoader, on one thread.

The same change for all: rotation to 20 degrees, shift to 0.2 of the side, shear (0.2 radians; Keras's own 0.2 degrees is less),
zoom by 0.2, mirroring, edges repeated; bilinear. Batches of 128. Loading: rows of MNIST's size in shuffled order, bytes to
scaled floats; the peer once as its tutorials have it (a dataset that scales a row) and once with floats made before. Rounds of
all sides in turn; each round is one number. Writes `results/data_rates.json`.

Usage: python benchmarks/data_rates.py [--keras-python PYTHON]
"""

import argparse
import importlib.metadata
import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from side_by_side import run_side, show, spread, write_line, write_result

BATCH, ROWS = 128, 60_000
SHAPES = {"28x28x1": (28, 28, 1), "32x32x3": (32, 32, 3)}
SECONDS = 2.0


def rate(work: Callable[[int], int], seconds: float) -> float:
    """Return images a second of processor time; `work` takes the number of a batch and returns how many images it made."""
    work(0)
    images, number, began, until = 0, 1, time.process_time(), time.process_time() + seconds
    while time.process_time() < until:
        images += work(number)
        number += 1
    return images / (time.process_time() - began)


def ours(shape: tuple[int, int, int]) -> Callable[[int], int]:
    """Return our augmentation of a batch, as the training calls it."""
    import torch

    from modelwright.engine.augment import build_augment
    from modelwright.methods.augmentation.settings import Augment
    from modelwright.tasks.task import Batch

    settings = Augment(rotation=20.0, shift=0.2, shear=math.degrees(0.2), zoom=0.2, flip=0.5, border="nearest")
    change = build_augment(settings, "image", {"mean": [0.5] * shape[2], "deviation": [0.25] * shape[2]})
    image = torch.rand(BATCH, shape[2], *shape[:2])
    batch = Batch({"image": image}, torch.zeros(BATCH, dtype=torch.int64), np.arange(BATCH))

    def work(number: int) -> int:
        with torch.inference_mode():
            return len(change(batch, torch.Generator().manual_seed(number)).inputs["image"])

    return work


def kornia(shape: tuple[int, int, int]) -> Callable[[int], int]:
    """Return Kornia's augmentation of a batch."""
    import torch
    from kornia import augmentation

    change = augmentation.AugmentationSequential(
        augmentation.RandomAffine(
            degrees=20.0,
            translate=(0.2, 0.2),
            scale=(1 / 1.2, 1.2),
            shear=math.degrees(0.2),
            padding_mode="border",
            p=1.0,
        ),
        augmentation.RandomHorizontalFlip(p=0.5),
        data_keys=["input"],
    )
    image = torch.rand(BATCH, shape[2], *shape[:2])

    def work(number: int) -> int:
        with torch.inference_mode():
            return len(change(image))

    return work


def loaders() -> dict[str, Callable[[int], int]]:
    """Return what makes the batches of one epoch's beginning: ours, and torch's with two kinds of data sets."""
    import torch
    from torch.utils.data import DataLoader, Dataset, TensorDataset

    from modelwright.core import registry
    from modelwright.engine.loader import Loader
    from modelwright.sources.rows import Rows

    generator = np.random.default_rng(1)
    images = generator.integers(0, 256, (ROWS, 28, 28, 1), dtype=np.uint8)
    labels = (np.arange(ROWS) % 10).astype(str).tolist()
    task = registry.function_of("task", "image")(registry.settings_of("task", "image")(), Path())
    examples = task.examples(Rows({"image": images, "label": labels}, range(ROWS), (), {}, None), None)

    class Scaled(Dataset):
        def __len__(self) -> int:
            return ROWS

        def __getitem__(self, row: int) -> tuple:
            return torch.from_numpy(images[row]).permute(2, 0, 1).float().div_(255), row % 10

    def mine(number: int) -> int:
        order = np.random.default_rng(number).permutation(ROWS)[: 100 * BATCH]
        steps = ((step, order[step * BATCH : (step + 1) * BATCH]) for step in range(100))
        loader = Loader(lambda step, indices, room: task.collate(examples, indices, room), 0)
        return sum(len(batch) for _, batch in loader.batches(steps))

    def theirs(dataset: Dataset) -> Callable[[int], int]:
        def work(number: int) -> int:
            loader = DataLoader(dataset, BATCH, shuffle=True, generator=torch.Generator().manual_seed(number))
            return sum(len(batch) for (batch, _), _ in zip(loader, range(100), strict=False))

        return work

    floats = torch.from_numpy(images).permute(0, 3, 1, 2).float().div_(255)
    ready = TensorDataset(floats, torch.arange(ROWS) % 10)
    return {"ours": mine, "dataloader": theirs(Scaled()), "dataloader, floats made before": theirs(ready)}


def main() -> None:
    """Run all sides in turn, several rounds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keras-python", help="an interpreter with tensorflow; without one, Keras is left out")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "data_rates.json")
    options = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    report: dict[str, dict] = {}
    for name, shape in SHAPES.items():
        sides = {"ours": ours(shape), "kornia": kornia(shape)}
        rates: dict[str, list[float]] = {side: [] for side in (*sides, "keras")}
        for _ in range(options.rounds):
            for side, work in sides.items():
                rates[side].append(rate(work, SECONDS))
            if options.keras_python:
                asked = ["--shape", *map(str, shape), "--seconds", str(SECONDS)]
                found = run_side(options.keras_python, "peers/keras_augment.py", asked, {"CUDA_VISIBLE_DEVICES": "-1"})
                rates["keras"].append(found["images_per_second"])
        report[f"augmentation {name}"] = compared(rates)
        show(f"augmentation {name}", report[f"augmentation {name}"])
    sides = loaders()
    rates = {side: [] for side in sides}
    for _ in range(options.rounds):
        for side, work in sides.items():
            rates[side].append(rate(work, SECONDS))
    report["loading 28x28x1"] = compared(rates)
    show("loading", report["loading 28x28x1"])
    versions = {name: importlib.metadata.version(name) for name in ("torch", "kornia", "numpy")}
    write_result(options.output, {"versions": versions, "batch": BATCH, "threads": 1, "report": report})
    write_line(str(options.output))


def compared(rates: dict[str, list[float]]) -> dict[str, dict]:
    """Return images a second of processor time of each side, and our ratio to each peer, round by round."""
    found = {f"{side}, images/s": spread(values) for side, values in rates.items() if values}
    for side, values in rates.items():
        if values and side != "ours":
            found[f"ours over {side}"] = spread([one / other for one, other in zip(rates["ours"], values, strict=True)])
    return found


if __name__ == "__main__":
    main()
