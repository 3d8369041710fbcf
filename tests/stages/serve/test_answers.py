"""What is answered: the simple interface and the Open Inference Protocol give what the model itself gives, alone or together."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from served_release import PNG, Serving, picture, run_async, served, tensors

from modelwright.core.registry import function_of
from modelwright.stages.serve.tensors import HEADER


def probabilities(response: Any) -> np.ndarray:
    (found,) = [item for item in response.json()["outputs"] if item["name"] == "probabilities"]
    return np.array(found["data"]).reshape(found["shape"])


def test_pictures_are_answered_as_by_the_command_line(serving: Serving, release: Path, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture())
    (expected,) = function_of("action", "predict")(release, [str(tmp_path / "a.png")])

    async def work() -> None:
        async with serving() as client:
            raw = (await client.post("/predict", content=picture(), headers=PNG)).json()
            form = (await client.post("/predict", files={"image": ("a.png", picture(), "image/png")})).json()
            import base64

            item = {"image": base64.b64encode(picture()).decode()}
            single = (await client.post("/predict", json=item)).json()
            many = (await client.post("/predict", json=[item, item])).json()["answers"]
            for answer in (raw, form, single, *many):
                assert answer["label"] == expected["label"]
                assert answer["probability"] == pytest.approx(expected["probability"], abs=1e-6)
                assert [one["label"] for one in answer["runners_up"]] == [
                    one["label"] for one in expected["runners_up"]
                ]
            assert len({answer["id"] for answer in (raw, form, single, *many)}) == 5

    run_async(work)


def test_texts_and_tables(text_release: Path, table_release: Path, tmp_path: Path) -> None:
    async def work() -> None:
        async with served(text_release, tmp_path / "one") as client:
            assert (await client.post("/predict", json={"text": "good day"})).json()["label"] in ("good", "bad")
            tensor = {"name": "text", "shape": [2], "datatype": "BYTES", "data": ["good day", "bad night"]}
            labels = (await client.post("/v2/models/tiny/infer", json={"inputs": [tensor]})).json()["outputs"][1][
                "data"
            ]
            one = [(await client.post("/predict", json={"text": text})).json()["label"] for text in tensor["data"]]
            assert labels == one
        async with served(table_release, tmp_path / "two") as client:
            fields = {"size": 6.5, "colour": None}
            answer = (await client.post("/predict", json={"fields": fields})).json()
            described = (await client.get("/v2/models/tiny")).json()["inputs"]
            assert [(item["name"], item["datatype"]) for item in described] == [("size", "FP64"), ("colour", "BYTES")]
            columns = [
                {"name": "size", "shape": [1], "datatype": "FP64", "data": [6.5]},
                {"name": "colour", "shape": [1], "datatype": "BYTES", "data": [None]},
            ]
            found = await client.post("/v2/models/tiny/infer", json={"inputs": columns})
            assert probabilities(found).max() == pytest.approx(answer["probability"], abs=1e-9)

    run_async(work)


def test_together_is_as_alone(serving: Serving) -> None:
    """Requests of different sizes in one batch, some of them bad, are answered as each would be alone."""
    asked = [tensors(1 + seed % 3, seed) for seed in range(12)]
    bad = tensors(1, 3, shape=[-1, 3])

    async def work() -> None:
        async with serving(queue=100, batch=64, delay_ms=100) as client:
            path = "/v2/models/tiny/infer"
            alone = [await client.post(path, json=item) for item in asked[:3]]
            before = client.service.batcher.counts.batches
            everything = await asyncio.gather(
                *(client.post(path, json=item) for pair in zip(asked, [bad] * 12, strict=True) for item in pair)
            )
            assert client.service.batcher.counts.batches - before < 6
            assert [response.status_code for response in everything] == [200, 400] * 12
            for one, together in zip(alone, everything[0::2], strict=False):
                assert np.abs(probabilities(one) - probabilities(together)).max() <= 1e-6
        async with serving(queue=100, batch=1) as client:
            responses = await asyncio.gather(*(client.post(path, json=item) for item in asked))
            again = [await client.post(path, json=item) for item in asked]
            assert client.service.batcher.counts.batches == 24
            for one, together in zip(again, responses, strict=True):
                assert (probabilities(one) == probabilities(together)).all()

    run_async(work)


def test_texts_of_different_lengths_do_not_disturb_each_other(text_release: Path, tmp_path: Path) -> None:
    texts = ["good", "bad night number 3 of bads", "good day number 11 of goods and more of it"]

    async def work() -> None:
        async with served(text_release, tmp_path / "state", delay_ms=50) as client:
            alone = [(await client.post("/predict", json={"text": text})).json() for text in texts]
            together = await asyncio.gather(*(client.post("/predict", json={"text": text}) for text in texts))
            assert client.service.batcher.counts.batches == 4
            for one, other in zip(alone, together, strict=True):
                assert other.json()["label"] == one["label"]
                assert other.json()["probability"] == pytest.approx(one["probability"], abs=1e-6)

    run_async(work)


def test_binary_tensors_both_ways(serving: Serving) -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (2, 8, 8, 1), dtype=np.uint8)
    tensor = {"name": "image", "shape": [2, 8, 8, 1], "datatype": "UINT8", "parameters": {"binary_data_size": 128}}
    head = json.dumps({"id": "seven", "inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()

    async def work() -> None:
        async with serving() as client:
            plain = await client.post("/v2/models/tiny/infer", json=tensors(2, 0, data=pixels.ravel().tolist()))
            path = f"/v2/models/tiny/versions/{plain.json()['model_version']}/infer"
            # As the Triton client does: no type of content at all.
            response = await client.post(path, content=head + pixels.tobytes(), headers={HEADER: str(len(head))})
            size = int(response.headers[HEADER])
            told = json.loads(response.content[:size])
            assert told["id"] == "seven"
            numbers = np.frombuffer(response.content[size : size + 160], "<f8").reshape(2, 10)
            assert (numbers == probabilities(plain)).all()
            labels = response.content[size + 160 :]
            assert labels[4 : 4 + labels[0]].decode() == plain.json()["outputs"][1]["data"][0]
            for wrong in ({HEADER: "x"}, {HEADER: str(10**9)}, {}):
                assert (await client.post(path, content=head + pixels.tobytes(), headers=wrong)).status_code == 400

    run_async(work)


def test_explanations(serving: Serving, text_release: Path, tmp_path: Path) -> None:
    async def work() -> None:
        async with serving(deadline_ms=5000) as client:
            answer = (await client.post("/predict", content=picture(), headers=PNG)).json()
            why = (await client.post("/explain", content=picture(), headers=PNG)).json()
            assert why["label"] == answer["label"]
            assert sum(why["probabilities"].values()) == pytest.approx(1)
            assert len(why["parts"]) == 64
            assert any(part["weight"] != 0 for part in why["parts"])
            # Hiding is what was done: the answer to the picture with that part hidden is lower by the weight.
            most = max(why["parts"], key=lambda part: abs(part["weight"]))
            pixels = client.service.door.from_items([picture()], ["it"])["image"][0]
            grey = np.round(pixels.mean(axis=(0, 1))).astype(np.uint8)
            pixels[most["top"] : most["bottom"], most["left"] : most["right"]] = grey
            hidden = await client.post("/v2/models/tiny/infer", json=tensors(1, data=pixels.ravel().tolist()))
            index = client.service.served.classes.index(why["label"])
            assert why["probability"] - probabilities(hidden)[0, index] == pytest.approx(most["weight"], abs=1e-6)
        async with served(text_release, tmp_path / "two", deadline_ms=5000) as client:
            why = (await client.post("/explain", json={"text": "good 𝒳 day 好"})).json()
            assert [part["text"] for part in why["parts"]] == ["good", "𝒳", "day", "好"]
            assert (await client.post("/explain", json=[{"text": "good"}])).status_code == 400

    run_async(work)
