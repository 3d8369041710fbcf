"""Our side of the digit benchmark: the same network, trained until a test accuracy is reached.

`train_until` is the whole interface. It trains the 93,322-parameter network of the peer with one short cycle of
Adam in bf16 autocast. Three things make it fast, none of which changes the function that the network computes:
the batch (128, so that the activations stay in the cache), channels-last bf16, and leaving out what no output sees:
28 pixels shrink to 26, 13, 11, 5, 3, and the two poolings that round down never read the last two rows and columns.
Label smoothing, normalised inputs and a high learning rate that falls to zero make one pass over the data enough.

Usage: python ours_digits.py --data FOLDER --seed 0 --accuracy 0.99 --max-epochs 15
"""

import argparse
import ctypes
import gzip
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

GLIBC_TRIM_THRESHOLD, GLIBC_TOP_PAD, GLIBC_MMAP_THRESHOLD = -1, -2, -3
PIXELS_SEEN = 26
PIXEL_MEAN, PIXEL_STD = 0.1307, 0.3081


@dataclass(frozen=True)
class DigitRecipe:
    """The hyper-parameters of one cycle; a second cycle starts at half the learning rate of the one before."""

    batch: int = 128
    learning_rate: float = 6e-3
    beta1: float = 0.85
    beta2: float = 0.95
    warmup_share: float = 0.25
    label_smoothing: float = 0.1
    cycle_epochs: int = 1


def keep_freed_memory() -> bool:
    """Tell glibc to reuse freed memory instead of giving it back: no page faults in a step; False off glibc."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    answers = [
        mallopt(GLIBC_MMAP_THRESHOLD, 1 << 30),
        mallopt(GLIBC_TRIM_THRESHOLD, (1 << 31) - 1),
        mallopt(GLIBC_TOP_PAD, 1 << 26),
    ]
    return all(answers)


def read_idx(path: Path):
    """Read one gzipped idx file of unsigned bytes as a uint8 tensor."""
    import torch

    with gzip.open(path) as file:
        content = file.read()
    dimensions = content[3]
    shape = [int.from_bytes(content[4 + 4 * axis : 8 + 4 * axis], "big") for axis in range(dimensions)]
    return torch.frombuffer(bytearray(content), dtype=torch.uint8, offset=4 + 4 * dimensions).reshape(shape)


def read_digits(folder: Path) -> dict:
    """Read the four idx files: images uint8 (n, 1, 28, 28), labels int64 (n,)."""
    data = {}
    for part, name in (("train", "train"), ("test", "t10k")):
        data[f"{part}_images"] = read_idx(folder / f"{name}-images-idx3-ubyte.gz").unsqueeze(1)
        data[f"{part}_labels"] = read_idx(folder / f"{name}-labels-idx1-ubyte.gz").long()
    return data


def build_model():
    """Build the network; relu after pooling equals relu before it, on a quarter of the values."""
    from torch import channels_last, nn

    layers = [nn.Conv2d(1, 32, 3), nn.MaxPool2d(2), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.MaxPool2d(2), nn.ReLU()]
    layers += [nn.Conv2d(64, 64, 3), nn.ReLU(), nn.Flatten(), nn.Linear(576, 64), nn.ReLU(), nn.Linear(64, 10)]
    return nn.Sequential(*layers).to(memory_format=channels_last)


def prepare(images):
    """Crop uint8 images to the pixels that the network reads, normalise them, and lay them out channels-last."""
    import torch

    seen = images[..., :PIXELS_SEEN, :PIXELS_SEEN].to(torch.bfloat16)
    return seen.sub_(255 * PIXEL_MEAN).div_(255 * PIXEL_STD).to(memory_format=torch.channels_last)


def learning_rate(step: int, steps: int, cycle: int, recipe: DigitRecipe) -> float:
    """Rise linearly over the warm-up share, then fall linearly to zero."""
    warmup = max(1, int(recipe.warmup_share * steps))
    share = (step + 1) / warmup if step < warmup else (steps - step) / (steps - warmup)
    return recipe.learning_rate * share / 2**cycle


def train_epoch(model, optimiser, data: dict, epoch: int, generator, recipe: DigitRecipe) -> int:
    """Train on every example once (the rest of less than a batch is left out); return how many were used."""
    import torch
    from torch.nn import functional

    images, labels = data["train_images"], data["train_labels"]
    order = torch.randperm(len(images), generator=generator)
    steps_per_epoch = len(images) // recipe.batch
    cycle, epoch_in_cycle = divmod(epoch, recipe.cycle_epochs)
    for step in range(steps_per_epoch):
        chosen = order[step * recipe.batch : (step + 1) * recipe.batch]
        rate = learning_rate(
            epoch_in_cycle * steps_per_epoch + step, recipe.cycle_epochs * steps_per_epoch, cycle, recipe
        )
        for group in optimiser.param_groups:
            group["lr"] = rate
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(prepare(images[chosen]))
        loss = functional.cross_entropy(logits.float(), labels[chosen], label_smoothing=recipe.label_smoothing)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    return steps_per_epoch * recipe.batch


def measure_accuracy(model, images, labels) -> float:
    """Return the share of images whose highest logit is the label's."""
    import torch

    right = 0
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        for some_images, some_labels in zip(images.split(1000), labels.split(1000), strict=True):
            right += int((model(prepare(some_images)).argmax(1) == some_labels).sum())
    return right / len(labels)


def train_until(
    data: dict, seed: int, accuracy: float, max_epochs: int, recipe: DigitRecipe | None = None
) -> dict[str, object]:
    """Train epoch by epoch, look at the test part after each, and stop at the first that reaches the accuracy.

    Units: seconds: training and looking, from the first step; examples_per_second: of training alone.
    """
    import torch

    recipe = recipe or DigitRecipe()
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    model = build_model()
    optimiser = torch.optim.Adam(
        model.parameters(), recipe.learning_rate, betas=(recipe.beta1, recipe.beta2), fused=True
    )
    accuracies: list[float] = []
    examples, training_seconds = 0, 0.0
    start = time.perf_counter()
    for epoch in range(max_epochs):
        epoch_start = time.perf_counter()
        examples += train_epoch(model, optimiser, data, epoch, generator, recipe)
        training_seconds += time.perf_counter() - epoch_start
        accuracies.append(measure_accuracy(model, data["test_images"], data["test_labels"]))
        if accuracies[-1] >= accuracy:
            break
    return {
        "seconds": time.perf_counter() - start,
        "reached": accuracies[-1] >= accuracy,
        "examples_per_second": examples / training_seconds,
        "accuracies": accuracies,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }


def main() -> None:
    """Read the command line, train once, write the result as one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--accuracy", type=float, default=0.99)
    parser.add_argument("--max-epochs", type=int, default=15)
    options = parser.parse_args()
    kept = keep_freed_memory()
    import torch

    result = train_until(read_digits(options.data), options.seed, options.accuracy, options.max_epochs)
    settings = {name: os.environ.get(name, "unset") for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}
    result |= {"seed": options.seed, "versions": {"torch": torch.__version__}, "freed_memory_kept": kept}
    sys.stdout.write(json.dumps(result | {"environment": settings}) + "\n")


if __name__ == "__main__":
    main()
