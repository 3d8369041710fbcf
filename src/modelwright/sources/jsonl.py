"""JSON Lines: one object a line, its keys the columns."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from modelwright.core.errors import DataError

from .decoding import Decoded, TextSettings, decode_text, lines_of
from .files import Located, PartName, digest, locate_parts, read_bytes
from .packing import unpacked
from .rows import Quarantined, Rows
from .table import TableSettings, assemble

# The line on which an object stands, and the object or what is wrong with it.
Found = tuple[int, dict[str, Any] | str]


class JsonlSettings(TableSettings, TextSettings):
    """One file of JSON Lines, or one for each part."""

    kind: Literal["jsonl"] = "jsonl"
    path: str | dict[PartName, str] = Field(
        description="A file, or {train: a.jsonl, test: b.jsonl}, relative to the recipe."
    )
    max_line: int = Field(default=2**24, gt=0, description="A line of more characters is quarantined.")


def read(settings: JsonlSettings, base: Path) -> Rows:
    """Return one row per object; a key that an object lacks is a missing value.

    Raises:
        DataError: a file is missing, or no line of it is an object.
    """
    located = locate_parts(settings.path, base, expected="a file of JSON Lines")
    return read_objects(
        settings, located, lambda data, path: _objects(decode_text(data, settings, path), settings.max_line)
    )


def read_objects(
    settings: TableSettings, located: list[Located], objects_of: Callable[[bytes, Path], list[Found]]
) -> Rows:
    """Return one row per object of all files, in which `objects_of` finds them.

    Raises:
        DataError: a file holds no object.
    """
    objects: list[dict[str, Any]] = []
    origins: list[str] = []
    parts: list[str] = []
    quarantined: list[Quarantined] = []
    files: dict[str, str] = {}
    for file in located:
        data = read_bytes(file.path)
        files[file.name] = digest(data)
        before = len(objects)
        for line, found in objects_of(unpacked(data, file.path), file.path):
            if isinstance(found, str):
                quarantined.append(Quarantined(f"{file.name}:{line}", found))
            else:
                objects.append(found)
                origins.append(f"{file.name}:{line}")
        if len(objects) == before:
            first = f"; the first: {quarantined[0].origin}: {quarantined[0].reason}" if quarantined else ""
            raise DataError(f"no object in it{first}", where=file.path, expected="JSON objects")
        parts += [file.part] * (len(objects) - before)
    names = dict.fromkeys(name for found in objects for name in found)
    return assemble(
        {name: [found.get(name) for found in objects] for name in names},
        origins,
        settings,
        where=", ".join(str(file.path) for file in located),
        quarantined=quarantined,
        files=files,
        parts=parts if located[0].part else None,
    )


def _objects(decoded: Decoded, max_line: int) -> list[Found]:
    """Return for each line that is not blank its number and its object, or what is wrong with it."""
    found: list[Found] = []
    for number, line in enumerate(lines_of(decoded.text), 1):
        if not line.strip():
            continue
        damage = decoded.damage_between(number, number)
        if not damage and len(line) > max_line:
            damage = f"a line of {len(line)} characters, expected at most {max_line}"
        found.append((number, damage or _parse(line.rstrip("\r\n"))))
    return found


def _parse(line: str) -> dict[str, Any] | str:
    try:
        value = json.loads(line, parse_constant=refuse)
    except json.JSONDecodeError as error:
        return f"not JSON: {error.msg} at column {error.colno}"
    except (ValueError, RecursionError) as error:
        return f"not usable JSON: {error}"
    return object_or_reason(value, line)


def object_or_reason(value: Any, text: str) -> dict[str, Any] | str:
    """Return what was parsed from `text` if it is an object that can be written again, else why not."""
    if not isinstance(value, dict):
        return f"a JSON {type(value).__name__}, expected an object"
    if "\\ud" in text.lower() and not _is_encodable(value):
        return "half of a surrogate pair, which no encoding can write"
    return value


def refuse(constant: str) -> None:
    """Refuse NaN and the infinities, which Python's parser takes and JSON does not know."""
    raise ValueError(f"{constant} is not a number in JSON")


def _is_encodable(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
