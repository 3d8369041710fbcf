"""Columns that stay on disk: rows of mapped files, chosen and put in order without being read, and read a piece at a time."""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

# What is larger is left on disk where that is possible; what is read of it at a time.
LARGE, PIECE = 256 * 2**20, 16 * 2**20


@dataclass(frozen=True, eq=False)
class Mapped:
    """Some rows of arrays in mapped files, in an order of their own; choosing copies nothing but numbers of rows.

    Shapes: arrays (m, ...) uint8 or numbers, all of one type and row; rows (n,) int64, counted over all arrays
    """

    arrays: tuple[NDArray[Any], ...]
    files: tuple[mmap.mmap, ...]
    rows: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of a number."""
        return self.arrays[0].dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows, and the shape of one."""
        return (len(self.rows), *self.arrays[0].shape[1:])

    @property
    def nbytes(self) -> int:
        """What the rows would take in memory."""
        return len(self.rows) * self._row_bytes

    @cached_property
    def _row_bytes(self) -> int:
        return int(np.prod(self.arrays[0].shape[1:], dtype=np.int64)) * self.dtype.itemsize

    @cached_property
    def _ends(self) -> NDArray[np.int64]:
        return np.cumsum([len(array) for array in self.arrays])

    def choose(self, indices: Iterable[int]) -> Mapped:
        """Return some of the rows, still on disk."""
        return replace(self, rows=self.rows[np.fromiter(indices, np.int64)])

    def __getitem__(self, index: Any) -> NDArray[Any]:
        """Return one row, or the rows of a slice or of numbers, in memory."""
        if isinstance(index, (int, np.integer)):
            return self._read(self.rows[index : index + 1 or None])[0]
        return self._read(self.rows[index])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Read everything: for those who know that it fits."""
        return self._read(self.rows).astype(dtype or self.dtype, copy=False)

    def __iter__(self) -> Iterator[NDArray[Any]]:
        for piece in self.pieces():
            yield from piece

    def pieces(self) -> Iterator[NDArray[Any]]:
        """Yield all rows in their order, a few megabytes at a time."""
        step = max(1, PIECE // max(1, self._row_bytes))
        for start in range(0, len(self.rows), step):
            yield self._read(self.rows[start : start + step])

    def _read(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        found = np.empty((len(rows), *self.arrays[0].shape[1:]), self.dtype)
        # Rows that lie far apart: the system shows us their neighbours as well, so a stretch is given back before the next is read.
        stretch = int(np.ptp(rows)) * self._row_bytes if len(rows) else 0
        for chosen in np.array_split(np.arange(len(rows)), 1 + min(len(rows), stretch // (4 * PIECE))):
            which = np.searchsorted(self._ends, rows[chosen], side="right")
            for number in np.unique(which).tolist():
                here = chosen[which == number]
                before = int(self._ends[number]) - len(self.arrays[number])
                found[here] = self.arrays[number][rows[here] - before]
            for file in self.files:
                file.madvise(mmap.MADV_DONTNEED)
        return found


def mapped(array: NDArray[Any]) -> Any:
    """Return a mapped array as a column that stays on disk, where it is large; else in memory."""
    file = _file_of(array)
    if file is None or array.nbytes < LARGE:
        return np.array(array)
    return Mapped((array,), (file,), np.arange(len(array)))


def pieces_of(column: Any) -> Iterator[NDArray[Any]]:
    """Yield a column of arrays a few megabytes at a time, wherever it lies."""
    if isinstance(column, Mapped):
        yield from column.pieces()
        return
    column = np.asarray(column)
    step = max(1, PIECE // max(1, column[:1].nbytes))
    for start in range(0, len(column), step):
        yield column[start : start + step]


def ask_ahead(array: Any, start: int, stop: int) -> None:
    """Ask the system to begin reading some rows of a large mapped file, which will be wanted soon."""
    file = _file_of(array)
    if file is None or len(file) < LARGE:
        return
    first = array.offset % mmap.ALLOCATIONGRANULARITY
    begin, end = (first + row * array.strides[0] for row in (start, stop))
    begin -= begin % mmap.PAGESIZE
    file.madvise(mmap.MADV_WILLNEED, begin, min(len(file), end) - begin)


def let_go(array: Any) -> None:
    """Give back the memory in which the system shows us a large mapped file; the file stays in its cache, as far as there is room."""
    file = _file_of(array)
    if file is not None and len(file) >= LARGE:
        file.madvise(mmap.MADV_DONTNEED)


def _file_of(array: Any) -> mmap.mmap | None:
    found = getattr(array, "_mmap", None) if isinstance(array, np.memmap) else None
    return found if isinstance(found, mmap.mmap) else None
