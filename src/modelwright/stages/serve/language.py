"""The door of a language model: a text, and which token follows it. Longer answers have routes of their own (openai_routes)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ...tasks.chat import tokens_before
from ...tasks.vocabulary import Vocabulary
from . import texts
from .door import Columns, Door
from .refusal import bad
from .settings import Serve


def build(learnt: dict[str, Any], settings: Serve) -> Door:
    """Return the door for texts that are to be gone on from: each must fit into one window of the model."""
    door, vocabulary, length = texts.build(learnt, settings), Vocabulary(learnt), learnt["length"]

    def fitting(read: Callable[..., Columns]) -> Callable[..., Columns]:
        def checked(*asked: Any) -> Columns:
            columns = read(*asked)
            for row, text in enumerate(columns["text"]):
                # What stands before the text, such as an end or a template's words, is read, too.
                found = len(tokens_before(text, learnt, vocabulary))
                if found > length:
                    raise bad(f"text[{row}]", f"{found} tokens", f"at most {length}")
            return columns

        return checked

    return replace(door, from_tensors=fitting(door.from_tensors), from_items=fitting(door.from_items))
