"""An answer of a model as a line on the screen."""

from __future__ import annotations

from typing import Any

from .words import say


def answered(item: dict[str, Any]) -> str:
    """Return an answer as a line; what a language model wrote stands right behind what it was asked to go on from."""
    if "text" in item:
        return f"{item['input']}{item['text']}"
    if "picture" in item:
        return f"{item['input']} -> {item['picture'] or say('a picture, not kept')}"
    return f"{item['input']:<32} {item['label']:<16} {item['probability']:.4f}"
