"""Overload, deadlines, clients that leave, models that fail: whoever cannot be answered is told so, and nobody else suffers."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from served_release import PNG, Change, Serving, picture, run_async, served, slowed, tensors

from modelwright.core.errors import DamagedArtifact
from modelwright.engine.batching import Batcher, Limits, join
from modelwright.engine.predictor import Predictor
from modelwright.stages.serve.service import Gone
from modelwright.tasks.task import Examples

INFER = "/v2/models/tiny/infer"


def test_overload_is_refused_at_once_and_the_rest_is_answered_in_time(serving: Serving) -> None:
    async def work() -> None:
        async with serving(slowed(0.05), queue=64, deadline_ms=2000) as client:
            await client.post("/predict", content=picture(), headers=PNG)

            async def one() -> tuple[int, float, Any]:
                began = time.monotonic()
                response = await client.post(INFER, json=tensors())
                return response.status_code, time.monotonic() - began, response.headers.get("retry-after")

            found = await asyncio.gather(*(one() for _ in range(120)))
            answered = [seconds for status, seconds, _ in found if status == 200]
            late = [seconds for status, seconds, _ in found if status == 504]
            refused = [seconds for status, seconds, _ in found if status == 503]
            assert len(answered) + len(late) + len(refused) == 120
            assert 1 <= len(answered) <= 60, "on a busy machine some of those let in are late, but never all"
            assert max(answered) < 4
            assert all(int(later) >= 1 for status, _, later in found if status == 503)
            assert client.service.batcher.counts.refused == len(refused) >= 60
            assert client.service.batcher.counts.expired == len(late)
            assert (await client.get("/v2/health/live")).status_code == 200

    run_async(work)


def test_a_bounded_queue(serving: Serving) -> None:
    async def work() -> None:
        async with serving(slowed(0.1), queue=2, deadline_ms=10_000, batch=1) as client:
            statuses = await asyncio.gather(*(client.post(INFER, json=tensors()) for _ in range(8)))
            assert sorted(response.status_code for response in statuses) == [200] * 3 + [503] * 5

    run_async(work)


def test_the_deadline_frees_the_slot_and_drops_the_work(serving: Serving) -> None:
    sizes: list[int] = []

    async def work() -> None:
        async with serving(slowed(0.3, sizes), queue=2, deadline_ms=150, batch=1) as client:
            sizes.clear()
            # As if the machine had become slow only now: else the second one would not have been let in.
            client.service.batcher.seconds_of_example = 0.0
            first = asyncio.ensure_future(client.post(INFER, json=tensors()))
            await asyncio.sleep(0.02)
            second = await client.post(INFER, json=tensors())
            assert second.status_code == 504
            assert client.service.batcher.depth == 0
            assert (await first).status_code == 504
            await asyncio.sleep(0.3)
            assert sizes == [1], "what nobody waits for is not computed"
            assert client.service.batcher.counts.expired == 2

    run_async(work)


def test_work_of_a_client_that_left_is_dropped(serving: Serving) -> None:
    sizes: list[int] = []

    async def work() -> None:
        async with serving(slowed(0.2, sizes), deadline_ms=5000, batch=1) as client:
            sizes.clear()
            service = client.service
            examples = service.prepare({"image": np.zeros((1, 8, 8, 1), np.uint8)}, [])
            first = asyncio.ensure_future(service.ask(examples))
            await asyncio.sleep(0.05)

            async def gone() -> dict[str, Any]:
                await asyncio.sleep(0.02)
                return {"type": "http.disconnect"}

            with pytest.raises(Gone):
                await service.ask(examples, gone)
            assert service.batcher.depth == 0
            await first
            assert sizes == [1]
            assert service.batcher.counts.abandoned == 1
            assert b"modelwright_abandoned_total 1.0" in service.measures.text(service.batcher, True)

    run_async(work)


def answering(value: float) -> Change:
    """Return a change that puts a number into the answer to every picture that is bright on its first pixel."""

    def change(predictor: Predictor) -> Predictor:
        def predict(examples: Examples) -> np.ndarray:
            answers = predictor.predict(examples).copy()
            bright = examples.columns["image"][:, 0, 0, 0] == 255
            if bright.any() and value == -1:
                raise RuntimeError("secret path /etc")
            answers[bright] = value
            return answers

        return replace(predictor, predict=predict)

    return change


@pytest.mark.parametrize(
    ("value", "said"), [(float("nan"), "non-finite"), (float("inf"), "non-finite"), (-1, "RuntimeError")]
)
def test_a_failing_model_harms_only_those_at_fault(serving: Serving, value: float, said: str) -> None:
    async def work() -> None:
        async with serving(answering(value), delay_ms=50, queue=50) as client:
            bad, good = tensors(data=[255] * 64), tensors(data=[7] * 64)
            responses = await asyncio.gather(*(client.post(INFER, json=item) for item in [good, bad, good, bad, good]))
            assert [response.status_code for response in responses] == [200, 500, 200, 500, 200]
            assert said in responses[1].text
            assert "NaN" not in responses[1].text
            assert "secret" not in responses[1].text
            assert client.service.ready

    run_async(work)


def test_a_model_that_cannot_be_opened_is_said_so(release: Path, tmp_path: Path) -> None:
    def broken(predictor: Predictor) -> Predictor:
        raise DamagedArtifact("not this one")

    async def work() -> None:
        async with served(release, tmp_path / "state", broken) as client:
            assert isinstance(client.service.failure, DamagedArtifact)
            assert (await client.get("/v2/health/live")).status_code == 200
            assert (await client.get("/v2/health/ready")).status_code == 503
            refused = await client.post("/predict", content=picture(), headers=PNG)
            assert refused.status_code == 503
            assert refused.headers["retry-after"]

    run_async(work)


def test_while_draining_nobody_new_is_let_in(serving: Serving) -> None:
    async def work() -> None:
        async with serving(slowed(0.1)) as client:
            waiting = asyncio.ensure_future(client.post(INFER, json=tensors()))
            await asyncio.sleep(0.02)
            client.service.draining = True
            assert (await client.get("/v2/health/ready")).json() == {"ready": False, "live": True}
            assert (await client.get("/v2/health/live")).status_code == 200
            assert (await client.post(INFER, json=tensors())).status_code == 503
            assert (await waiting).status_code == 200

    run_async(work)


def test_a_body_that_does_not_come(serving: Serving) -> None:
    async def work() -> None:
        async with serving(body_seconds=0.1) as client:

            async def dripping() -> Any:
                yield b"{"
                await asyncio.sleep(5)
                yield b"}"

            messages: list[dict[str, Any]] = []
            sent = [{"type": "http.request", "body": b"{", "more_body": True}]

            async def receive() -> dict[str, Any]:
                if sent:
                    return sent.pop()
                await asyncio.sleep(5)
                return {"type": "http.disconnect"}

            async def send(message: Any) -> None:
                messages.append(message)

            scope = {
                "type": "http",
                "method": "POST",
                "path": "/predict",
                "headers": [(b"host", b"localhost")],
                "client": None,
            }
            began = time.monotonic()
            await client.http._transport.app(scope, receive, send)
            assert messages[0]["status"] == 408
            assert (b"connection", b"close") in messages[0]["headers"]
            assert time.monotonic() - began < 2

    run_async(work)


def test_the_batcher_waits_for_others_only_as_long_as_told() -> None:
    sizes: list[int] = []

    def answer(examples: Examples) -> np.ndarray:
        sizes.append(len(examples))
        return np.ones((len(examples), 2))

    async def work() -> None:
        batcher = Batcher(Limits(batch=4, delay_seconds=0.05, queue=100, deadline_seconds=5))
        opened = asyncio.Event()
        batcher.start(lambda: answer, lambda error: opened.set())
        await opened.wait()
        one = Examples({"x": np.zeros((1, 3))}, {})
        three = Examples({"x": np.zeros((3, 3))}, {})
        answers = await asyncio.gather(*(batcher.submit(part).future for part in (one, three, one, three, one)))
        assert [len(item) for item in answers] == [1, 3, 1, 3, 1]
        assert sizes == [4, 4, 1]
        nine = Examples({"x": np.zeros((9, 3))}, {})
        assert len(await batcher.submit(nine).future) == 9
        batcher.close()

    run_async(work)


def test_a_slow_first_answer_turns_nobody_away(release: Path, tmp_path: Path) -> None:
    """What an answer takes is measured before the door opens, and the first one, which loads what is needed, is not believed."""
    calls: list[int] = []

    def change(predictor: Predictor) -> Predictor:
        def predict(examples: Examples) -> np.ndarray:
            calls.append(len(examples))
            time.sleep(0.3 if len(calls) == 1 else 0.01)
            return predictor.predict(examples)

        return replace(predictor, predict=predict)

    async def work() -> None:
        async with served(release, tmp_path / "state", change, deadline_ms=1000, batch=1) as client:
            assert set(calls) == {1}
            assert 0.01 <= client.service.batcher.seconds_of_example < 0.1
            answers = await asyncio.gather(*(client.post(INFER, json=tensors()) for _ in range(8)))
            assert [answer.status_code for answer in answers] == [200] * 8

    run_async(work)


def test_no_batch_takes_the_whole_deadline() -> None:
    sizes: list[int] = []

    def answer(examples: Examples) -> np.ndarray:
        sizes.append(len(examples))
        time.sleep(0.01 * len(examples))
        return np.ones((len(examples), 2))

    async def work() -> None:
        batcher = Batcher(Limits(batch=100, delay_seconds=0, queue=100, deadline_seconds=1))
        batcher.start(lambda: answer, lambda error: None)
        one = Examples({"x": np.zeros((1, 3))}, {})
        await batcher.submit(one).future
        await asyncio.gather(*(batcher.submit(one).future for _ in range(40)))
        assert max(sizes) <= 25, "a quarter of a second, and no more"
        assert len(sizes) < 41, "what came together was computed together"
        batcher.close()

    run_async(work)


def test_joined_examples_are_the_rows_in_order() -> None:
    parts = [Examples({"x": np.full((count, 2), count)}, {}) for count in (1, 2)]
    assert join(parts).columns["x"][:, 0].tolist() == [1, 2, 2]
