"""The door of pictures: files in the body or in base64, or pixels as a tensor."""

from __future__ import annotations

import base64
import binascii
import io
from functools import partial
from typing import Any

import numpy as np
from PIL import Image

from ...core.errors import DataError
from ...methods.attribution.parts import boxes
from ...sources.images import decode
from .door import Columns, Door, Hidden, Tensor, Values
from .refusal import bad, short
from .settings import Serve

# A picture is hidden patch by patch, this many along each side.
PATCHES = 8


def build(learnt: dict[str, Any], settings: Serve) -> Door:
    """Return the door for pictures of the size and mode that the model was trained on."""
    shape = (learnt["height"], learnt["width"], learnt["channels"])
    return Door(
        key="image",
        tensors=(Tensor("image", "UINT8", (-1, *shape)),),
        schema={"type": "string", "contentEncoding": "base64", "description": "a picture file such as PNG or JPEG"},
        from_tensors=_from_tensors,
        from_items=partial(_from_items, shape=shape, most=settings.pixel_limit),
        hide=_hide,
        example=grey_picture(shape),
        slow=True,
    )


def _from_tensors(values: Values) -> Columns:
    return {"image": values["image"]}


def _from_items(items: list[Any], names: list[str], shape: tuple[int, int, int], most: int) -> Columns:
    mode: Any = "grey" if shape[2] == 1 else "rgb"
    return {"image": np.stack([picture_of(*pair, shape[:2], mode, most) for pair in zip(items, names, strict=True)])}


def picture_of(item: Any, field: str, size: Any, mode: Any, most: int) -> np.ndarray:
    """Return the picture in a file or in its base64; `size` is (height, width), or auto for its own.

    Raises:
        Refused: 400, it is none, or has more pixels than are allowed.
    """
    if not isinstance(item, bytes):
        if not isinstance(item, str):
            raise bad(field, short(item), "a picture file in base64")
        try:
            item = base64.b64decode(item, validate=True)
        except (binascii.Error, ValueError):
            raise bad(field, "this is not base64", "a picture file in base64") from None
    try:
        picture: np.ndarray = decode(item, size, mode, most)
    except DataError as error:
        problem = error.problems[0]
        raise bad(field, problem.found, problem.expected or "a picture such as PNG or JPEG") from None
    return picture


def grey_picture(shape: tuple[int, ...]) -> str:
    """Return a grey picture of a height and width, as a PNG in base64."""
    stream = io.BytesIO()
    Image.new("L", (shape[1], shape[0]), 128).save(stream, format="PNG")
    return base64.b64encode(stream.getvalue()).decode()


def _hide(columns: Columns) -> list[Hidden]:
    """Put the picture's mean colour over one patch after the other."""
    image = columns["image"][0]
    grey = np.round(image.mean(axis=(0, 1))).astype(np.uint8)
    found = []
    for top, left, bottom, right in boxes(image.shape[0], image.shape[1], PATCHES):
        changed = image.copy()
        changed[top:bottom, left:right] = grey
        part = {"top": top, "left": left, "bottom": bottom, "right": right}
        found.append(Hidden(part, {"image": changed[None]}))
    return found
