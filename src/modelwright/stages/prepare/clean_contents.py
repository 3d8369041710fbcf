"""Rules for contents of any kind: the same twice, and texts that are hardly any."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ...core.errors import DataError
from ...engine.dataset import PARTS
from ...methods.cleaning.near import near_images, near_texts
from ...methods.cleaning.settings import Duplicates, Scripts, TextQuality
from ...methods.cleaning.texts import quality_problem, scripts_of
from ...sources.checks import contents_of
from ...sources.rows import Rows
from .cleaning import Dirt


def duplicates(settings: Duplicates, dirt: Dirt) -> Iterator[tuple[int, str]]:
    """Find rows whose content stands in a more careful part too (test before validation before train), or earlier in their own.

    Raises:
        DataError: tables of numbers are to be compared for less than equality.
    """
    order = [int(index) for part in reversed(PARTS) for index in dirt.parts[part]]
    chosen = dirt.rows.take(order)
    part_of = [part for part in reversed(PARTS) for _ in dirt.parts[part]]
    found: set[int] = set()
    for first, later, similarity in sorted(_pairs(chosen, settings.similarity, dirt.seed)):
        # What was found to be a copy itself is no original: chains of likenesses must not take everything away.
        if first not in found and later not in found:
            found.add(later)
            how = "the same content as" if similarity == 1 else f"{similarity:.1%} like"
            yield order[later], f"{how} {chosen.origins[first]} ({part_of[first]})"


def _pairs(rows: Rows, similarity: float, seed: int) -> Iterator[tuple[int, int, float]]:
    if similarity < 1:
        if "text" in rows.columns:
            yield from near_texts(rows.columns["text"], similarity, seed)
        elif "image" in rows.columns:
            yield from near_images(rows.columns["image"], similarity)
        else:
            raise DataError(
                f"rows of a table cannot be {similarity:.0%} alike",
                where="prepare.clean.duplicates.similarity",
                expected="similarity: 1 for tables",
            )
        return
    seen: dict[bytes, int] = {}
    for row, content in enumerate(contents_of(rows)):
        if content in seen:
            yield seen[content], row, 1.0
        seen.setdefault(content, row)


def text_quality(settings: TextQuality, dirt: Dirt) -> Iterator[tuple[int, str]]:
    """Find texts that are too short, too long, mostly no words, or say the same over and over."""
    texts = _texts(dirt.rows)
    limits = (settings.shortest, settings.longest, settings.letters, settings.repeated)
    for index in dirt.judged(settings.parts):
        if why := quality_problem(texts[index], *limits):
            yield index, why


def scripts(settings: Scripts, dirt: Dirt) -> Iterator[tuple[int, str]]:
    """Find texts mostly written in other scripts; a text without letters is in none."""
    texts = _texts(dirt.rows)
    for index in dirt.judged(settings.parts):
        counts = scripts_of(texts[index])
        letters = sum(counts.values())
        kept = sum(counts[name] for name in settings.keep)
        if letters and kept < settings.share * letters:
            shown = ", ".join(f"{name} {count / letters:.0%}" for name, count in counts.most_common(3))
            yield index, f"written in {shown}; less than {settings.share:.0%} in {', '.join(settings.keep)}"


def _texts(rows: Rows) -> Sequence[str]:
    texts: Any = rows.columns.get("text")
    if texts is None:
        raise DataError("the data has no text", where="prepare.clean", expected="a column of text")
    return list(texts)
