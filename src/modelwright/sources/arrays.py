"""Arrays that somebody already has in memory, handed over as .npy files: how the Python estimators reach the same door."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from ..core.errors import DataError
from ..core.formats import check_npy
from ..core.settings import Settings
from .files import digest_of_file, locate
from .rows import Numbered, Rows

Content = Literal["image", "text", "table"]
NAMES = ("inputs.npy", "labels.npy", "parts.npy")


class ArraysSettings(Settings):
    """A folder with `inputs.npy` and `labels.npy`, and `parts.npy` where the split is given; written without pickle."""

    kind: Literal["arrays"] = "arrays"
    path: str = Field(description="The folder, relative to the recipe.")
    content: Content = Field(
        default="table", description="What inputs.npy holds: (n, h, w, c) uint8, (n,) text, or (n, columns) numbers."
    )


def read(settings: ArraysSettings, base: Path) -> Rows:
    """Return one row per entry of the arrays.

    Raises:
        DataError: a file is missing or holds objects instead of numbers and text.
    """
    folder = locate(settings.path, base, expected="a folder with inputs.npy and labels.npy")
    inputs, labels = _load(folder / NAMES[0], stays=settings.content == "image"), _load(folder / NAMES[1])
    if len(inputs) != len(labels):
        raise DataError(
            f"{len(inputs)} inputs and {len(labels)} labels", where=folder, expected="as many labels as inputs"
        )
    paths = [path for path in (folder / name for name in NAMES) if path.exists()]
    files = {path.name: digest_of_file(path) for path in paths}
    parts = _load(folder / NAMES[2]).tolist() if (folder / NAMES[2]).exists() else None
    columns = {**columns_of(settings.content, inputs), "label": labels.tolist()}
    return Rows(columns, Numbered(NAMES[0], 0, len(inputs)), (), files, parts)


def columns_of(content: Content, inputs: Any) -> dict[str, Any]:
    """Return the columns of Rows that an array stands for; those of a table are called column_0, column_1, ..."""
    if content == "image":
        return {"image": inputs}
    if content == "text":
        return {"text": inputs.tolist()}
    return {f"column_{index}": inputs[:, index].tolist() for index in range(inputs.shape[1])}


def _load(path: Path, *, stays: bool = False) -> Any:
    import numpy as np

    from .mapped import mapped

    try:
        with path.open("rb") as stream:
            check_npy(stream, path.stat().st_size)
        if stays and path.stat().st_size:
            return mapped(np.load(path, mmap_mode="r", allow_pickle=False))
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DataError(
            f"the array cannot be read: {error}", where=path, expected="an array of numbers or text in .npy"
        ) from None
