"""Style transfer: the content of a picture in the style of others.

The answer of the model is a picture, from -1 to 1. Training is the players' affair (engine.adversarial); the losses here
are what the validation part is judged by.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import DataError
from . import classification, image
from .settings import Style
from .task import Batch, Examples, Room, Task, fresh

if TYPE_CHECKING:
    import torch

    from ..core.evidence import Evidence
    from ..sources.rows import Rows

# Half of the 256 values: a pixel v becomes v / HALF - 1.
HALF = 127.5


def build(settings: Style, base: Path = Path()) -> Task:
    """Return the words of style transfer."""
    return Task(
        "style",
        lambda rows, learnt: examples(rows, learnt, settings.pairs),
        collate,
        losses,
        sizes,
        predict,
        metrics,
        image.render,
    )


def examples(rows: Rows, learnt: dict[str, Any] | None, pairs: bool) -> Examples:
    """Turn rows with the columns `image`, `style` and `paired` into examples; nothing but their size is learnt.

    Where the recipe wants no pairs, training pictures of style stand beside another content, so that no answer is seen.

    Shapes: image (n, height, width, 3) uint8, style (n, height, width, 3) uint8

    Raises:
        DataError: no pictures of two kinds, or pairs that are not there.
    """
    if "picture" in rows.columns and learnt is not None:
        # Somebody asks about pictures, each at its own size.
        return Examples({"picture": as_objects(rows.columns["picture"])}, learnt)
    if "image" not in rows.columns:
        raise DataError("the data has no pictures", where="data", expected="pictures of content and of style")
    content = np.asarray(rows.columns["image"])
    if "style" not in rows.columns:
        if learnt is None:
            raise DataError(
                "the data has no pictures of style", where="data", expected="two kinds", next_step="data.kind: domains"
            )
        # Somebody asks for an answer: there is content alone.
        return Examples({"image": content, "target": np.full(len(content), -1, dtype=np.int64)}, learnt)
    style, paired = np.asarray(rows.columns["style"]), np.asarray(rows.columns["paired"])
    if pairs and not paired.all():
        raise DataError(
            f"{int((paired == 0).sum())} pictures have no pair, first {rows.origins[int(np.argmin(paired))]}",
            where="task.pairs",
            expected="a picture of style of the same name for each of content",
            next_step="task.pairs: false",
        )
    if learnt is None:
        learnt = {"height": content.shape[1], "width": content.shape[2], "channels": 3, "pixels": True, "pairs": pairs}
        if not pairs:
            style, paired = np.roll(style, 1 + len(style) // 2, axis=0), np.zeros_like(paired)
    return Examples(
        {"image": content, "style": style, "paired": paired, "target": np.full(len(content), -1, dtype=np.int64)},
        learnt,
    )


def pictures_of(examples: Examples) -> Any:
    """Return the pictures of examples: each at its own size where somebody asks about them, else all of one size."""
    return examples.columns["picture" if "picture" in examples.columns else "image"]


def as_objects(pictures: list[np.ndarray]) -> np.ndarray:
    """Return pictures of unequal size as one column."""
    found = np.empty(len(pictures), dtype=object)
    for place, picture in enumerate(pictures):
        found[place] = picture
    return found


def collate(examples: Examples, indices: np.ndarray, room: Room = fresh) -> Batch:
    """Make a batch.

    Shapes: indices (b,) -> inputs.image (b, 3, height, width) float32, targets (b, 3, height, width) float32, which are the
        pictures of style
    """
    import torch

    pictures = {}
    for name in ("image", "style"):
        column = examples.columns.get(name)
        if column is not None:
            pixels = classification.gather(room, f"{name} pixels", np.asarray(column), indices)
            floats_BHWC = torch.from_numpy(classification.convert(room, name, pixels, np.float32))
            pictures[name] = floats_BHWC.div_(HALF).sub_(1.0).permute(0, 3, 1, 2)
    return Batch({"image": pictures["image"]}, pictures.get("style", torch.empty(len(indices), 0)), indices)


def losses(model: torch.nn.Module, batch: Batch) -> torch.Tensor:
    """Return how far the colours of each answer, sorted, lie from those of its picture of style; no pair is needed for that.

    Shapes: batch of b -> (b,) float
    Units: half the range of a pixel
    """
    answers_BCHW = model(**batch.inputs).float()
    sorted_BCN = [side.flatten(2).sort(dim=2).values for side in (answers_BCHW, batch.targets)]
    return (sorted_BCN[0] - sorted_BCN[1]).abs().mean(dim=(1, 2))


def sizes(batch: Batch) -> torch.Tensor:
    """Return that every example counts alike.

    Shapes: batch of b -> (b,) float
    """
    import torch

    return torch.ones(len(batch))


def predict(model: torch.nn.Module, batch: Batch) -> torch.Tensor:
    """Return the pictures in the other style.

    Shapes: batch of b -> (b, 3, height, width) float
    """
    answers: torch.Tensor = model(**batch.inputs).float()
    return answers


def metrics(targets: np.ndarray, answers: np.ndarray, resamples: int, confidence: float, seed: int) -> list[Evidence]:
    """Measure how far answers lie from the true pictures.

    Shapes: targets (n, 3, h, w) float from -1 to 1, answers (n, 3, h, w) float -> claims
    """
    from .style_metrics import measure_pairs

    return measure_pairs(targets, answers, resamples, confidence, seed)
