"""Folders in the format of MNIST: idx files of images and labels, plain or gzipped."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from modelwright.core.errors import DataError
from modelwright.core.settings import Bytes, Settings

from .files import PARTS, digest, locate, read_bytes
from .rows import Chained, Numbered, Rows

NAME = re.compile(r"(?:.*[-_.])?(train|t10k|test|validation|val)[-_.](images|labels)[-.]idx\d[-.]ubyte(?:\.gz)?")
UNSIGNED_BYTE = 8
GZIP_MAGIC = b"\x1f\x8b"


class IdxSettings(Settings):
    """A folder of idx files, the format of MNIST, Fashion-MNIST and EMNIST."""

    kind: Literal["idx"] = "idx"
    path: str = Field(description="Folder with files such as train-images-idx3-ubyte.gz, relative to the recipe.")
    max_bytes: Bytes = Field(default=4 * 2.0**30, gt=0, description="Largest unpacked file that is accepted, in bytes.")


@dataclass(frozen=True)
class _Unpacked:
    array: Any
    digest: str


def read(settings: IdxSettings, base: Path) -> Rows:
    """Return the images and labels of every pair of files in the folder, with their parts.

    Raises:
        DataError: a file is missing, damaged, or does not fit its partner.
    """
    import numpy

    folder = locate(settings.path, base, expected="a folder of idx files")
    pairs = _pairs(folder)
    images, labels, origins, parts = [], [], [], []
    files: dict[str, str] = {}
    for part, (image_path, label_path) in pairs.items():
        image, label = (_unpack(path, int(settings.max_bytes)) for path in (image_path, label_path))
        _check_pair(image_path, image.array, label_path, label.array)
        images.append(image.array if image.array.ndim == 4 else image.array[..., None])
        labels += label.array.tolist()
        origins.append(Numbered(image_path.name, 0, len(image.array)))
        parts += [part] * len(image.array)
        files |= {image_path.name: image.digest, label_path.name: label.digest}
    if len({image.shape[1:] for image in images}) > 1:
        shapes = ", ".join(f"{part} {image.shape[1:]}" for part, image in zip(pairs, images, strict=True))
        raise DataError(f"images of unequal size: {shapes}", where=folder, expected="one size in every part")
    return Rows({"image": numpy.concatenate(images), "label": labels}, Chained(tuple(origins)), (), files, parts)


def _pairs(folder: Path) -> dict[str, tuple[Path, Path]]:
    found: dict[str, dict[str, Path]] = {}
    if not folder.is_dir():
        raise DataError("not a folder", where=folder, expected="a folder of idx files")
    # Sorted in reverse so that of a file and its .gz the unpacked one, which is quicker, is kept.
    for path in sorted(folder.iterdir(), reverse=True):
        if match := NAME.fullmatch(path.name):
            found.setdefault(PARTS[match[1]], {})[match[2]] = path
    if not found:
        raise DataError(
            "no idx file", where=folder, expected="names such as train-images-idx3-ubyte or train-labels.idx1-ubyte.gz"
        )
    for part, files in found.items():
        for here, absent in (("images", "labels"), ("labels", "images")):
            if absent not in files:
                raise DataError(f"no {absent} for {part}", where=files[here], expected=f"a file of {absent} beside it")
    return {part: (found[part]["images"], found[part]["labels"]) for part in PARTS.values() if part in found}


def _check_pair(image_path: Path, image: Any, label_path: Path, label: Any) -> None:
    if image.ndim not in (3, 4) or label.ndim != 1:
        raise DataError(
            f"{image.ndim} and {label.ndim} dimensions",
            where=f"{image_path}, {label_path}",
            expected="3 or 4 and 1 dimensions",
        )
    if len(image) != len(label):
        raise DataError(
            f"{len(image)} images ({image.nbytes} bytes) but {len(label)} labels ({label.nbytes} bytes)",
            where=f"{image_path}, {label_path}",
            expected="as many labels as images",
            next_step="get both files again from the same place",
        )


def _unpack(path: Path, max_bytes: int) -> _Unpacked:
    """Read one idx file, never unpacking more than its own header promises."""
    import numpy

    raw = read_bytes(path)
    stream = zlib.decompressobj(31) if raw[:2] == GZIP_MAGIC else None
    head = _inflate(path, stream, raw, 4) if stream else raw[:4]
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] != UNSIGNED_BYTE or not 1 <= head[3] <= 4:
        raise DataError(
            f"begins with the bytes {head.hex(' ') or '(none)'} in a file of {len(raw)} bytes",
            where=path,
            expected="an idx file of unsigned bytes, which begins with 00 00 08 01, 03 or 04",
        )
    sizes = _inflate(path, stream, stream.unconsumed_tail, 4 * head[3]) if stream else raw[4 : 4 + 4 * head[3]]
    shape = tuple(int.from_bytes(sizes[at : at + 4], "big") for at in range(0, 4 * head[3], 4))
    promised = 1
    for size in shape:
        promised *= size
    if promised > max_bytes:
        raise DataError(
            f"its header promises {promised} bytes", where=path, expected=f"at most max_bytes = {max_bytes}"
        )
    body = (
        _inflate(path, stream, stream.unconsumed_tail, promised + 1) if stream else memoryview(raw)[4 + 4 * head[3] :]
    )
    if len(sizes) < 4 * head[3] or len(body) != promised or (stream and not stream.eof):
        count = "more than" if len(body) > promised else f"{len(body)} of"
        raise DataError(
            f"{count} the {promised} bytes its header promises (the file has {len(raw)} bytes)",
            where=path,
            expected="a whole idx file",
            next_step="get the file again: it is cut short or not what its name says",
        )
    return _Unpacked(numpy.frombuffer(body, dtype=numpy.uint8).reshape(shape), digest(raw))


def _inflate(path: Path, stream: Any, data: bytes, count: int) -> bytes:
    try:
        return stream.decompress(data, count)
    except zlib.error as error:
        raise DataError(f"damaged gzip stream: {error}", where=path, expected="a whole .gz file") from None
