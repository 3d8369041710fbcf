"""Bytes of a text file to characters: which encoding it is in, and which lines are in none."""

from __future__ import annotations

import codecs
import io
import re
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from modelwright.core.errors import DataError
from modelwright.core.settings import AUTO, Settings

# UTF-32 before UTF-16, whose mark is the beginning of its own.
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
UNDECODABLE = re.compile("[\udc80-\udcff]+")
LINE_END = re.compile("\r\n|\r|\n")


def _known_encoding(name: str) -> str:
    if name != AUTO:
        try:
            codecs.decode(b"", codecs.lookup(name).name)
        except LookupError:
            raise ValueError(
                f"found '{name}', expected auto or an encoding such as utf-8, gb18030 or latin-1"
            ) from None
    return name


class TextSettings(Settings):
    """How the bytes of a text file become characters."""

    encoding: Annotated[str, AfterValidator(_known_encoding)] = Field(
        default=AUTO, description="auto: by byte order mark, else UTF-8, else GB18030; or the name of an encoding."
    )
    errors: Literal["strict", "replace"] = Field(
        default="strict",
        description="strict: quarantine a row with bytes that do not fit; replace: they become U+FFFD.",
    )


@dataclass(frozen=True)
class Decoded:
    """A text, its encoding, and by line number (from 1) what could not be decoded.

    Undecodable bytes are in the text as single surrogates, so that the row around them can be found.
    """

    text: str
    encoding: str
    damage: dict[int, str]

    def damage_between(self, first: int, last: int) -> str:
        """Say what is wrong in the lines from `first` to `last`, empty when nothing is."""
        return (
            next((self.damage[line] for line in range(first, last + 1) if line in self.damage), "")
            if self.damage
            else ""
        )


def decode_text(data: bytes, settings: TextSettings, where: object) -> Decoded:
    """Decode `data` by its byte order mark, the stated encoding, or what it can be shown to be.

    Raises:
        DataError: the stated encoding contradicts the byte order mark, or cannot be recovered from.
    """
    mark, marked = next(((mark, name) for mark, name in BYTE_ORDER_MARKS if data.startswith(mark)), (b"", ""))
    encoding = codecs.lookup(settings.encoding).name if settings.encoding != AUTO else (marked or _guess(data))
    # "utf-16" and "utf-8-sig" read the mark themselves; we have taken it off, so the plain codec must follow.
    encoding = marked if marked and encoding in ("utf-8-sig", "utf-16", "utf-32") else encoding
    if marked and encoding != marked:
        raise DataError(f"a byte order mark of {marked}", where=where, expected=f"encoding {encoding}, as stated")
    body = data[len(mark) :]
    try:
        return Decoded(body.decode(encoding), encoding, {})
    except UnicodeDecodeError:
        if settings.errors == "replace":
            return Decoded(body.decode(encoding, "replace"), encoding, {})
    try:
        text = body.decode(encoding, "surrogateescape")
    except UnicodeDecodeError as error:
        offset = error.start + len(mark)
        raise DataError(
            f"byte 0x{data[offset]:02X} at offset {offset} is not {encoding}: {error.reason}",
            where=where,
            expected=f"text in {encoding}",
            next_step="state the right `encoding`, or `errors: replace`",
        ) from None
    return Decoded(text, encoding, _damage(text, encoding, len(mark)))


def lines_of(text: str) -> list[str]:
    """Split at LF, CRLF and CR only and keep them; str.splitlines would also split inside a field at U+2028."""
    return list(io.StringIO(text, newline=""))


def _guess(data: bytes) -> str:
    """Take UTF-8 unless every line that is not ASCII fails as UTF-8 and reads as Chinese in GB18030."""
    try:
        data.decode("utf-8")
        return "utf-8"
    except UnicodeDecodeError:
        pass
    beyond_ascii = [line for line in data.split(b"\n") if not line.isascii()]
    if any(_decodes(line, "utf-8") for line in beyond_ascii):
        return "utf-8"
    good = [line for line in beyond_ascii if _decodes(line, "gb18030")]
    characters = sum(sum(not letter.isascii() for letter in line.decode("gb18030")) for line in good)
    high_bytes = sum(sum(byte >= 0x80 for byte in line) for line in good)
    # A Chinese character is two high bytes nearly always; a stray Latin-1 letter takes an ASCII neighbour with it.
    is_chinese = len(good) > 0.9 * len(beyond_ascii) and high_bytes >= 1.5 * characters
    return "gb18030" if is_chinese else "utf-8"


def _decodes(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _damage(text: str, encoding: str, offset: int) -> dict[int, str]:
    damage: dict[int, str] = {}
    line, at = 1, 0
    for match in UNDECODABLE.finditer(text):
        between = text[at : match.start()]
        line += len(LINE_END.findall(between))
        offset += len(between.encode(encoding, "surrogateescape"))
        damage.setdefault(line, f"byte 0x{ord(match[0][0]) - 0xDC00:02X} at offset {offset} is not {encoding}")
        offset += len(match[0])
        at = match.end()
    return damage
