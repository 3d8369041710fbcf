"""What the release of a generator answers: each picture in the other style, at its own size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...core.errors import DataError, RecipeError
from ...core.files import write_bytes
from ...engine.pictures import png_of
from ...engine.predictor import Predictor
from ...engine.tiles import restyle
from ...sources.rows import Rows


def tell(predictor: Predictor, rows: Rows, out: Path | None) -> list[dict[str, Any]]:
    """Write each picture in the other style, beside the first word of its name where there are several; say where.

    Raises:
        RecipeError: nobody said where the pictures are to be written.
        DataError: two pictures of the same name.
    """
    if out is None:
        raise RecipeError(
            "the answer is a picture, and there is no place for it",
            where="predict",
            expected="--out FILE.png for one picture, --out FOLDER for several",
        )
    names = [Path(origin).name for origin in rows.origins]
    single = len(names) == 1 and out.suffix.lower() == ".png"
    places = [out] if single else [out / f"{Path(name).stem}.png" for name in names]
    if len(set(places)) < len(places):
        raise DataError("two pictures have the same name", where=out, expected="names that are there once")
    out.parent.mkdir(parents=True, exist_ok=True)
    if not single:
        out.mkdir(exist_ok=True)
    told = []
    for origin, place, picture in zip(rows.origins, places, rows.columns["picture"], strict=True):
        pixels: np.ndarray = restyle(predictor, picture)
        write_bytes(place, png_of(pixels))
        told.append({"input": origin, "picture": str(place), "height": pixels.shape[0], "width": pixels.shape[1]})
    return told
