"""A generator, served: pictures of any size come back as PNG, the same as everywhere else to the bit."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from browser import browser
from PIL import Image
from served_release import PNG, process, run_async, served

from modelwright.app import api
from modelwright.app.cli import main
from modelwright.core.run import Run
from modelwright.engine import tiles
from modelwright.engine.pictures import png_of
from modelwright.engine.predictor import Predictor, open_predictor
from modelwright.sources.images import decode


@pytest.fixture(scope="module")
def generator(whole: Run) -> Path:
    """A release of style transfer; nobody may change it."""
    made = whole.artifact("release")
    assert made is not None
    return made.path


def photo(height: int, width: int, seed: int = 1) -> bytes:
    """Return a picture file of colours at random."""
    stream = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(stream, format="PNG")
    return stream.getvalue()


def test_the_same_picture_by_every_way(generator: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Served as PNG and in JSON, as tensors, by the command line, in Python: in one piece and in tiles."""
    monkeypatch.setattr(tiles, "TILE", 24)
    monkeypatch.setattr(tiles.restyle, "__defaults__", (24, 8))
    sent = {"small": photo(21, 17), "tiled": photo(40, 70)}
    predictor = open_predictor(generator)
    for name, content in sent.items():
        (tmp_path / f"{name}.png").write_bytes(content)
    api.predict(generator, *(tmp_path / f"{name}.png" for name in sent), out=tmp_path / "out")

    async def work() -> None:
        async with served(generator, tmp_path / "state", deadline_ms=20_000) as client:
            name = client.service.served.name
            for which, content in sent.items():
                expected = png_of(tiles.restyle(predictor, decode(content)))
                assert expected == (tmp_path / "out" / f"{which}.png").read_bytes()
                raw = await client.post("/predict", content=content, headers=PNG)
                assert (raw.headers["content-type"], raw.content) == ("image/png", expected)
                form = await client.post("/predict", files={"image": ("a.png", content, "image/png")})
                assert form.content == expected
                item = {"image": base64.b64encode(content).decode()}
                wanted = {"accept": "application/json"}
                one = (await client.post("/predict", json=item, headers=wanted)).json()
                assert base64.b64decode(one["image"]) == expected
                assert (one["height"], one["width"]) == decode(content).shape[:2]
                many = (await client.post("/predict", json=[item, item])).json()["answers"]
                assert [base64.b64decode(answer["image"]) for answer in many] == [expected] * 2
                pixels = decode(content)
                tensor = {
                    "name": "image",
                    "shape": [1, *pixels.shape],
                    "datatype": "UINT8",
                    "data": pixels.ravel().tolist(),
                }
                found = (await client.post(f"/v2/models/{name}/infer", json={"inputs": [tensor]})).json()["outputs"][0]
                assert png_of(np.array(found["data"], np.uint8).reshape(found["shape"])[0]) == expected
                said = {"id": raw.headers["modelwright-answer"], "right": False, "comment": "too green"}
                assert (await client.post("/feedback", json=said)).json() == {"stored": True}
            names = {claim["name"] for claim in client.service.summary()["evidence"]}
            assert {"serving_latency_p50", "serving_latency_p99"} <= names

    run_async(work)


def test_what_is_no_picture_or_too_large_is_refused(generator: Path, tmp_path: Path) -> None:
    async def work() -> None:
        async with served(generator, tmp_path / "state", pixel_limit=400) as client:
            large = await client.post("/predict", content=photo(20, 21), headers=PNG)
            assert (large.status_code, large.json()["expected"]) == (400, "at most 400")
            assert "420 pixels" in large.json()["error"]
            assert (await client.post("/predict", content=photo(20, 20), headers=PNG)).status_code == 200
            assert (await client.post("/predict", content=b"GIF89a", headers=PNG)).status_code == 400
            tensor = {"name": "image", "shape": [1, 21, 20, 3], "datatype": "UINT8", "data": [0] * 1260}
            place = f"/v2/models/{client.service.served.name}/infer"
            assert (await client.post(place, json={"inputs": [tensor]})).status_code == 400
            assert (await client.post("/explain", content=photo(9, 9), headers=PNG)).status_code == 404
            described = (await client.get("/openapi.json")).json()["paths"]
            assert "/explain" not in described
            assert "image/png" in described["/predict"]["post"]["responses"]["200"]["content"]

    run_async(work)


def test_an_answer_that_is_not_finite_is_no_picture(generator: Path, tmp_path: Path) -> None:
    wrong: list[bool] = []

    def change(predictor: Predictor) -> Predictor:
        return replace(predictor, predict=lambda examples: predictor.predict(examples) * (np.nan if wrong else 1.0))

    async def work() -> None:
        async with served(generator, tmp_path / "state", change) as client:
            assert (await client.post("/predict", content=photo(9, 9), headers=PNG)).status_code == 200
            wrong.append(True)
            answer = await client.post("/predict", content=photo(9, 9), headers=PNG)
            assert (answer.status_code, answer.json()["found"]) == (500, "non-finite")

    run_async(work)


def test_a_large_picture_counts_as_much_work(generator: Path, tmp_path: Path) -> None:
    """Whoever asks for more than can be done in time is sent away while somebody waits, and a small picture is let in."""

    async def work() -> None:
        async with served(generator, tmp_path / "state") as client:
            batcher = client.service.batcher
            of = client.service.answers.work
            examples = lambda *shape: client.service.prepare({"picture": [np.zeros((*shape, 3), np.uint8)]}, [])
            assert (of(examples(64, 64)), of(examples(8, 8)), of(examples(640, 641))) == (1, 1, 101)
            batcher.seconds_of_example = 0.1
            assert batcher.wait_seconds(of(examples(640, 640))) == pytest.approx(10.0)

    run_async(work)


def test_one_question_from_the_command_line(
    generator: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "photo.png").write_bytes(photo(19, 23))
    words = [
        "serve",
        str(generator),
        "port=0",
        "--ask",
        str(tmp_path / "photo.png"),
        "--state",
        str(tmp_path / "state"),
    ]
    assert main([*words, "--out", str(tmp_path / "styled.png"), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)["answer"]
    assert (answer["height"], answer["width"], answer["picture"]) == (19, 23, str(tmp_path / "styled.png"))
    assert answer["seconds"] > 0
    api.predict(generator, tmp_path / "photo.png", out=tmp_path / "same.png")
    assert (tmp_path / "styled.png").read_bytes() == (tmp_path / "same.png").read_bytes()
    assert main(words) == 0
    assert "a picture, not kept" in capsys.readouterr().out


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Any]:
    with browser(tmp_path / "browser") as opened:
        yield opened
        assert opened.complaints == []


def test_the_page_shows_both_pictures(generator: Path, tmp_path: Path, page: Any) -> None:
    (tmp_path / "a.png").write_bytes(photo(48, 64))
    with process(generator, tmp_path / "state", "deadline_ms=20000") as server:
        page.open(f"{server.address}/")
        assert not page.seen("explain")
        page.choose_file("file", tmp_path / "a.png")
        page.wait("document.getElementById('after').naturalWidth === 64 && document.getElementById('took').innerText")
        assert page.run("document.getElementById('before').naturalHeight") == 48
        assert page.text("took").startswith("64 × 48, ")
        assert not page.seen("label")
        page.click("is-right")
        page.wait("!document.getElementById('thanks').hidden")
        page.picture(tmp_path / "styled.png")
        with httpx.Client() as client:
            assert 'route="/predict"' in client.get(f"{server.address}/metrics").text
