"""CSV, TSV and their kin: tables and texts in delimited files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from modelwright.core.errors import DataError
from modelwright.core.settings import AUTO, Auto, Sequence

from .decoding import Decoded, TextSettings, decode_text
from .files import Located, PartName, digest, locate_parts, read_bytes
from .packing import unpacked
from .records import Dialect, Records, guess_delimiter, looks_like_header, split
from .rows import Quarantined, Rows
from .table import TableSettings, assemble


class CsvSettings(TableSettings, TextSettings):
    """One delimited file, or one for each part."""

    kind: Literal["csv"] = "csv"
    path: str | dict[PartName, str] = Field(
        description="A file, or {train: a.csv, test: b.csv}, relative to the recipe."
    )
    delimiter: str = Field(default=AUTO, description="auto, or a single character; '\\t' is a tab.")
    header: Auto | bool = Field(default=AUTO, description="Whether the first record names the columns.")
    names: Sequence[str] = Field(default=(), description="Names of the columns, where the file has none or others.")
    quoting: Literal["standard", "none"] = Field(default="standard", description="none: a quote is like any character.")
    strip: bool = Field(default=True, description="Take blanks off both ends of each field.")
    comment: str = Field(default="", description="A line that begins with this is skipped; empty: none is.")
    skip: Annotated[int, Field(ge=0)] | dict[PartName, Annotated[int, Field(ge=0)]] = Field(
        default=0, description="Lines to skip at the top of the file, or of each part's file."
    )
    max_field: int = Field(
        default=2**20, gt=0, lt=2**31, description="Characters; a row with a longer field is quarantined."
    )

    def model_post_init(self, context: Any) -> None:
        if self.delimiter != AUTO and (len(self.delimiter) != 1 or self.delimiter in '"\r\n'):
            raise ValueError(f"found the delimiter {self.delimiter!r}, expected auto or one character")


def read(settings: CsvSettings, base: Path) -> Rows:
    """Return the rows of every file, the columns typed over all files together.

    Raises:
        DataError: a file is missing, in no known encoding, empty, or its columns are not those of the first file.
    """
    names: list[str] = []
    every, origins, parts, quarantined, files = [], [], [], [], {}
    located = locate_parts(settings.path, base, expected="a delimited text file")
    for file in located:
        data = read_bytes(file.path)
        files[file.name] = digest(data)
        names, records = _read_file(settings, decode_text(unpacked(data, file.path), settings, file.path), file, names)
        every += records.fields
        origins += [f"{file.name}:{line}" for line in records.lines]
        parts += [file.part] * len(records.lines)
        quarantined += records.quarantined
    return assemble(
        _columns(names, every, settings.strip),
        origins,
        settings,
        where=", ".join(str(file.path) for file in located),
        quarantined=quarantined,
        files=files,
        parts=parts if located[0].part else None,
    )


def _columns(names: list[str], records: list[list[str]], strip: bool) -> dict[str, list[str]]:
    columns = zip(*records, strict=True) if records else [()] * len(names)
    return {
        name: [*map(str.strip, column)] if strip else [*column] for name, column in zip(names, columns, strict=True)
    }


def _read_file(settings: CsvSettings, decoded: Decoded, file: Located, names: list[str]) -> tuple[list[str], Records]:
    """Return the names of the columns, `names` if an earlier file gave them, and the records of this file."""
    skips: dict[str, int] = dict(settings.skip.items()) if isinstance(settings.skip, dict) else {}
    skip = skips.get(file.part, 0) if isinstance(settings.skip, dict) else settings.skip
    quoted = settings.quoting == "standard"
    delimiter = settings.delimiter
    if delimiter == AUTO:
        delimiter = guess_delimiter(decoded.text, skip, quoted, settings.strip, settings.comment, settings.max_field)
    dialect = Dialect(delimiter, quoted, settings.strip, settings.comment, settings.max_field)
    records = split(decoded, dialect, file.name, skip, len(names) or len(settings.names))
    header = _header(settings, records, names) if records.fields else []
    if names and header and header != names:
        raise DataError(
            f"the columns {', '.join(header)}", where=file.path, expected=f"those of the first file: {', '.join(names)}"
        )
    if header:
        _drop_header(records, file.name)
    if not records.fields:
        first = records.quarantined[0] if records.quarantined else None
        reason = f" among {len(records.quarantined)}; the first: {first.origin}: {first.reason}" if first else ""
        raise DataError(f"no usable row{reason}", where=file.path, expected="rows")
    names = names or list(settings.names) or header or [f"column_{at + 1}" for at in range(len(records.fields[0]))]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(
            f"the column {', '.join(twice)} is there twice",
            where=file.path,
            expected="names that differ",
            next_step="state `names` for the columns",
        )
    return names, records


def _header(settings: CsvSettings, records: Records, names: list[str]) -> list[str]:
    """Return the names in the first record, or none when it is a row."""
    first = [name.strip() for name in records.fields[0]]
    known = names or list(settings.names)
    is_same = [name.casefold() for name in first] == [name.casefold() for name in known]
    if settings.header != AUTO:
        is_header = settings.header
    elif settings.names:
        is_header = is_same
    else:
        is_header = is_same or looks_like_header(first, records.fields[1:], frozenset(settings.missing))
    if not is_header:
        return []
    if is_same or settings.names:
        return known
    return [name or f"column_{at + 1}" for at, name in enumerate(first)]


def _drop_header(records: Records, file: str) -> None:
    """Take the header off the records, and quarantine it wherever it comes again."""
    header = records.fields[0]
    again = [at for at, record in enumerate(records.fields) if at and record == header]
    records.quarantined += [Quarantined(f"{file}:{records.lines[at]}", "repeats the header") for at in again]
    for at in reversed([0, *again]):
        del records.fields[at], records.lines[at]
