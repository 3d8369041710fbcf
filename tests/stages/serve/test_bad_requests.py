"""What is not a question is refused with the name of the field, and never with a failure of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from served_release import PNG, Serving, picture, run_async, served, tensors

INFER = "/v2/models/tiny/infer"
JSON = {"content-type": "application/json"}

# what is sent -> the field that is named
TENSORS: dict[str, tuple[dict[str, Any], str]] = {
    "shape with -1": (tensors(shape=[-1, 3]), "inputs[0].shape"),
    "other shape": (tensors(shape=[1, 9, 9, 1]), "inputs[0].shape"),
    "no example": (tensors(shape=[0, 8, 8, 1], data=[]), "inputs[0].shape"),
    "too many examples": (tensors(shape=[99999, 8, 8, 1]), "inputs[0].shape"),
    "true in a shape": (tensors(shape=[True, 8, 8, 1]), "inputs[0].shape"),
    "no shape": (tensors(shape=None), "inputs[0].shape"),
    "other type": (tensors(datatype="FP32"), "inputs[0].datatype"),
    "too few values": (tensors(data=[1, 2, 3]), "inputs[0].data"),
    "strings": (tensors(data=["1"] * 64), "inputs[0].data"),
    "booleans": (tensors(data=[True] * 64), "inputs[0].data"),
    "fractions": (tensors(data=[0.5] * 64), "inputs[0].data"),
    "out of range": (tensors(data=[256] * 64), "inputs[0].data"),
    "negative": (tensors(data=[-1] * 64), "inputs[0].data"),
    "huge": (tensors(data=[10**400] * 64), "inputs[0].data"),
    "null": (tensors(data=[None] * 64), "inputs[0].data"),
    "ragged": (tensors(data=[[[[1]] * 8] * 7, 3]), "inputs[0].data"),
    "no data": (tensors(data=None), "inputs[0].data"),
    "no name": (tensors(name=None), "inputs[0].name"),
    "other name": (tensors(name="picture"), "inputs[0].name"),
    "twice": ({"inputs": tensors()["inputs"] * 2}, "inputs[1].name"),
    "no inputs": ({"inputs": []}, "inputs"),
    "inputs missing": ({}, "inputs"),
    "inputs are not a list": ({"inputs": 3}, "inputs"),
    "input is not an object": ({"inputs": [3]}, "inputs[0]"),
    "unknown key": ({**tensors(), "inpts": 1}, "inpts"),
    "unknown output": ({**tensors(), "outputs": [{"name": "logits"}]}, "outputs[0].name"),
    "outputs are not a list": ({**tensors(), "outputs": 1}, "outputs"),
    "id is a number": ({**tensors(), "id": 5}, "id"),
    "binary beyond the end": (tensors(parameters={"binary_data_size": 64}), "inputs[0].parameters.binary_data_size"),
    "parameters are a list": (tensors(parameters=[1]), "inputs[0].parameters"),
}


def refusal(response: httpx.Response, status: int = 400) -> dict[str, Any]:
    """Return the body of a refusal; fails when it is none."""
    assert response.status_code == status, response.text
    found: dict[str, Any] = response.json()
    assert isinstance(found["error"], str)
    assert "Traceback" not in response.text
    return found


def test_tensors_that_do_not_fit(serving: Serving) -> None:
    async def work() -> None:
        async with serving() as client:
            for name, (body, field) in TENSORS.items():
                found = refusal(await client.post(INFER, json=body))
                assert found["field"] == field, (name, found)
                assert found["expected"], name
            assert (await client.post(INFER, json=tensors())).status_code == 200
            nested = [[[[value] for value in range(8)]] * 8]
            assert (await client.post(INFER, json=tensors(data=nested))).status_code == 200
            assert client.service.batcher.counts.examples == 2, "nothing bad reaches the model"

    run_async(work)


BODIES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "body"),
    "not JSON": (b"{", "body"),
    "NaN": (b'{"inputs": [{"data": [NaN]}]}', "body"),
    "Infinity": (b'{"inputs": [{"data": [-Infinity]}]}', "body"),
    "not UTF-8": (b'{"inputs": "\xff"}', "body"),
    "a key twice": (b'{"inputs": [], "inputs": []}', "body"),
    "a tower": (b"[" * 100_000, "body"),
    "a closed tower": (b"[" * 100_000 + b"]" * 100_000, "body"),
    "a tower of objects": (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "body"),
    "a list": (b"[]", "body"),
    "null": (b"null", "body"),
    "a very long number": (b'{"id": ' + b"9" * 5000 + b"}", "body"),
}


@pytest.mark.parametrize("path", [INFER, "/predict", "/explain", "/feedback", "/about/words"])
def test_bodies_that_are_no_json(serving: Serving, path: str) -> None:
    async def work() -> None:
        async with serving() as client:
            for name, (body, field) in BODIES.items():
                client.service.words_rate = client.service.rate  # Not what is tried here.
                found = refusal(await client.post(path, content=body, headers=JSON))
                assert found["field"].startswith((field, "[0]", "image")), (name, found)

    run_async(work)


def test_simple_questions_that_are_none(
    serving: Serving, text_release: Path, table_release: Path, tmp_path: Path
) -> None:
    async def work() -> None:
        async with serving(inputs=3) as client:
            for body, field in (
                ({"picture": "x"}, "image"),
                ({"image": "?"}, "image"),
                ({"image": ""}, "image"),
                ({"image": 3}, "image"),
                ({"image": "aGVsbG8="}, "image"),
                ([{"image": None}], "[0].image"),
                ([3], "[0]"),
                ([{}] * 4, "body"),
            ):
                assert refusal(await client.post("/predict", json=body))["field"] == field
            assert refusal(await client.post("/predict", content=b"GIF89a", headers=PNG))["field"] == "body"
            html = {"content-type": "text/html"}
            assert refusal(await client.post("/predict", content=b"x", headers=html), 415)["field"] == "Content-Type"
            form = {"content-type": "multipart/form-data; boundary=x"}
            for content in (b"", b"--x--", b"--x\r\nnothing\r\n--x--", b'--x\r\nname="else"\r\n\r\n1\r\n--x--\r\n'):
                refusal(await client.post("/predict", content=content, headers=form))
        async with served(text_release, tmp_path / "texts", text_limit=20) as client:
            for text in ('"\\ud800"', '"' + "a" * 21 + '"', "3", "null", '["a"]'):
                response = await client.post("/predict", content=f'{{"text": {text}}}'.encode(), headers=JSON)
                assert refusal(response)["field"] == "text"
            assert refusal(await client.post("/predict", content=picture(), headers=PNG), 415)
            tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["\ud800"]}
            body = '{"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["\\ud800"]}]}'
            assert tensor["name"] == refusal(await client.post(INFER, content=body.encode()))["field"].partition("[")[0]
        async with served(table_release, tmp_path / "tables") as client:
            for fields, field in (
                ({"size": 1}, "fields.colour"),
                ({"size": "big", "colour": "red"}, "fields.size"),
                ({"size": True, "colour": "red"}, "fields.size"),
                ({"size": 1e308 * 10, "colour": "red"}, "body"),
                ({"size": 10**400, "colour": "red"}, "fields.size"),
                ({"size": -3e43, "colour": "red"}, "fields.size"),
                ({"size": 1, "colour": ["red"]}, "fields.colour"),
                ({"size": 1, "colour": "red", "weight": 2}, "fields.weight"),
            ):
                import json

                body = json.dumps({"fields": fields}).encode()
                assert refusal(await client.post("/predict", content=body, headers=JSON))["field"] == field
            inputs = [{"name": "size", "shape": [1], "datatype": "FP64", "data": [1.5]}]
            assert refusal(await client.post(INFER, json={"inputs": inputs}))["field"] == "inputs"
            far = [
                {**inputs[0], "data": [1e300]},
                {"name": "colour", "shape": [1], "datatype": "BYTES", "data": ["red"]},
            ]
            assert refusal(await client.post(INFER, json={"inputs": far}))["field"] == "size[0]"
            huge = b'{"inputs": [{"name": "size", "shape": [1], "datatype": "FP64", "data": [1e999]}]}'
            assert refusal(await client.post(INFER, content=huge))["field"] == "inputs[0].data"

    run_async(work)


def test_sizes_names_and_verbs(serving: Serving) -> None:
    async def work() -> None:
        async with serving(body_limit=1000, hosts=("model.example",)) as client:
            assert refusal(await client.post("/predict", content=b"x" * 1001, headers=PNG), 413)["field"] == "body"

            async def pieces() -> Any:
                for _ in range(11):
                    yield b"x" * 100

            assert refusal(await client.post("/predict", content=pieces(), headers=PNG), 413)["field"] == "body"
            assert refusal(await client.post("/v2/models/other/infer", json=tensors()))["field"] == "model"
            assert (await client.get("/v2/")).json()["name"] == "modelwright"
            refusal(await client.get("/v2/models/tiny/versions/2"), 404)
            refusal(await client.get("/nothing/here"), 404)
            refusal(await client.http.delete("/predict"), 405)
            for host, status in (("evil.example", 400), ("model.example:80", 200), ("[::1]:8000", 200), ("", 400)):
                assert (await client.get("/v2", headers={"host": host})).status_code == status
            for origin, status in (("http://evil.example", 403), ("http://localhost:9", 200), ("null", 403)):
                assert (await client.get("/v2", headers={"origin": origin})).status_code == status

    run_async(work)
