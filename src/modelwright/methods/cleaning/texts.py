"""Texts made tidy, each by a rule that changes nothing the second time, and texts that are hardly any."""

from __future__ import annotations

import html
import re
import unicodedata
from collections import Counter

TAG = re.compile(r"</?[A-Za-z][^<>]{0,500}>|<!--.*?-->", re.DOTALL)
# Entities whose ampersand was lost on the way, as in some collections of news: it#39;s quot;goodquot;
BARE_ENTITY = re.compile(r"(?<!&)(#\d{2,6}|#x[0-9A-Fa-f]{2,6}|quot|(?<!\w)(?:amp|lt|gt|apos|nbsp));")
PIECE, LONG = 10, 60


def normalise_unicode(text: str, form: str) -> str:
    """Return the text in a normal form, NFC or NFKC.

    Source: Unicode Standard Annex 15, section 1.2.
    """
    return unicodedata.normalize(form, text)  # type: ignore[arg-type]


def strip_html(text: str) -> str:
    """Take out tags and comments, and turn entities into what they stand for, until nothing is left to turn.

    Source: HTML Living Standard, sections 13.1.2 and 13.5.
    """
    # An entity may stand for a part of another one (&amp;lt;), so once is not always enough.
    before = ""
    while text != before:
        before, text = text, html.unescape(BARE_ENTITY.sub(r"&\1;", TAG.sub(" ", text)))
    return text


def strip_controls(text: str) -> str:
    """Take out control, format and unassigned characters; line ends and tabs become blanks.

    Joiners stay between letters, where some scripts and pictures made of several characters need them.

    Source: Unicode Standard, section 4.5 (general categories Cc, Cf, Cn, Co, Cs).
    """
    kept = []
    for character in text:
        if character in "\t\n\r\v\f\x85\u2028\u2029":
            kept.append(" ")
        elif character in "\u200c\u200d" or not unicodedata.category(character).startswith("C"):
            kept.append(character)
    return "".join(kept)


def squeeze_spaces(text: str) -> str:
    """Make one blank of each run of blanks, and none at the ends.

    Source: Unicode Standard, section 6.2 (space characters).
    """
    return " ".join(text.split())


def quality_problem(text: str, shortest: int, longest: int, letters: float, repeated: float) -> str:
    """Say what speaks against a text: too short, too long, mostly no words, the same over and over; or nothing.

    Source: Rae et al. 2021, Scaling language models (Gopher), appendix A.1.1, its rules for length, symbols and repetition.
    """
    words = sum(character.isalnum() for character in text)
    if words < shortest:
        return f"{words} letters and digits, fewer than {shortest}"
    if longest and len(text) > longest:
        return f"{len(text)} characters, more than {longest}"
    solid = sum(not character.isspace() for character in text)
    if solid and words < letters * solid:
        return f"{words / solid:.0%} letters and digits, less than {letters:.0%}"
    if len(text) >= LONG:
        pieces = Counter(text[start : start + PIECE] for start in range(len(text) - PIECE + 1))
        piece, times = pieces.most_common(1)[0]
        share = min(1.0, times * PIECE / len(text)) if times > 2 else 0.0
        if share > repeated:
            return f"{piece!r} stands {times} times, {share:.0%} of the text and more than {repeated:.0%}"
    return ""


def scripts_of(text: str) -> Counter[str]:
    """Count the letters of a text by script: latin, han, cyrillic, ...

    Source: Unicode Standard Annex 24, section 2; the script stands first in the name of each letter.
    """
    counts: Counter[str] = Counter()
    for character in text:
        if character.isalpha():
            word = unicodedata.name(character, "OTHER").split()[0].lower()
            counts["han" if word == "cjk" else word] += 1
    return counts
