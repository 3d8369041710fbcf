"""Checks of rows before anything is learned from them: too much in quarantine, rows in two parts, odd columns."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Literal

from modelwright.core.errors import DataError

from .records import is_number
from .rows import Quarantined, Rows

# A share of distinct values above this makes a column of words an identifier.
MANY_DISTINCT = 0.95
MOSTLY_NUMBERS = 0.95


@dataclass(frozen=True)
class Overlap:
    """The same content in two parts, letter by letter (exact) or but for case, blanks and punctuation (near)."""

    kind: Literal["exact", "near"]
    parts: tuple[str, str]
    origins: tuple[str, str]


@dataclass(frozen=True)
class Suspicion:
    """A column that should be looked at before it is learned from."""

    column: str
    reason: str


def quarantine_limit(rows: Rows, fraction: float) -> None:
    """Refuse rows of which more than `fraction` had to be quarantined.

    Units: fraction of one, of all rows read.
    Raises:
        DataError: with the first three bad rows.
    """
    bad = len(rows.quarantined)
    share = bad / max(1, bad + len(rows))
    if bad and share > fraction:
        first = "; ".join(f"{one.origin}: {one.reason}" for one in rows.quarantined[:3])
        raise DataError(
            f"{bad} of {bad + len(rows)} rows ({share:.2%}) cannot be used: {first}{'; ...' if bad > 3 else ''}",
            where=_files_of(rows.quarantined),
            expected=f"at most {fraction:.2%}",
            next_step="mend these rows, correct how the source is read, or raise the limit",
        )


def _files_of(quarantined: Sequence[Quarantined]) -> str:
    """Name the files with bad rows, those with most of them first."""
    counts = Counter(re.sub(r":\d+$", "", one.origin) for one in quarantined)
    names = [name for name, _ in counts.most_common(3)]
    return ", ".join(names) + (f" and {len(counts) - 3} more files" if len(counts) > 3 else "")


def find_overlap(parts: Mapping[str, Rows], contents: Mapping[str, Sequence[bytes]] | None = None) -> list[Overlap]:
    """Return the rows of each part whose content an earlier part has too; the label is not content.

    Who has the digests of `contents_of` already hands them over.

    Texts are compared a second time casefolded and without blanks and punctuation.
    """
    overlaps: list[Overlap] = []
    # Numbers of rows, counted over all parts: there may be millions, and names take more room than rows.
    seen: dict[bytes, int] = {}
    seen_nearly: dict[bytes, int] = {}
    names, ends = list(parts), list(accumulate(len(rows) for rows in parts.values()))

    def place(number: int) -> tuple[str, str]:
        which = bisect_right(ends, number)
        rows = parts[names[which]]
        return names[which], rows.origins[number - ends[which] + len(rows)]

    number = 0
    for part, rows in parts.items():
        squeezed = [_hash(squeeze(text)) for text in rows.columns["text"]] if "text" in rows.columns else []
        digests = contents_of(rows) if contents is None else contents[part]
        own: list[bytes] = []
        for at, content in enumerate(digests):
            own.append(content)
            if content in seen:
                overlaps.append(_overlap("exact", place(seen[content]), place(number + at)))
            elif squeezed and squeezed[at] in seen_nearly:
                overlaps.append(_overlap("near", place(seen_nearly[squeezed[at]]), place(number + at)))
        # Only now: rows that are there twice within one part leak nothing between parts.
        for found, known in ((own, seen), (squeezed, seen_nearly)):
            for at, content in enumerate(found):
                known.setdefault(content, number + at)
        number += len(rows)
    return overlaps


def squeeze(text: str) -> str:
    """Return `text` casefolded and without blanks and punctuation; all of it when nothing else is in it."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return re.sub(r"[\W_]+", "", folded) or folded


def suspicious_columns(rows: Rows) -> list[Suspicion]:
    """Return a constant label, and columns that identify, stand for the label, say nothing or are nearly numbers."""
    found: list[Suspicion] = []
    labels = rows.columns.get("label")
    if labels is not None and len(rows) and len(set(labels)) == 1:
        found.append(Suspicion("label", f"every row has the label {labels[0]!r}: nothing can be learned"))
    for name, values in rows.columns.items():
        if name not in ("label", "text", "image", "style", "paired") and len(rows) > 1:
            reason = _why_suspicious(name, values, labels)
            if reason:
                found.append(Suspicion(name, reason))
    return found


def _why_suspicious(name: str, values: list[Any], labels: Any) -> str:
    present = [value for value in values if value is not None]
    distinct = set(present)
    if len(distinct) <= 1:
        return "the same value in every row" if distinct else "no value in any row"
    if labels is not None and len(set(labels)) > 1 and len(present) == len(values) and _determine(values, labels):
        return "stands for the label: each of its values goes with one label only, and each label with one value"
    words = [value for value in present if isinstance(value, str)]
    if words:
        numbers = sum(is_number(word) for word in words)
        if MOSTLY_NUMBERS * len(words) < numbers < len(words):
            other = next(word for word in words if not is_number(word))
            return f"{numbers} of {len(words)} values are numbers, but not {other!r}: state `types: {{{name}: number}}`"
        if len(distinct) > MANY_DISTINCT * len(values):
            return f"an identifier: {len(distinct)} distinct values in {len(values)} rows"
    elif _counts_up(present, len(values)):
        return "an identifier: whole numbers that are all different and follow each other"
    return ""


def _determine(values: list[Any], labels: list[Any]) -> bool:
    pairs = set(zip(values, labels, strict=True))
    return len(pairs) == len(set(values)) == len(set(labels))


def _counts_up(numbers: list[float], count: int) -> bool:
    if (
        len(numbers) < max(count, 10)
        or len(set(numbers)) < len(numbers)
        or not all(float(one).is_integer() for one in numbers)
    ):
        return False
    # A sequence of row numbers fills its own range; so does one with some rows taken out.
    return max(numbers) - min(numbers) < 2 * len(numbers)


def _overlap(kind: Literal["exact", "near"], first: tuple[str, str], second: tuple[str, str]) -> Overlap:
    return Overlap(kind, (first[0], second[0]), (first[1], second[1]))


def contents_of(rows: Rows) -> Iterator[bytes]:
    """Yield a digest of the content of each row; the label is not content."""
    columns = [column for name, column in rows.columns.items() if name != "label"]
    if "image" in rows.columns:
        return (content_of_picture(image) for image in rows.columns["image"])
    if "text" in rows.columns:
        return (_hash(text) for text in rows.columns["text"])
    return (_hash(repr(values)) for values in zip(*columns, strict=True))


def content_of_picture(image: Any) -> bytes:
    """Return the digest of a picture's content.

    Shapes: image (height, width, channels) uint8
    """
    return _hash_bytes(str(image.shape).encode() + image.tobytes())


def _hash(text: str) -> bytes:
    return _hash_bytes(text.encode("utf-8", "surrogatepass"))


def _hash_bytes(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()
