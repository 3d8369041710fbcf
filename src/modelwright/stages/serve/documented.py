"""What the OpenAPI page says of each route: bodies, answers, and every status that can come."""

from __future__ import annotations

from typing import Any

from .door import Door
from .refusal import REASONS

ALWAYS = (400, 401, 403, 408, 413, 429, 500)
ASKING = (503, 504)
ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {"type": "string"},
        "field": {"type": "string"},
        "found": {"type": "string"},
        "expected": {"type": "string"},
    },
}
NUMBER, TEXT = {"type": "number"}, {"type": "string"}
RANKED = {"type": "object", "required": ["label", "probability"], "properties": {"label": TEXT, "probability": NUMBER}}
ANSWER = {
    "type": "object",
    "required": ["id", "label", "probability", "runners_up"],
    "properties": {"id": TEXT, "label": TEXT, "probability": NUMBER, "runners_up": {"type": "array", "items": RANKED}},
}
ANSWERS = {
    "oneOf": [
        ANSWER,
        {"type": "object", "required": ["answers"], "properties": {"answers": {"type": "array", "items": ANSWER}}},
    ]
}
EXPLANATION = {
    "type": "object",
    "required": ["id", "label", "probability", "probabilities", "method", "parts"],
    "properties": {
        "id": TEXT,
        "label": TEXT,
        "probability": NUMBER,
        "probabilities": {"type": "object", "additionalProperties": NUMBER},
        "method": TEXT,
        "meaning": TEXT,
        "parts": {
            "type": "array",
            "items": {"type": "object", "required": ["weight"], "properties": {"weight": NUMBER}},
        },
    },
}
READY = {"type": "object", "required": ["ready"], "properties": {"ready": {"type": "boolean"}}}
LIVE = {"type": "object", "required": ["live"], "properties": {"live": {"type": "boolean"}}}
THANKS = {"type": "object", "required": ["stored"], "properties": {"stored": {"type": "boolean"}}}
OBJECT: dict[str, Any] = {"type": "object"}
TENSOR = {
    "type": "object",
    "required": ["name", "shape", "datatype"],
    "properties": {
        "name": TEXT,
        "shape": {"type": "array", "items": {"type": "integer"}},
        "datatype": TEXT,
        "parameters": OBJECT,
        "data": {"type": "array"},
    },
}
INFER_REQUEST = {
    "type": "object",
    "required": ["inputs"],
    "additionalProperties": False,
    "properties": {
        "id": TEXT,
        "parameters": OBJECT,
        "inputs": {"type": "array", "minItems": 1, "items": TENSOR},
        "outputs": {
            "type": "array",
            "items": {"type": "object", "required": ["name"], "properties": {"name": TEXT, "parameters": OBJECT}},
        },
    },
}
INFER_RESPONSE = {
    "type": "object",
    "required": ["model_name", "outputs"],
    "properties": {
        "model_name": TEXT,
        "model_version": TEXT,
        "id": TEXT,
        "outputs": {"type": "array", "items": TENSOR},
    },
}
FEEDBACK = {
    "type": "object",
    "required": ["id", "right"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": "string", "description": "the id that came with an answer"},
        "right": {"type": "boolean", "description": "whether the answer was right"},
        "label": {"type": "string", "maxLength": 200, "description": "what would have been right"},
        "comment": {"type": "string", "maxLength": 2000},
    },
}
WORDS = {
    "type": "object",
    "required": ["text"],
    "additionalProperties": False,
    "properties": {
        "kind": {"enum": ["comment", "appeal"]},
        "answer": {"type": "string", "description": "the id of the answer that an appeal is against"},
        "name": {"type": "string", "maxLength": 200},
        "text": {"type": "string", "minLength": 1, "maxLength": 2000},
    },
}


def responses(good: dict[str, Any] | None, *more: int, content: str = "application/json") -> dict[int | str, Any]:
    """Return what a route may answer: the good answer, what always may happen, and more."""
    found: dict[int | str, Any] = {200: {"description": "as asked"}}
    if good is not None:
        found[200]["content"] = {content: {"schema": good}}
    for code in sorted({*ALWAYS, *more}):
        found[code] = {"description": REASONS[code], "content": {"application/json": {"schema": ERROR}}}
    return found


def body_of(schema: dict[str, Any], *others: str) -> dict[str, Any]:
    """Return the request body: JSON, and other types of content as plain bytes."""
    content: dict[str, Any] = {"application/json": {"schema": schema}}
    content |= {kind: {"schema": {"type": "string", "format": "binary"}} for kind in others}
    return {"requestBody": {"required": True, "content": content}}


def question_of(door: Door, *, many: bool) -> dict[str, Any]:
    """Return the body of the simple interface for a modality."""
    one = {
        "type": "object",
        "required": [door.key],
        "properties": {door.key: door.schema},
        "additionalProperties": False,
    }
    schema = {"oneOf": [one, {"type": "array", "minItems": 1, "items": one}]} if many else one
    return body_of(schema, *(("image/png", "image/jpeg") if door.key == "image" else ()))


def path_of(*names: str) -> dict[str, Any]:
    """Return the parameters in a path."""
    return {"parameters": [{"name": name, "in": "path", "required": True, "schema": TEXT} for name in names]}
