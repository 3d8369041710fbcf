"""The Open Inference Protocol as an OpenAPI description: its paths, its bodies, and only the statuses that it knows.

Source: Open Inference Protocol, REST, version 2 (github.com/kserve/open-inference-protocol, `open_inference_rest.yaml`), in our words.
"""

from __future__ import annotations

from typing import Any

TEXT: dict[str, Any] = {"type": "string"}
OBJECT: dict[str, Any] = {"type": "object"}
ERROR = {"type": "object", "required": ["error"], "properties": {"error": TEXT}}


def described(model: str, version: str) -> dict[str, Any]:
    """Return the description; the names of model and version are those of the server that is tried."""
    base = f"/v2/models/{model}/versions/{version}"
    request = {"content": {"application/json": {"schema": named("inference_request")}}}
    return {
        "openapi": "3.0.0",
        "info": {"title": "Open Inference Protocol", "version": "2.0"},
        "paths": {
            "/v2/health/live": {"get": answers()},
            "/v2/health/ready": {"get": answers()},
            f"{base}/ready": {"get": answers()},
            "/v2/": {"get": answers(named("server"), ERROR)},
            base: {"get": answers(named("model"))},
            f"{base}/infer": {"post": {**answers(named("inference_response"), ERROR), "requestBody": request}},
        },
        "components": {"schemas": SCHEMAS},
    }


def answers(good: dict[str, Any] | None = None, bad: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the responses of an operation: 200, and 400 where the protocol has it."""
    found: dict[str, Any] = {"200": {"description": "OK"}}
    if good is not None:
        found["200"]["content"] = {"application/json": {"schema": good}}
    if bad is not None:
        found["400"] = {"description": "Bad Request", "content": {"application/json": {"schema": bad}}}
    return {"responses": found}


def named(name: str) -> dict[str, Any]:
    """Return a reference to a schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def thing(*required: str, **properties: Any) -> dict[str, Any]:
    """Return the schema of an object."""
    return {"type": "object", "required": list(required), "properties": properties}


def many(item: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a list."""
    return {"type": "array", "items": item}


WHOLE_NUMBERS = many({"type": "integer"})
SCHEMAS: dict[str, Any] = {
    "server": thing("name", "version", "extensions", name=TEXT, version=TEXT, extensions=many(TEXT)),
    "tensor": thing("name", "datatype", "shape", name=TEXT, datatype=TEXT, shape=WHOLE_NUMBERS),
    "model": thing(
        "name", "platform", name=TEXT, versions=many(TEXT), platform=TEXT, inputs=many(named("tensor")),
        outputs=many(named("tensor")),
    ),
    "data": many({"anyOf": [named("data"), {"type": "number"}, TEXT, {"type": "boolean"}]}),
    "filled": thing(
        "name", "shape", "datatype", "data", name=TEXT, shape=WHOLE_NUMBERS, datatype=TEXT, parameters=OBJECT,
        data=named("data"),
    ),
    "output": thing("name", name=TEXT, parameters=OBJECT),
    "inference_request": thing(
        "inputs", id=TEXT, parameters=OBJECT, inputs=many(named("filled")), outputs=many(named("output"))
    ),
    "inference_response": thing(
        "model_name", "outputs", model_name=TEXT, model_version=TEXT, id=TEXT, parameters=OBJECT,
        outputs=many(named("filled")),
    ),
}  # fmt: skip
