"""Pictures that training remembers: outputs of earlier steps, and the film of a few fixed pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..core.files import write_bytes
from ..tasks.task import Examples
from .predictor import Predictor

FILM = "film.png"
# Of the validation part so many pictures are filmed; more frames than these are thinned by half.
FILMED, FRAMES = 6, 12


class Pool:
    """State: outputs of earlier steps, as many as fit.

    Source: Shrivastava et al. 2017, section 2.3: half of what is shown are earlier outputs, which the latest replace.
    """

    def __init__(self, size: int) -> None:
        self.size, self.kept = size, torch.empty(0)

    def exchange(self, images: torch.Tensor) -> torch.Tensor:
        """Return as many pictures, some of them earlier ones.

        Shapes: images (batch, channels, height, width) float -> (batch, channels, height, width) float
        """
        if not self.size:
            return images
        room = self.size - len(self.kept)
        if room > 0:
            new = images[:room].clone()
            self.kept = torch.cat([self.kept, new]) if len(self.kept) else new
            return images
        shown = []
        for image in images:
            if torch.rand(()) < 0.5:
                place = int(torch.randint(self.size, ()))
                shown.append(self.kept[place].clone())
                self.kept[place] = image
            else:
                shown.append(image)
        return torch.stack(shown)


class Film:
    """State: what became of a few fixed pictures after each validation; every second frame is dropped when they are too many."""

    def __init__(self, predictor: Predictor, validation: Examples) -> None:
        self.predictor = predictor
        chosen = np.unique(np.linspace(0, len(validation) - 1, FILMED).astype(np.int64))
        self.pictures = validation.take(chosen)
        self.frames: list[torch.Tensor] = []
        self.steps: list[int] = []
        self.apart = 1
        self.heard = 0

    def hear(self, found: dict[str, float]) -> None:
        """Take a frame of the weights that have just been judged."""
        if self.heard % self.apart == 0:
            answers = self.predictor.predict(self.pictures)
            self.frames.append(torch.from_numpy(as_pixels(answers)))
            self.steps.append(int(found["step"]))
        self.heard += 1
        if len(self.frames) > FRAMES:
            self.frames, self.steps, self.apart = self.frames[::2], self.steps[::2], 2 * self.apart

    def write(self, path: Path) -> None:
        """Write the film: a row for each picture, first as it is, then after one validation and the next."""
        columns = [np.asarray(self.pictures.columns["image"]), *(frame.numpy() for frame in self.frames)]
        write_bytes(path, png_of(np.concatenate([np.concatenate(list(column), axis=0) for column in columns], axis=1)))

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Return what a checkpoint must hold."""
        frames = {f"{number:03d}": frame for number, frame in enumerate(self.frames)}
        return frames, {"steps": list(self.steps), "apart": self.apart, "heard": self.heard}

    def restore(self, tensors: dict[str, torch.Tensor], numbers: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.frames = [tensors[name] for name in sorted(tensors)]
        self.steps, self.apart, self.heard = list(numbers["steps"]), numbers["apart"], numbers["heard"]


def as_pixels(answers: np.ndarray) -> np.ndarray:
    """Turn answers of a generator into pixels.

    Shapes: answers (n, 3, height, width) float from -1 to 1 -> (n, height, width, 3) uint8
    """
    pixels: np.ndarray = np.rint((np.clip(answers, -1.0, 1.0) + 1.0) * 127.5).astype(np.uint8).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(pixels)


def png_of(pixels: np.ndarray) -> bytes:
    """Return a picture as the bytes of a PNG.

    Shapes: pixels (height, width, 3) uint8 -> bytes
    """
    import io

    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG")
    return stream.getvalue()
