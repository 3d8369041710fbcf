"""Inputs of a prediction: what somebody types or drops, to rows, by the same code that read the training data."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

from ..core.errors import DataError
from .files import read_bytes
from .images import decode
from .rows import Rows

MISSING = frozenset({"", "?", "NA", "NaN", "nan"})


def read_images(inputs: list[str], learnt: dict[str, Any]) -> Rows:
    """Read picture files in the size and mode that the model was trained on.

    Raises:
        DataError: names the file that is not a readable picture.
    """
    import numpy as np

    mode: Any = "grey" if learnt["channels"] == 1 else "rgb"
    pictures = []
    for name in inputs:
        try:
            pictures.append(decode(read_bytes(Path(name)), (learnt["height"], learnt["width"]), mode))
        except DataError as error:
            raise DataError(error.problems[0].found, where=name, expected="a picture such as PNG or JPEG") from None
    return Rows({"image": np.stack(pictures)}, list(inputs), (), {}, None)


def read_photos(inputs: list[str], learnt: dict[str, Any]) -> Rows:
    """Read picture files, and all those of folders, each at its own size.

    Raises:
        DataError: names the file that is not a readable picture, or the folder without any.
    """
    names = []
    for name in inputs:
        found = sorted(str(file) for file in Path(name).iterdir() if file.is_file()) if Path(name).is_dir() else [name]
        if not found:
            raise DataError("the folder is empty", where=name, expected="pictures such as PNG or JPEG")
        names += found
    pictures = []
    for name in names:
        try:
            pictures.append(decode(read_bytes(Path(name)), mode="rgb"))
        except DataError as error:
            raise DataError(error.problems[0].found, where=name, expected="a picture such as PNG or JPEG") from None
    return Rows({"picture": pictures}, names, (), {}, None)


def read_texts(inputs: list[str], learnt: dict[str, Any]) -> Rows:
    """Take each input as the text itself, or as a file of one text where a file of that name is there.

    Raises:
        DataError: a file is not UTF-8.
    """
    texts = []
    for text in inputs:
        try:
            # A long text is not a name, and asking the system for it would be an error of its own.
            texts.append(Path(text).read_text(encoding="utf-8") if len(text) < 256 and Path(text).is_file() else text)
        except UnicodeDecodeError as error:
            raise DataError(f"byte {error.start} is not UTF-8", where=text, expected="a text file in UTF-8") from None
    return Rows({"text": texts}, [text[:40] for text in inputs], (), {}, None)


def read_records(inputs: list[str], learnt: dict[str, Any]) -> Rows:
    """Read rows of a table: each input is a JSON object, or a CSV file with a header line.

    Raises:
        DataError: names the input, and the column that is missing or unreadable.
    """
    records: list[dict[str, Any]] = []
    origins: list[str] = []
    for text in inputs:
        found = [_object(text)] if text.lstrip().startswith("{") else _file(text)
        origins += [text[:40] if len(found) == 1 else f"{text}:{line}" for line in range(2, len(found) + 2)]
        records += found
    columns = {}
    for column in learnt["columns"]:
        columns[column["name"]] = [
            _cell(record, column, origin) for record, origin in zip(records, origins, strict=True)
        ]
    return Rows(columns, origins, (), {}, None)


def _object(text: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise DataError(
            f"this is not JSON: {error}", where=text[:40], expected="one JSON object, column by column"
        ) from None
    return found


def _file(name: str) -> list[dict[str, Any]]:
    try:
        text = read_bytes(Path(name)).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"byte {error.start} is not UTF-8", where=name, expected="a CSV file in UTF-8") from None
    return list(csv.DictReader(io.StringIO(text), skipinitialspace=True))


def _cell(record: dict[str, Any], column: dict[str, Any], origin: str) -> Any:
    if column["name"] not in record:
        raise DataError(
            f"the column '{column['name']}' is missing",
            where=origin,
            expected="every column that the model was trained on; null for a missing value",
        )
    value = record[column["name"]]
    if value is None or (isinstance(value, str) and value.strip() in MISSING):
        return None
    if column["type"] == "number":
        try:
            return float(value)
        except (TypeError, ValueError):
            raise DataError(
                f"'{value}' is not a number", where=f"{origin}, column {column['name']}", expected="a number"
            ) from None
    return value.strip() if isinstance(value, str) else value
