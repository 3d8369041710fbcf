"""Which examples the report explains, and how: a picture with a veil of colour, tokens and fields with their weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...tasks.task import Examples, Task
from .question import Answer
from .settings import Shown
from .view import Cut

# What speaks for the class, and what against it, as red, green and blue.
FOR, AGAINST = (15, 150, 140), (217, 84, 50)
# The strongest veil lets this share of the picture through; a small picture is enlarged to so many pixels.
THROUGH, SIDE = 0.15, 112


def choose(settings: Shown, targets: np.ndarray, answers: np.ndarray) -> list[tuple[int, str]]:
    """Return the rows to explain with the reason: the worst ones, then typical ones, from as many classes as can be.

    Shapes: targets (n,) int, answers (n, classes) float
    """
    right = answers[np.arange(len(targets)), targets]
    chosen = [(int(row), "worst") for row in np.argsort(right, kind="stable")[: settings.worst]]
    sure = answers.argmax(axis=1) == targets
    typical = []
    for number in range(answers.shape[1]):
        rows = np.flatnonzero(sure & (targets == number))
        if len(rows):
            by_sureness = rows[np.argsort(right[rows], kind="stable")]
            typical.append(int(by_sureness[len(by_sureness) // 2]))
    spread = np.unique(np.linspace(0, len(typical) - 1, min(settings.typical, len(typical))).round().astype(int))
    return chosen + [(typical[place], "typical") for place in spread.tolist()]


def draw(
    folder: Path,
    task: Task,
    examples: Examples,
    chosen: list[tuple[int, str]],
    cuts: tuple[Cut, ...],
    answers: np.ndarray,
    explained: dict[str, Answer],
) -> list[dict[str, Any]]:
    """Write pictures into a folder; return what the page shows of each example."""
    classes, targets = examples.learnt["classes"], np.asarray(examples.columns["target"])
    shown = []
    for rank, ((row, why), cut) in enumerate(zip(chosen, cuts, strict=True)):
        item: dict[str, Any] = task.render(examples, row)
        if "image" in item:
            name = f"example-{rank:02d}.png"
            (folder / name).write_bytes(item["image"])
            item = {"image": name}
        answer = int(answers[row].argmax())
        item |= {
            "row": row,
            "why": why,
            "target": classes[int(targets[row])],
            "answer": classes[answer],
            "probability_of_target": float(answers[row, targets[row]]),
            "probability_of_answer": float(answers[row, answer]),
        }
        weights: dict[str, Any] = {}
        for method, found in explained.items():
            if "image" in item:
                name = f"example-{rank:02d}-{method}.png"
                _veil(folder / name, cut, found.weights[rank], found.maps[rank] if found.maps else None)
                weights[method] = name
            else:
                weights[method] = [float(f"{weight:.5g}") for weight in found.weights[rank]]
        shown.append({**item, "parts": [] if "image" in item else list(cut.parts), "weights": weights})
    return shown


def _veil(path: Path, cut: Cut, weights: np.ndarray, pixels: np.ndarray | None) -> None:
    """Write the picture in grey under a veil of two colours, as strong as the weight of each pixel or patch."""
    from PIL import Image

    image = np.asarray(cut.example.columns["image"])[0]
    if pixels is None:
        pixels = np.zeros(image.shape[:2])
        for weight, (top, left, bottom, right) in zip(weights, cut.parts, strict=True):
            pixels[top:bottom, left:right] = weight
    # The strongest hundredth may be a single spike that would leave nothing else to see.
    most = float(np.quantile(np.abs(pixels), 0.99)) or float(np.abs(pixels).max()) or 1.0
    strength = (1 - THROUGH) * np.clip(np.abs(pixels) / most, 0, 1)[..., None]
    colour = np.where(pixels[..., None] >= 0, np.array(FOR), np.array(AGAINST))
    grey = np.repeat(image.mean(axis=-1, keepdims=True), 3, axis=-1)
    mixed = np.round(grey * (1 - strength) + colour * strength).astype(np.uint8)
    times = max(1, SIDE // max(mixed.shape[:2]))
    Image.fromarray(np.repeat(np.repeat(mixed, times, axis=0), times, axis=1)).save(path, format="PNG")
