"""Personal data in a column: how many rows hold which kind, and where the first ones are; never what it is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ...methods.cleaning.personal import PATTERNS, find_personal

KINDS = tuple(kind for kind in PATTERNS if kind != "url")
# Where none of these stands, no pattern can match.
TRACE = re.compile(r"@|\d{3}|\d号|\d[ -]\d")
# Words by which a column says that it holds who somebody is.
NAMED = re.compile(
    r"(^|[_ -])(name|names|surname|forename|first ?name|last ?name|full ?name|user ?name|e-?mail|phone|mobile|telephone|address|"
    r"birth(day|date)?|passport|ssn|iban)([_ -]|$)|姓名|名字|电话|手机|邮箱|地址|住址|身份证|证件|生日|出生|护照",
    re.IGNORECASE,
)
SHOWN = 5


@dataclass
class Found:
    """State: rows with personal data so far, how many of each kind, and the first of them."""

    counts: Counter[str] = field(default_factory=Counter)
    rows: set[int] = field(default_factory=set)
    first: list[list[str]] = field(default_factory=list)


def find_in(values: Sequence[Any], origins: Sequence[str]) -> Found:
    """Look through the texts of a column."""
    found = Found()
    for row, value in enumerate(values):
        if isinstance(value, str) and TRACE.search(value):
            kinds = sorted({kind for kind, _, _ in find_personal(value, KINDS)})
            found.counts.update(kinds)
            if kinds:
                found.rows.add(row)
                if len(found.first) < SHOWN:
                    found.first.append([origins[row], ", ".join(kinds)])
    return found


def is_named(column: str) -> bool:
    """Return whether a column's name says that it tells who somebody is."""
    return bool(NAMED.search(column))
