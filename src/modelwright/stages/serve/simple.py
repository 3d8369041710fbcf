"""The simple interface: `{"text": ...}`, `{"fields": {...}}`, `{"image": base64}`, a list of these, or picture files as they are."""

from __future__ import annotations

import re
from typing import Any

from .door import Columns, Door
from .refusal import Refused, bad, short
from .strict import read_json, require_known

JSON = "application/json"
FORM = "multipart/form-data"
BOUNDARY = re.compile(r'boundary="?([^";,]{1,70})"?')
PART_NAME = re.compile(rb'name="([^"]*)"')


def read_question(door: Door, content_type: str, body: bytes, most: int) -> tuple[Columns, list[str], bool]:
    """Return the columns of a question, a name for each row, and whether it was a list.

    Raises:
        Refused: 400 naming the field, 415 for a type of content that is not understood.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == FORM:
        items, names, many = _form(door, content_type, body)
    elif kind.startswith("image/") or kind == "application/octet-stream":
        if door.key != "image":
            raise Refused(415, f"content of type {short(kind)}", field="Content-Type", expected=JSON)
        items, names, many = [body], ["body"], False
    elif kind in ("", JSON) or kind.endswith("+json"):
        items, names, many = _json(door, body, most)
    else:
        raise Refused(415, f"content of type {short(kind)}", field="Content-Type", expected=_types(door))
    if not items:
        raise bad("body", "no input", "at least one")
    if len(items) > most:
        raise bad("body", f"{len(items)} inputs", f"at most {most}")
    return door.from_items(items, names), names, many


def _types(door: Door) -> str:
    return f"{JSON}, {FORM} or a picture" if door.key == "image" else f"{JSON} or {FORM}"


def _json(door: Door, body: bytes, most: int) -> tuple[list[Any], list[str], bool]:
    found = read_json(body)
    many = isinstance(found, list)
    entries = found if many else [found]
    if len(entries) > most:
        raise bad("body", f"{len(entries)} inputs", f"at most {most}")
    items, names = [], []
    for number, entry in enumerate(entries):
        before = f"[{number}]." if many else ""
        if not isinstance(entry, dict):
            raise bad(f"[{number}]" if many else "body", short(entry), f'an object such as {{"{door.key}": ...}}')
        if door.key not in entry:
            raise bad(f"{before}{door.key}", "the field is missing", f'an object such as {{"{door.key}": ...}}')
        require_known(entry, (door.key,), before)
        items.append(entry[door.key])
        names.append(f"{before}{door.key}")
    return items, names, many


def _form(door: Door, content_type: str, body: bytes) -> tuple[list[Any], list[str], bool]:
    """Read the parts of a form that carry the key of the door, or a file."""
    boundary = BOUNDARY.search(content_type)
    if boundary is None:
        raise bad("Content-Type", "a form without its boundary", f"{FORM}; boundary=...")
    pieces = body.split(b"--" + boundary[1].encode("latin-1"))
    if len(pieces) < 3 or not pieces[-1].startswith(b"--"):
        raise bad("body", "a form that does not end", f"parts between the boundary '{short(boundary[1])[1:-1]}'")
    items: list[Any] = []
    names: list[str] = []
    for piece in pieces[1:-1]:
        head, blank, content = piece.partition(b"\r\n\r\n")
        name = PART_NAME.search(head)
        if not blank or name is None:
            raise bad("body", "a part of the form without a name", 'Content-Disposition: form-data; name="..."')
        field = name[1].decode("utf-8", "replace")
        if field != door.key and b"filename=" not in head:
            raise bad(short(field)[1:-1], "an unknown field", door.key)
        items.append(_value(door, content.removesuffix(b"\r\n"), field))
        names.append(f"{short(field)[1:-1]}[{len(names)}]")
    return items, names, len(items) > 1


def _value(door: Door, content: bytes, field: str) -> Any:
    if door.key == "image":
        return content
    if door.key == "fields":
        return read_json(content)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise bad(field, f"byte {error.start} is not UTF-8", "a text in UTF-8") from None
