"""Personal data in texts: what it looks like, whether its check digit holds, and how it is covered."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

PATTERNS = {
    "email": re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,24}(?![\w-])"),
    "url": re.compile(r"\bhttps?://[^\s<>\"'，。；、）)]+", re.IGNORECASE),
    # 18 characters: region, date of birth, number, check digit.
    "id_number": re.compile(
        r"(?<![0-9A-Za-z])[1-9]\d{5}(?:18|19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[0-9Xx](?![0-9A-Za-z])"
    ),
    "bank_card": re.compile(r"(?<!\d)\d(?:[ -]?\d){12,18}(?!\d)"),
    # Chinese mobile numbers; then international ones; then North American ones.
    "phone": re.compile(
        r"(?<![\d+])(?:(?:\+?86[ -]?)?1[3-9]\d(?:[ -]?\d{4}){2}|\+\d{1,3}(?:[ -]?\(?\d{1,4}\)?){2,5}\d"
        r"|\(?\d{3}\)?[ -.]\d{3}[ -.]\d{4}|0\d{2,3}[ -]\d{7,8})(?!\d)"
    ),
    "address": re.compile(r"[\u4e00-\u9fff]{2,8}(?:路|街|大道|巷|弄)\d{1,5}号(?:[\u4e00-\u9fff\d]{0,6}[室楼号])?"),
}
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
CHECKS = "10X98765432"


def find_personal(text: str, kinds: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """Yield (kind, start, end) of what looks like personal data, in the order of the text and without overlaps.

    Numbers that carry a check digit count only where it holds. Names of people are not found: no pattern tells them.

    Source: GB 11643-1999, section 4.2 (check character); ISO/IEC 7812-1:2017, annex B (Luhn); RFC 5322, section 3.4.1.
    """
    taken: list[tuple[int, int, str]] = []
    for kind, pattern in PATTERNS.items():
        if kind in kinds:
            for match in pattern.finditer(text):
                start, end = match.span()
                free = all(end <= other or start >= last for other, last, _ in taken)
                if free and _holds(kind, match.group()):
                    taken.append((start, end, kind))
    yield from ((kind, start, end) for start, end, kind in sorted(taken))


def redact(text: str, kinds: Sequence[str]) -> str:
    """Replace personal data by its kind in square brackets.

    Source: ISO/IEC 20889:2018, section 9.3 (suppression).
    """
    pieces, before = [], 0
    for kind, start, end in find_personal(text, kinds):
        pieces += [text[before:start], f"[{kind}]"]
        before = end
    return "".join([*pieces, text[before:]])


def id_number_holds(number: str) -> bool:
    """Return whether the check character of an 18-character Chinese identity number is right.

    Source: GB 11643-1999, section 4.2, ISO 7064 MOD 11-2.
    """
    total = sum(weight * int(digit) for weight, digit in zip(WEIGHTS, number[:17], strict=True))
    return CHECKS[total % 11] == number[17].upper()


def luhn_holds(number: str) -> bool:
    """Return whether the check digit of a card number is right.

    Source: ISO/IEC 7812-1:2017, annex B.
    """
    digits = [int(character) for character in number if character.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _holds(kind: str, found: str) -> bool:
    if kind == "id_number":
        return id_number_holds(found)
    return luhn_holds(found) if kind == "bank_card" else True
