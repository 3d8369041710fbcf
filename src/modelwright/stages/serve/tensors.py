"""The Open Inference Protocol V2: requests to values, answers to responses, as JSON and as binary tensors.

Source: Open Inference Protocol, REST, version 2; binary tensor data extension of NVIDIA Triton.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from .door import Tensor, Values
from .refusal import bad, short
from .strict import read_json, require_known

HEADER = "inference-header-content-length"
NUMPY = {
    "BOOL": "?", "UINT8": "u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8", "INT8": "i1", "INT16": "<i2",
    "INT32": "<i4", "INT64": "<i8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
}  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """An inference request: the values of its tensors, how many examples, and how the answer is to be written."""

    id: str
    values: Values
    examples: int
    # name -> whether as binary data; in the order asked for
    outputs: dict[str, bool]


def read_request(body: bytes, header: str, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], most: int) -> Asked:
    """Read an inference request.

    Raises:
        Refused: 400, naming the field.
    """
    head, tail = _split(body, header)
    request = read_json(head)
    if not isinstance(request, dict):
        raise bad("body", f"a JSON {type(request).__name__}", "an object with `inputs`")
    require_known(request, ("id", "parameters", "inputs", "outputs"))
    identity = request.get("id", "")
    if not isinstance(identity, str):
        raise bad("id", short(identity), "a string")
    parameters = _parameters(request, "parameters")
    values, examples = _read_inputs(request, tail, {tensor.name: tensor for tensor in inputs}, most)
    return Asked(identity, values, examples, _read_outputs(request, parameters, [tensor.name for tensor in outputs]))


def _split(body: bytes, header: str) -> tuple[bytes, memoryview]:
    if not header:
        return body, memoryview(b"")
    if not header.isascii() or not header.isdigit() or int(header) > len(body):
        raise bad(HEADER, short(header), f"a number of bytes, at most the {len(body)} of the body")
    return body[: int(header)], memoryview(body)[int(header) :]


def _parameters(owner: dict[str, Any], field: str) -> dict[str, Any]:
    found = owner.get("parameters", {})
    if not isinstance(found, dict):
        raise bad(field, short(found), "an object")
    return found


def _read_inputs(request: dict[str, Any], tail: memoryview, known: dict[str, Tensor], most: int) -> tuple[Values, int]:
    inputs = request.get("inputs")
    if not isinstance(inputs, list):
        found = "the field is missing" if inputs is None else short(inputs)
        raise bad("inputs", found, f"a list of the tensors {', '.join(known)}")
    values: Values = {}
    examples = -1
    for number, item in enumerate(inputs):
        field = f"inputs[{number}]"
        if not isinstance(item, dict):
            raise bad(field, short(item), "an object")
        require_known(item, ("name", "shape", "datatype", "parameters", "data"), f"{field}.")
        tensor = known.get(item["name"]) if isinstance(item.get("name"), str) else None
        if tensor is None or tensor.name in values:
            found = "a tensor that stands twice" if tensor else short(item.get("name"))
            raise bad(f"{field}.name", found, f"one of {', '.join(known)}, each once")
        shape = _shape(item.get("shape"), tensor, field, most)
        if item.get("datatype") != tensor.datatype:
            raise bad(f"{field}.datatype", short(item.get("datatype")), tensor.datatype)
        if examples not in (-1, shape[0]):
            raise bad(f"{field}.shape", f"{shape[0]} examples", f"{examples}, as in the first tensor")
        examples = shape[0]
        size = _parameters(item, f"{field}.parameters").get("binary_data_size")
        if size is None:
            values[tensor.name] = _from_json(item, tensor, shape, field)
        else:
            piece, tail = _cut(tail, size, field)
            values[tensor.name] = _from_binary(piece, tensor, shape, field)
    missing = [name for name in known if name not in values]
    if missing:
        raise bad("inputs", f"the tensor '{missing[0]}' is missing", f"the tensors {', '.join(known)}")
    if len(tail):
        raise bad("body", f"{len(tail)} bytes behind the last tensor", "none")
    return values, examples


def _shape(shape: Any, tensor: Tensor, field: str, most: int) -> tuple[int, ...]:
    expected = f"[{', '.join('n' if size == -1 else str(size) for size in tensor.shape)}], n from 1 to {most}"
    if not isinstance(shape, list) or any(type(size) is not int for size in shape):
        raise bad(f"{field}.shape", short(shape) if shape is not None else "the field is missing", expected)
    fits = len(shape) == len(tensor.shape) and all(
        size == wanted if wanted != -1 else 1 <= size <= most for size, wanted in zip(shape, tensor.shape, strict=True)
    )
    if not fits:
        raise bad(f"{field}.shape", str(shape)[:60], expected)
    return tuple(shape)


def _from_json(item: dict[str, Any], tensor: Tensor, shape: tuple[int, ...], field: str) -> Any:
    if "data" not in item:
        raise bad(f"{field}.data", "the field is missing", f"{math.prod(shape)} values")
    data = _flat(item["data"], shape, f"{field}.data")
    if tensor.datatype == "BYTES":
        allowed: set[type] = {str, type(None)} if tensor.nullable else {str}
        expected = "strings"
    elif tensor.datatype.startswith("FP"):
        allowed = {int, float, type(None)} if tensor.nullable else {int, float}
        expected = "numbers"
    else:
        allowed = {bool} if tensor.datatype == "BOOL" else {int}
        expected = "true or false" if tensor.datatype == "BOOL" else "whole numbers"
    if strange := set(map(type, data)) - allowed:
        raise bad(
            f"{field}.data", f"a {sorted(kind.__name__ for kind in strange)[0]}", f"{expected} ({tensor.datatype})"
        )
    if tensor.datatype == "BYTES":
        return data
    return _numbers(data, tensor, field).reshape(shape)


def _flat(data: Any, shape: tuple[int, ...], field: str) -> list[Any]:
    """Return the values in a row, whether they came so or nested as the shape says."""
    if not isinstance(data, list):
        raise bad(field, short(data), "a list")
    if len(shape) > 1 and data and isinstance(data[0], list):
        if len(data) != shape[0] or any(not isinstance(row, list) or len(row) != shape[1] for row in data):
            raise bad(field, "lists that do not fit the shape", f"values nested as {list(shape)}, or in one list")
        return _flat(list(chain.from_iterable(data)), (shape[0] * shape[1], *shape[2:]), field)
    if len(data) != math.prod(shape):
        raise bad(field, f"{len(data)} values", f"{math.prod(shape)}, as the shape says")
    return data


def _numbers(data: list[Any], tensor: Tensor, field: str) -> np.ndarray:
    kind = np.dtype(NUMPY[tensor.datatype])
    missing = [value is None for value in data] if tensor.nullable else []
    try:
        wide = np.array([0 if value is None else value for value in data] if any(missing) else data)
        numbers = wide.astype(kind)
    except OverflowError:
        raise bad(f"{field}.data", "a number that is too large", tensor.datatype) from None
    if kind.kind in "iu" and (wide.dtype.kind not in "iu" or not np.array_equal(numbers, wide)):
        raise bad(f"{field}.data", "a number out of range", tensor.datatype)
    if kind.kind == "f" and (wide.dtype.kind == "O" or not np.isfinite(numbers).all()):
        raise bad(f"{field}.data", "a number that is not finite", f"finite numbers ({tensor.datatype})")
    if any(missing):
        numbers[missing] = np.nan
    return numbers


def _cut(tail: memoryview, size: Any, field: str) -> tuple[memoryview, memoryview]:
    if type(size) is not int or not 0 <= size <= len(tail):
        raise bad(f"{field}.parameters.binary_data_size", short(size), f"at most the {len(tail)} bytes that are left")
    return tail[:size], tail[size:]


def _from_binary(piece: memoryview, tensor: Tensor, shape: tuple[int, ...], field: str) -> Any:
    count = math.prod(shape)
    if tensor.datatype == "BYTES":
        return _strings(piece, count, field)
    kind = np.dtype(NUMPY[tensor.datatype])
    if len(piece) != count * kind.itemsize:
        raise bad(f"{field}.parameters.binary_data_size", str(len(piece)), str(count * kind.itemsize))
    numbers = np.frombuffer(piece, kind).reshape(shape)
    if kind.kind == "f" and not np.isfinite(numbers).all():
        raise bad(field, "a number that is not finite", f"finite numbers ({tensor.datatype})")
    return numbers


def _strings(piece: memoryview, count: int, field: str) -> list[bytes]:
    found: list[bytes] = []
    place = 0
    while place < len(piece) and len(found) <= count:
        length = int.from_bytes(piece[place : place + 4], "little")
        if place + 4 + length > len(piece):
            raise bad(field, "a string longer than the bytes that are left", "4 bytes of length, then the string")
        found.append(bytes(piece[place + 4 : place + 4 + length]))
        place += 4 + length
    if len(found) != count:
        raise bad(field, f"{len(found)} strings" if len(found) < count else "too many strings", str(count))
    return found


def _read_outputs(request: dict[str, Any], parameters: dict[str, Any], known: list[str]) -> dict[str, bool]:
    every = parameters.get("binary_data_output", False)
    if "outputs" not in request:
        return dict.fromkeys(known, every is True)
    found: dict[str, bool] = {}
    if not isinstance(request["outputs"], list):
        raise bad("outputs", short(request["outputs"]), "a list")
    for number, item in enumerate(request["outputs"]):
        field = f"outputs[{number}]"
        if not isinstance(item, dict):
            raise bad(field, short(item), "an object")
        require_known(item, ("name", "parameters"), f"{field}.")
        if not isinstance(item.get("name"), str) or item["name"] not in known:
            raise bad(f"{field}.name", short(item.get("name")), f"one of {', '.join(known)}")
        found[item["name"]] = _parameters(item, f"{field}.parameters").get("binary_data", every) is True
    return found or dict.fromkeys(known, every is True)


def write_response(
    head: dict[str, Any], outputs: dict[str, tuple[Tensor, Any]], binary: dict[str, bool]
) -> tuple[bytes, dict[str, str]]:
    """Return body and headers of an inference response."""
    described: list[dict[str, Any]] = []
    pieces: list[bytes] = []
    for name, as_binary in binary.items():
        tensor, values = outputs[name]
        shape = list(values.shape) if isinstance(values, np.ndarray) else [len(values)]
        entry: dict[str, Any] = {"name": name, "datatype": tensor.datatype, "shape": shape}
        if as_binary:
            pieces.append(_to_binary(values, tensor))
            entry["parameters"] = {"binary_data_size": len(pieces[-1])}
        else:
            entry["data"] = values.ravel().tolist() if isinstance(values, np.ndarray) else values
        described.append(entry)
    text = json.dumps({**head, "outputs": described}, allow_nan=False).encode()
    if not pieces:
        return text, {"content-type": "application/json"}
    return b"".join([text, *pieces]), {"content-type": "application/octet-stream", HEADER: str(len(text))}


def _to_binary(values: Any, tensor: Tensor) -> bytes:
    if tensor.datatype == "BYTES":
        encoded = [value.encode() for value in values]
        return b"".join(len(value).to_bytes(4, "little") + value for value in encoded)
    return np.ascontiguousarray(values, dtype=NUMPY[tensor.datatype]).tobytes()


def metadata(name: str, version: str, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> dict[str, Any]:
    """Return what the protocol says of a model."""
    described = [
        [{"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.shape)} for tensor in tensors]
        for tensors in (inputs, outputs)
    ]
    return {
        "name": name,
        "versions": [version],
        "platform": "modelwright",
        "inputs": described[0],
        "outputs": described[1],
    }
