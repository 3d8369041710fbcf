"""Plain text: a label and a text on each line, a folder of files per class, or whole files without a label."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field

from modelwright.core.errors import DataError
from modelwright.core.settings import AUTO, Sequence

from .decoding import Decoded, TextSettings, decode_text, lines_of
from .files import Located, PartName, digest, locate, locate_parts, read_bytes
from .packing import unpacked
from .rows import Quarantined, Rows
from .tree import opened

SEPARATORS = {"tab": "\t", "space": " "}
SNIFFED_LINES = 2000
# A label comes again and again; where more values than this are distinct, there is none.
FEW_CLASSES = 50
LARGEST_SHARE_DISTINCT = 0.05


class TextFileSettings(TextSettings):
    """Labelled lines such as `ham<tab>text`, a folder per class with a file per example, or unlabelled files."""

    kind: Literal["text"] = "text"
    path: str | dict[PartName, str] | Sequence[str] = Field(
        description="A file, one for each part, a folder or a zip, relative to the recipe; a list of files and folders where "
        "there are no labels."
    )
    separator: Literal["auto", "tab", "space"] | str = Field(
        default=AUTO,
        min_length=1,
        description="Between label and text: auto, tab, space, or the characters themselves.",
    )
    label: Literal["auto", "first", "last", "none"] = Field(
        default=AUTO, description="Where in the line the label stands; none: each file is one text without a label."
    )
    max_bytes: int = Field(default=2**30, gt=0, description="A file of more bytes in a folder is refused unread.")


def read(settings: TextFileSettings, base: Path) -> Rows:
    """Return one row per line, or per file of a folder.

    Raises:
        DataError: nothing is there, no line holds a label and a text, or a name leads out of the folder.
    """
    if settings.label == "none":
        return _read_unlabelled(settings, base)
    if isinstance(settings.path, tuple):
        raise DataError(
            f"{len(settings.path)} files are named",
            where="data.path",
            expected="one file or folder, or one for each part",
            next_step="set data.label: none, if they have no labels",
        )
    if isinstance(settings.path, str):
        path = locate(settings.path, base, expected="a text file, or a folder of text files per class")
        if path.is_dir() or path.suffix.lower() == ".zip":
            return _read_tree(settings, path)
    return _read_lines(settings, base)


def _read_lines(settings: TextFileSettings, base: Path) -> Rows:
    labels, texts, origins, parts = [], [], [], []
    quarantined: list[Quarantined] = []
    files: dict[str, str] = {}
    assert not isinstance(settings.path, tuple), "refused before"
    located = locate_parts(settings.path, base, expected="a text file")
    separator: str = settings.separator
    position: str = settings.label
    for file in located:
        data = read_bytes(file.path)
        files[file.name] = digest(data)
        decoded = decode_text(unpacked(data, file.path), settings, file.path)
        lines = [line.rstrip("\r\n") for line in lines_of(decoded.text)]
        # The first file decides for the others: they must not be read differently.
        separator, position = _guess(lines, separator, position, file.path)
        for number, cut in _cut(lines, decoded, separator, position):
            if isinstance(cut, str):
                quarantined.append(Quarantined(f"{file.name}:{number}", cut))
                continue
            labels.append(cut[0])
            texts.append(cut[1])
            origins.append(f"{file.name}:{number}")
            parts.append(file.part)
    _refuse_nothing(texts, quarantined, located[0].path)
    return Rows(
        {"text": texts, "label": labels}, origins, tuple(quarantined), files, parts if located[0].part else None
    )


def _cut(
    lines: list[str], decoded: Decoded, separator: str, position: str
) -> Iterator[tuple[int, tuple[str, str] | str]]:
    """Yield for each line that is not blank its number and its label and text, or what is wrong with it."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        reason = decoded.damage_between(number, number) or ("a NUL byte" if "\0" in line else "")
        before, found, after = line.partition(separator) if position == "first" else line.rpartition(separator)
        label, text = (before, after) if position == "first" else (after, before)
        if not reason and not found:
            reason = f"no {separator!r} between label and text"
        if not reason and not (label.strip() and text.strip()):
            reason = "no text" if label.strip() else "no label"
        yield number, reason or (label.strip(), text.strip())


