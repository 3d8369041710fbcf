"""Inputs of a prediction: what somebody types or drops, to rows, by the same code that read the training data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import DataError
from .images import decode
from .rows import Rows


def read_images(inputs: list[str], learnt: dict[str, Any]) -> Rows:
    """Read picture files in the size and mode that the model was trained on.

    Raises:
        DataError: names the file that is not a readable picture.
    """
    pictures = []
    for name in inputs:
        try:
            data = Path(name).read_bytes()
        except OSError as error:
            raise DataError(f"the file cannot be read: {error.strerror}", where=name, expected="a picture") from None
        try:
            pictures.append(
                decode(data, (learnt["height"], learnt["width"]), "grey" if learnt["channels"] == 1 else "rgb")
            )
        except DataError as error:
            raise DataError(error.problems[0].found, where=name, expected="a picture such as PNG or JPEG") from None
    return Rows({"image": np.stack(pictures)}, list(inputs), (), {}, None)
