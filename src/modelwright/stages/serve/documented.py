"""What the OpenAPI page says of each route: bodies, answers, and every status that can come."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

from .door import Answers, Door, Tensor
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


def answers_of(answers: Answers) -> dict[int | str, Any]:
    """Return what `/predict` answers: what is said of one, or of each of a list; or a file, where an answer is one."""
    one = answers.schema
    several = {"type": "object", "required": ["answers"], "properties": {"answers": {"type": "array", "items": one}}}
    found = responses({"oneOf": [one, several]}, 415, *ASKING)
    if answers.kind:
        found[200]["content"][answers.kind] = {"schema": {"type": "string", "format": "binary"}}
    return found


def body_of(schema: dict[str, Any], *others: str, example: Any = None) -> dict[str, Any]:
    """Return the request body: JSON, and other types of content as plain bytes."""
    content: dict[str, Any] = {"application/json": {"schema": schema, **({"example": example} if example else {})}}
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
    pictures = ("image/png", "image/jpeg") if door.key == "image" else ()
    return body_of(schema, *pictures, example={door.key: door.example})


def path_of(**values: str) -> dict[str, Any]:
    """Return the parameters in a path, each with the one value that it has here."""
    return {
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string", "enum": [value]}}
            for name, value in values.items()
        ]
    }


def infer_example(tensors: tuple[Tensor, ...]) -> dict[str, Any]:
    """Return a request of one example in which every number is 0 and every text empty."""
    inputs = []
    for tensor in tensors:
        shape = [1 if size == -1 else size for size in tensor.shape]
        nothing: Any = {"BYTES": "", "BOOL": False}.get(tensor.datatype, 0)
        inputs.append(
            {"name": tensor.name, "shape": shape, "datatype": tensor.datatype, "data": [nothing] * math.prod(shape)}
        )
    return {"inputs": inputs}


def with_keys(described: dict[str, Any], public: Collection[str]) -> dict[str, Any]:
    """Say on every route that is not public how a key is shown; none is needed while none was ever made."""
    described.setdefault("components", {})["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "description": "mw_..., from `modelwright keys add`"},
        "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
    for path, methods in described["paths"].items():
        for operation in methods.values():
            operation["security"] = [] if path in public else [{}, {"bearer": []}, {"header": []}]
    return described
