"""Files packed with gzip, unpacked before they are read, and never to more than a stated size."""

from __future__ import annotations

import zlib
from pathlib import Path

from modelwright.core.errors import DataError

MAGIC = b"\x1f\x8b"
# Of text: what is larger should not be held in memory whole.
MOST_BYTES = 4 * 2**30


def unpacked(data: bytes, path: Path, most: int = MOST_BYTES) -> bytes:
    """Return what is packed in the bytes of a file whose name ends in .gz, and the bytes of any other as they are.

    Units: most: bytes.
    Raises:
        DataError: no whole gzip stream, or more in it than is accepted.
    """
    if path.suffix.lower() != ".gz":
        return data
    pieces: list[bytes] = []
    room = most
    # Streams one after the other are one file: that is how packed files are joined.
    while data:
        stream = zlib.decompressobj(31)
        try:
            pieces.append(stream.decompress(data, room + 1))
        except zlib.error as error:
            raise _broken(f"damaged gzip stream: {error}", path) from None
        room -= len(pieces[-1])
        if room < 0:
            raise DataError(f"more than {most} bytes when unpacked", where=path, expected=f"at most {most} bytes")
        if not stream.eof:
            raise _broken("the gzip stream ends too early", path)
        data = stream.unused_data
    return b"".join(pieces)


def _broken(found: str, path: Path) -> DataError:
    return DataError(found, where=path, expected="a whole .gz file", next_step="get the file again")
