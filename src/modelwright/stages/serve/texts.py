"""The door of texts."""

from __future__ import annotations

from functools import partial
from typing import Any

from ...methods.attribution.parts import spans
from .door import Columns, Door, Hidden, Tensor, Values
from .refusal import bad
from .settings import Serve
from .strict import text_of

# More words than these are hidden together with their neighbours.
PARTS = 64


def build(learnt: dict[str, Any], settings: Serve) -> Door:
    """Return the door for texts."""
    limit = settings.text_limit
    return Door(
        key="text",
        tensors=(Tensor("text", "BYTES", (-1,)),),
        schema={"type": "string", "maxLength": limit, "description": "the text"},
        from_tensors=partial(_from_tensors, limit=limit),
        from_items=partial(_from_items, limit=limit),
        hide=_hide,
        example="模匠 makes models",
    )


def _from_tensors(values: Values, limit: int) -> Columns:
    texts = values["text"]
    return {"text": [text_of(as_text(text, f"text[{row}]"), f"text[{row}]", limit) for row, text in enumerate(texts)]}


def _from_items(items: list[Any], names: list[str], limit: int) -> Columns:
    return {"text": [text_of(item, name, limit) for item, name in zip(items, names, strict=True)]}


def as_text(value: Any, field: str) -> Any:
    """Return the text that bytes of a tensor hold."""
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise bad(field, f"byte {error.start} is not UTF-8", "a text in UTF-8") from None


def _hide(columns: Columns) -> list[Hidden]:
    text = columns["text"][0]
    return [
        Hidden({"start": start, "end": end, "text": text[start:end]}, {"text": [text[:start] + text[end:]]})
        for start, end in spans(text, PARTS)
    ]
