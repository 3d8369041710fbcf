"""A text as a recipe wants it: the rules of texts.py and personal.py in their order."""

from __future__ import annotations

from typing import Any

from .personal import redact
from .texts import normalise_unicode, squeeze_spaces, strip_controls, strip_html


def tidy(text: str, wanted: dict[str, Any]) -> str:
    """Apply what `wanted` (a CleanText as plain data) asks for; a second time changes nothing.

    Source: the order of Wenzek et al. 2020, CCNet, section 3: markup, then characters, then blanks.
    """
    if wanted["html"]:
        text = strip_html(text)
    if wanted["unicode"] != "keep":
        text = normalise_unicode(text, wanted["unicode"])
    if wanted["controls"]:
        text = strip_controls(text)
    if wanted["spaces"]:
        text = squeeze_spaces(text)
    return redact(text, wanted["redact"]) if wanted["redact"] else text
