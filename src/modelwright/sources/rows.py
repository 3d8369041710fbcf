"""What every source gives: columns of equal length, and for each row where it came from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Quarantined:
    """One row or file that was read and not used, and why."""

    origin: str
    reason: str


@dataclass(frozen=True)
class Rows:
    """The rows of a source, by column, with origins, digests and what had to be left out.

    Columns of their own meaning are "image" (n, h, w, c) uint8, which may be a `Mapped`, "text" (list of str) and "label" (list of
    str or int);
    any other is a column of a table, a list of str, float or None, where None stands for a missing value.
    """

    columns: dict[str, Any]
    origins: Sequence[str]
    quarantined: tuple[Quarantined, ...]
    files: dict[str, str]
    parts: Sequence[str] | None = None
    # What the files were before they became rows, such as the sizes of pictures and how many have each.
    about: dict[str, dict[str, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lengths = {name: len(column) for name, column in self.columns.items()}
        lengths["origins"] = len(self.origins)
        if self.parts is not None:
            lengths["parts"] = len(self.parts)
        if len(set(lengths.values())) != 1:
            raise ValueError(f"columns of unequal length: {lengths}")

    def __len__(self) -> int:
        return len(self.origins)

    def take(self, indices: Iterable[int]) -> Rows:
        """Return the rows at `indices`, in that order; files and quarantine stay those of the whole source."""
        chosen = [int(index) for index in indices]
        return replace(
            self,
            columns={name: _taken(column, chosen) for name, column in self.columns.items()},
            origins=_taken(self.origins, chosen),
            parts=None if self.parts is None else _taken(self.parts, chosen),
        )


def cut_texts(rows: Rows, shares: dict[str, float]) -> Rows:
    """Return one row for each text and part: the text cut into as many pieces, as long as the shares say."""
    bounds = [0.0]
    for share in shares.values():
        bounds.append(bounds[-1] + share / sum(shares.values()))
    texts, origins, parts = [], [], []
    for text, origin in zip(rows.columns["text"], rows.origins, strict=True):
        places = [round(bound * len(text)) for bound in bounds]
        for part, start, stop in zip(shares, places, places[1:], strict=False):
            if stop > start:
                texts.append(text[start:stop])
                origins.append(f"{origin} ({part})")
                parts.append(part)
    return Rows({"text": texts}, origins, rows.quarantined, rows.files, parts)


def _taken(column: Any, indices: list[int]) -> Any:
    if hasattr(column, "dtype"):
        # Here, so that reading a recipe loads no numpy.
        from .mapped import Mapped

        return column.choose(indices) if isinstance(column, Mapped) else column[indices]
    return [column[index] for index in indices]


@dataclass(frozen=True)
class Numbered(Sequence[str]):
    """The origins `file:first`, `file:first + 1`, ..., written out only when asked for."""

    file: str
    first: int
    size: int

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [f"{self.file}:{self.first + at}" for at in range(*index.indices(self.size))]
        at = index + self.size if index < 0 else index
        if not 0 <= at < self.size:
            raise IndexError(index)
        return f"{self.file}:{self.first + at}"


@dataclass(frozen=True)
class Chained(Sequence[str]):
    """Several sequences read one after the other, without a copy."""

    sequences: tuple[Sequence[str], ...]

    def __len__(self) -> int:
        return sum(len(sequence) for sequence in self.sequences)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        at = index + len(self) if index < 0 else index
        for sequence in self.sequences:
            if 0 <= at < len(sequence):
                return sequence[at]
            at -= len(sequence)
        raise IndexError(index)
