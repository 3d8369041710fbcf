"""The door of generators: a picture of any size goes in, the picture in the other style comes out."""

from __future__ import annotations

import base64
from functools import partial
from typing import Any

import numpy as np

from ...engine.pictures import png_of
from ...engine.tiles import restyle_all
from ...tasks.style import pictures_of
from ...tasks.task import Examples
from .documented import TEXT
from .door import Answers, Columns, Door, Tensor, Values
from .pictures import grey_picture, picture_of
from .refusal import bad
from .settings import Serve

# So many pixels are one unit of work; a picture is at least one.
UNIT = 64 * 64
PNG = "image/png"
NAME = "picture"
SIDE = {"type": "integer", "minimum": 1}
SCHEMA = {
    "type": "object",
    "required": ["id", "image", "height", "width"],
    "properties": {
        "id": TEXT,
        "image": {"type": "string", "contentEncoding": "base64", "contentMediaType": PNG},
        "height": SIDE,
        "width": SIDE,
    },
}


def build(learnt: dict[str, Any], settings: Serve) -> Door:
    """Return the door for pictures of any size, up to a number of pixels."""
    tensor = Tensor("image", "UINT8", (-1, -1, -1, 3))
    return Door(
        key="image",
        tensors=(tensor,),
        schema={"type": "string", "contentEncoding": "base64", "description": "a picture file such as PNG or JPEG"},
        from_tensors=partial(_from_tensors, most=settings.pixel_limit),
        from_items=partial(_from_items, most=settings.pixel_limit),
        hide=lambda columns: [],
        example=grey_picture((learnt["height"], learnt["width"])),
        answers=Answers(
            tensors=(tensor,),
            names=[NAME],
            compute=lambda predictor: partial(restyle_all, predictor),
            values=lambda pictures: {"image": np.stack(list(pictures))},
            which=lambda picture: 0,
            tell=_tell,
            schema=SCHEMA,
            work=_work,
            kind=PNG,
            file=png_of,
        ),
        slow=True,
    )


def _from_tensors(values: Values, most: int) -> Columns:
    pictures = values["image"]
    pixels = pictures.shape[1] * pictures.shape[2]
    if pixels > most:
        raise bad("image", f"pictures of {pixels} pixels", f"at most {most}")
    return {"picture": list(pictures)}


def _from_items(items: list[Any], names: list[str], most: int) -> Columns:
    return {"picture": [picture_of(item, name, "auto", "rgb", most) for item, name in zip(items, names, strict=True)]}


def _tell(picture: np.ndarray) -> dict[str, Any]:
    image = base64.b64encode(png_of(picture)).decode()
    return {"image": image, "height": picture.shape[0], "width": picture.shape[1]}


def _work(examples: Examples) -> int:
    """Count units of work: answers take as long as there are pixels."""
    return sum(-(-picture.shape[0] * picture.shape[1] // UNIT) for picture in pictures_of(examples))
