"""Parquet files, read with pyarrow."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from modelwright.core.errors import DataError, MissingExtra

from .files import PartName, digest, locate_parts, read_bytes
from .rows import Rows
from .table import TableSettings, assemble


class ParquetSettings(TableSettings):
    """One parquet file, or one for each part."""

    kind: Literal["parquet"] = "parquet"
    path: str | dict[PartName, str] = Field(description="A file, or {train: a.parquet, ...}, relative to the recipe.")


def read(settings: ParquetSettings, base: Path) -> Rows:
    """Return the rows of every file; the rows of a parquet file are counted from 0.

    Raises:
        MissingExtra: pyarrow is not installed.
        DataError: a file is missing or damaged, or its columns are not those of the first file.
    """
    raw: dict[str, list[Any]] = {}
    origins: list[str] = []
    parts: list[str] = []
    files: dict[str, str] = {}
    located = locate_parts(settings.path, base, expected="a parquet file")
    for file in located:
        data = read_bytes(file.path)
        columns, count = _read_columns(data, file.path)
        if raw and list(columns) != list(raw):
            raise DataError(
                f"the columns {', '.join(columns)}",
                where=file.path,
                expected=f"those of the first file: {', '.join(raw)}",
            )
        files[file.name] = digest(data)
        for name, values in columns.items():
            raw.setdefault(name, []).extend(values)
        origins += [f"{file.name}:{at}" for at in range(count)]
        parts += [file.part] * count
    return assemble(
        raw,
        origins,
        settings,
        where=", ".join(str(file.path) for file in located),
        files=files,
        parts=parts if located[0].part else None,
    )


def _read_columns(data: bytes, path: Path) -> tuple[dict[str, list[Any]], int]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingExtra(
            "pyarrow is not installed",
            where=path,
            expected="it, to read parquet",
            next_step="pip install 'modelwright[data]'",
        ) from None
    try:
        table = pyarrow.parquet.read_table(pyarrow.BufferReader(data))
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"not a whole parquet file: {error}", where=path, expected="a parquet file") from None
    if len(set(table.column_names)) < len(table.column_names):
        raise DataError("a column name is there twice", where=path, expected="names that differ")
    return {name: table.column(name).to_pylist() for name in table.column_names}, table.num_rows
