"""JSON as the standard has it, and no more: no NaN, no doubled keys, no towers of brackets, no half characters."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from .refusal import Refused, bad, short

DEPTH = 32
STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def read_json(body: bytes) -> Any:
    """Read a body.

    Raises:
        Refused: 400 and what is wrong with it.
    """
    _require_flat(body)
    try:
        return json.loads(body, parse_constant=_no_constant, object_pairs_hook=_once)
    except UnicodeDecodeError as error:
        raise bad("body", f"byte {error.start} is not UTF-8", "JSON in UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise bad("body", f"this is not JSON: {error}", "one JSON object") from None


def read_object(body: bytes) -> dict[str, Any]:
    """Read a body that must be a JSON object."""
    found = read_json(body)
    if not isinstance(found, dict):
        raise bad("body", f"a JSON {type(found).__name__}", "a JSON object")
    return found


def require_known(found: dict[str, Any], known: tuple[str, ...], where: str = "") -> None:
    """Refuse keys that nobody reads."""
    for name in found:
        if name not in known:
            raise bad(f"{where}{short(name)[1:-1]}", "an unknown field", f"one of {', '.join(known)}")


def text_of(value: Any, field: str, limit: int) -> str:
    """Return a text that is one: a string of whole characters, not too long."""
    if not isinstance(value, str):
        raise bad(field, f"{short(value)}", "a string")
    if len(value) > limit:
        raise bad(field, f"{len(value)} characters", f"at most {limit}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise bad(field, f"half a character at position {error.start}", "whole characters") from None
    return value


def number_of(value: Any, field: str) -> float:
    """Return a finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise bad(field, short(value), "a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise bad(field, short(value), "a finite number")
    return number


def _no_constant(name: str) -> Any:
    raise Refused(400, f"the literal {name}", field="body", expected="numbers that JSON has")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise bad("body", "a key that stands twice in one object", "each key once")
    return found


def _require_flat(body: bytes) -> None:
    # Counting is cheap; only what might be too deep is walked through.
    if body.count(b"[") + body.count(b"{") <= DEPTH:
        return
    depth = 0
    for bracket in STRING.sub(b"", body).translate(None, NOT_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        if depth > DEPTH:
            raise bad("body", f"more than {DEPTH} brackets inside one another", f"at most {DEPTH}")
