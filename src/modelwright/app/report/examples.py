"""The worst examples as cards: a picture, a text or fields, with what was true, what was answered and how surely."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .quantities import count, finite, percent

MAGIC = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif", b"RIFF": "image/webp"}
# All pictures of one page together, so that the page stays small enough to be sent by mail.
PICTURE_BYTES = 900_000
# Pictures narrower than this are drawn in blocks, pixel by pixel, instead of being smoothed.
PIXELS = 96
TEXT_SHOWN, TEXT_LONGEST, FIELDS_SHOWN = 280, 4000, 24


@dataclass(frozen=True)
class Card:
    """One example, ready to be shown."""

    rank: int
    row: str
    true: str
    answered: str
    wrong: bool
    probability_of_target: str
    probability_of_answer: str
    width_of_target: float
    width_of_answer: float
    picture: str
    pixelated: bool
    text: str
    rest: str
    fields: tuple[tuple[str, str], ...]
    missing: bool


def view_worst(evaluation: dict[str, Any], folder: Path) -> tuple[Card, ...]:
    """Return the cards of an evaluation; pictures are taken from its folder only, until they weigh too much."""
    cards, left = [], PICTURE_BYTES
    for rank, item in enumerate(evaluation.get("worst") or [], 1):
        if not isinstance(item, dict):
            continue
        content = read_picture(folder, item.get("image"))
        if len(content) > left:
            content = b""
        left -= len(content)
        cards.append(_card(rank, item, content))
    return tuple(cards)


def _card(rank: int, item: dict[str, Any], content: bytes) -> Card:
    target, answer = finite(item.get("probability_of_target")), finite(item.get("probability_of_answer"))
    text = str(item.get("text", ""))[:TEXT_LONGEST]
    fields = item.get("fields") if isinstance(item.get("fields"), dict) else {}
    row = finite(item.get("row"))
    return Card(
        rank=rank,
        row=count(row) if row is not None else "",
        true=str(item.get("target", "")),
        answered=str(item.get("answer", "")),
        wrong=item.get("target") != item.get("answer"),
        probability_of_target=percent(target) if target is not None else "–",
        probability_of_answer=percent(answer) if answer is not None else "–",
        width_of_target=round(100 * (target or 0.0), 2),
        width_of_answer=round(100 * (answer or 0.0), 2),
        picture=f"data:{type_of(content)};base64,{base64.b64encode(content).decode()}" if content else "",
        pixelated=width_of(content) < PIXELS,
        text=text[:TEXT_SHOWN],
        rest=text[TEXT_SHOWN:],
        fields=tuple(
            (str(name), "–" if value is None else str(value)[:120])
            for name, value in list((fields or {}).items())[:FIELDS_SHOWN]
        ),
        missing="image" in item and not content,
    )


def read_picture(folder: Path, name: Any) -> bytes:
    """Read a picture that lies directly in the folder and is one by its first bytes."""
    if not isinstance(name, str) or Path(name).name != name:
        return b""
    path = folder / name
    if not path.is_file() or path.is_symlink() or path.stat().st_size > PICTURE_BYTES:
        return b""
    content = path.read_bytes()
    return content if type_of(content) else b""


def type_of(content: bytes) -> str:
    """Return what kind of picture the bytes are, or nothing."""
    return next((kind for magic, kind in MAGIC.items() if content.startswith(magic)), "")


def width_of(content: bytes) -> int:
    """Read the width from a PNG's header; other formats are taken to be photographs."""
    return int.from_bytes(content[16:20], "big") if content.startswith(b"\x89PNG") else PIXELS
