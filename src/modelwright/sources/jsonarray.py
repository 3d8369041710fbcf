"""A JSON file that holds one array of objects, or a folder of such files; the keys of the objects are the columns."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from modelwright.core.errors import DataError

from .decoding import LINE_END, TextSettings, decode_text
from .files import Located, PartName, locate, locate_parts
from .jsonl import Found, object_or_reason, read_objects, refuse
from .rows import Rows
from .table import TableSettings

BLANKS = re.compile(r"\s*")


class JsonSettings(TableSettings, TextSettings):
    """One JSON file of an array of objects, one for each part, or a folder of them."""

    kind: Literal["json"] = "json"
    path: str | dict[PartName, str] = Field(
        description="A file, {train: a.json, test: b.json}, or a folder whose .json files are read in the order of their "
        "names; relative to the recipe."
    )


def read(settings: JsonSettings, base: Path) -> Rows:
    """Return one row per object; a list of texts in it becomes one text of as many lines.

    Raises:
        DataError: a file is missing, is not an array of objects, or is damaged.
    """
    return read_objects(settings, _located(settings, base), lambda data, path: _objects(data, settings, path))


def _located(settings: JsonSettings, base: Path) -> list[Located]:
    expected = "a JSON file, or a folder of them"
    if isinstance(settings.path, str) and (folder := locate(settings.path, base, expected=expected)).is_dir():
        files = sorted(path for path in folder.iterdir() if path.name.lower().endswith((".json", ".json.gz")))
        if not files:
            raise DataError("no file whose name ends in .json", where=folder, expected=expected)
        return [Located("", path, path.name) for path in files]
    return locate_parts(settings.path, base, expected=expected)


def _objects(data: bytes, settings: JsonSettings, path: Path) -> list[Found]:
    """Return for each element of the array the line it begins on, and the object or what is wrong with it."""
    decoded = decode_text(data, settings, path)
    text, decoder = decoded.text, json.JSONDecoder(parse_constant=refuse)
    at, line, found = _past_blanks(text, 0), 1, []
    if text[at : at + 1] != "[":
        raise DataError(
            f"begins with {text[at : at + 20]!r}",
            where=path,
            expected="an array of objects, which begins with '['",
            next_step="one object a line is read by kind: jsonl",
        )
    line += _lines_in(text[:at])
    here, at = at, _past_blanks(text, at + 1)
    while text[at : at + 1] != "]":
        line, here = line + _lines_in(text[here:at]), at
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            raise DataError(
                f"not JSON: {getattr(error, 'msg', error)}", where=f"{path}:{line}", expected="a whole JSON array"
            ) from None
        last = line + _lines_in(text[here:at])
        found.append((line, decoded.damage_between(line, last) or object_or_reason(_with_lines(value), text[here:at])))
        at = _past_blanks(text, at)
        if text[at : at + 1] == ",":
            at = _past_blanks(text, at + 1)
        elif text[at : at + 1] != "]":
            raise DataError(
                f"{text[at : at + 20]!r} after an element" if at < len(text) else "the array has no end",
                where=f"{path}:{last}",
                expected="',' or ']'",
            )
    return found


def _past_blanks(text: str, at: int) -> int:
    blanks = BLANKS.match(text, at)
    return blanks.end() if blanks else at


def _lines_in(text: str) -> int:
    return len(LINE_END.findall(text))


def _with_lines(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {
        key: "\n".join(inner) if isinstance(inner, list) and inner and all(type(one) is str for one in inner) else inner
        for key, inner in value.items()
    }