def _guess(lines: list[str], separator: str, position: str, path: Path) -> tuple[str, str]:
    """Decide what `auto` means: a tab where nine lines of ten have one; the end that has fewer distinct values."""
    sample = [line for line in lines[:SNIFFED_LINES] if line.strip()]
    if separator == AUTO:
        separator = "tab" if sum("\t" in line for line in sample) > 0.9 * len(sample) else "space"
    separator = SEPARATORS.get(separator, separator)
    if position != AUTO:
        return separator, position
    # Lines sorted by label would make a sample from the top look as if it had one label only.
    every = [line for line in lines if separator in line]
    first = len({line.partition(separator)[0] for line in every})
    last = len({line.rpartition(separator)[2] for line in every})
    most = max(2, min(len(every) / 2, max(FEW_CLASSES, LARGEST_SHARE_DISTINCT * len(every))))
    if not every or min(first, last) > most:
        raise DataError(
            f"neither end of the lines looks like a label: {first} and {last} distinct values in {len(lines)} lines",
            where=path,
            expected="a label at the beginning or end of each line",
            next_step="state `separator` and `label`, or `label: none` for text without labels",
        )
    return separator, "first" if first <= last else "last"


def _read_tree(settings: TextFileSettings, path: Path) -> Rows:
    with opened(path) as tree:
        found, texts = [], []
        quarantined, files = list(tree.quarantined), dict(tree.archive)
        for member in tree.members:
            try:
                if member.size > settings.max_bytes:
                    raise DataError(f"{member.size} bytes", expected=f"at most max_bytes = {settings.max_bytes}")
                data = member.read()
                if not tree.archive:
                    files[member.name] = digest(data)
                text = _whole(data, settings, member.name)
            except DataError as error:
                quarantined.append(Quarantined(member.name, str(error)))
                continue
            found.append(member)
            texts.append(text)
    _refuse_nothing(texts, quarantined, path)
    return Rows(
        {"text": texts, "label": [member.label for member in found]},
        [member.name for member in found],
        tuple(quarantined),
        files,
        [member.part or "train" for member in found] if found[0].part else None,
    )


def _read_unlabelled(settings: TextFileSettings, base: Path) -> Rows:
    texts, origins, parts = [], [], []
    quarantined: list[Quarantined] = []
    files: dict[str, str] = {}
    expected = "a text file or a folder of them"
    if isinstance(settings.path, tuple):
        located = [
            Located("", place, place.name)
            for place in (locate(path, base, expected=expected) for path in settings.path)
        ]
    else:
        located = locate_parts(settings.path, base, expected=expected)
    for file in located:
        inside = sorted(file.path.glob("*.txt")) if file.path.is_dir() else [file.path]
        for path in inside:
            name = f"{file.name}/{path.name}" if file.path.is_dir() else file.name
            data = read_bytes(path)
            files[name] = digest(data)
            try:
                texts.append(_whole(data, settings, name))
            except DataError as error:
                quarantined.append(Quarantined(name, str(error)))
                continue
            origins.append(name)
            parts.append(file.part)
    _refuse_nothing(texts, quarantined, located[0].path)
    return Rows({"text": texts}, origins, tuple(quarantined), files, parts if located[0].part else None)


def _whole(data: bytes, settings: TextFileSettings, name: str) -> str:
    decoded = decode_text(data, settings, name)
    if decoded.damage:
        line, reason = next(iter(decoded.damage.items()))
        raise DataError(f"line {line}: {reason}", expected="`errors: replace` or the right `encoding`")
    if not decoded.text.strip():
        raise DataError("no text")
    if "\0" in decoded.text:
        raise DataError(f"a NUL byte in line {decoded.text[: decoded.text.index(chr(0))].count(chr(10)) + 1}")
    return decoded.text


def _refuse_nothing(texts: list[str], quarantined: list[Quarantined], path: Path) -> None:
    if not texts:
        first = f"; the first: {quarantined[0].origin}: {quarantined[0].reason}" if quarantined else ""
        raise DataError(f"no usable text{first}", where=path, expected="at least one")
