"""The OpenAI routes, asked by the openai client itself: what they answer, what they refuse, and who writes at once."""

from __future__ import annotations

import asyncio
import json
import math
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from served_release import Client, make_release, served

from modelwright.engine.generation import write
from modelwright.engine.predictor import open_predictor
from modelwright.tasks.vocabulary import Vocabulary

openai = pytest.importorskip("openai")
LINES = ["the sun went down", "and the moon came up", "over the hill", "a star is far", "the sea is near", "we go home"]
TEMPLATE = "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}assistant:"
LENGTH = 64


@pytest.fixture(scope="module")
def verses(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release of a small language model; nobody may change it."""
    folder = tmp_path_factory.mktemp("verses")
    (folder / "texts").mkdir()
    dice = np.random.default_rng(1)
    for number in range(50):
        chosen = dice.choice(LINES, size=int(dice.integers(2, 5)))
        (folder / "texts" / f"{number}.txt").write_text("\n".join([*chosen, f"user assistant: {number}"]))
    return make_release(
        folder,
        name="verses",
        task={"kind": "language", "tokens": "bpe", "vocabulary": 300, "length": LENGTH, "template": TEMPLATE},
        data={"kind": "text", "path": "texts", "label": "none"},
        model={"kind": "decoder", "layers": 2, "width": 32, "heads": 4, "key_value_heads": 2},
        prepare={"split": {"test": 0.2, "validation": 0.2}},
        train={"length": "60 steps", "batch": 16, "threads": 1, "optimiser": {"kind": "muon", "adamw_lr": 0.01}},
        evaluate={"resamples": 100, "floor": "none", "samples": {"count": 0}},
        serve={"queue": 40},
    )


@asynccontextmanager
async def client_of(release: Path, state: Path, **settings: Any) -> AsyncIterator[tuple[Any, Client]]:
    """Serve a release in this process and return the openai client that talks to it."""
    async with served(release, state, **{"queue": 40, "deadline_ms": 120_000, **settings}) as found:
        yield (
            openai.AsyncOpenAI(api_key="none", base_url="http://localhost/v1", http_client=found.http, max_retries=0),
            found,
        )


def asked(release: Path, state: Path, *calls: Any, **settings: Any) -> list[Any]:
    """Run calls of a client one after the other, each a function of it."""

    async def run() -> list[Any]:
        async with client_of(release, state, **settings) as (client, _):
            return [await call(client) for call in calls]

    return asyncio.run(run())


def greedy(release: Path, prompt: str, count: int) -> str:
    predictor = open_predictor(release)
    vocabulary = Vocabulary(predictor.learnt)
    tokens = [vocabulary.end, *vocabulary.encode(prompt).tokens.tolist()]
    return vocabulary.decode(write(predictor.network, [tokens], count, vocabulary.end)[0])


def test_models_and_completions(verses: Path, tmp_path: Path) -> None:
    models, done = asked(
        verses,
        tmp_path,
        lambda client: client.models.list(),
        lambda client: client.completions.create(model="verses", prompt="the sun", max_tokens=20, temperature=0),
    )
    assert [model.id for model in models.data] == ["verses"]
    (choice,) = done.choices
    assert choice.text == greedy(verses, "the sun", 20)
    assert choice.finish_reason in ("stop", "length")
    assert done.usage.prompt_tokens == 1 + len(Vocabulary(open_predictor(verses).learnt).encode("the sun").tokens)
    assert done.usage.total_tokens == done.usage.prompt_tokens + done.usage.completion_tokens


def test_the_prompt_is_scored_as_in_process(verses: Path, tmp_path: Path) -> None:
    """What lm-eval asks: `echo` with `logprobs`, and no token to come."""
    text = "the moon came up\nover the hill"
    (done,) = asked(
        verses,
        tmp_path,
        lambda client: client.completions.create(
            model="verses", prompt=text, max_tokens=0, echo=True, logprobs=2, temperature=0
        ),
    )
    told = done.choices[0].logprobs
    assert "".join(told.tokens) == done.choices[0].text == text
    predictor = open_predictor(verses)
    vocabulary = Vocabulary(predictor.learnt)
    tokens = [vocabulary.end, *vocabulary.encode(text).tokens.tolist()]
    with torch.inference_mode():
        nats = predictor.network(torch.tensor([tokens[:-1]]), targets=torch.tensor([tokens[1:]]))[0]
    np.testing.assert_allclose(told.token_logprobs, -nats.numpy(), atol=1e-4)
    assert all(len(best) == 2 for best in told.top_logprobs)
    assert told.text_offset == [text.index(token, at) for token, at in zip(told.tokens, told.text_offset, strict=True)]


def test_tokens_stand_for_themselves(verses: Path, tmp_path: Path) -> None:
    (done,) = asked(
        verses,
        tmp_path,
        lambda client: client.completions.create(
            model="verses", prompt=[[5, 6, 7], [9]], max_tokens=1, echo=True, logprobs=0, temperature=0
        ),
    )
    first, second = done.choices
    assert first.logprobs.token_logprobs[0] is None
    assert all(value < 0 for value in first.logprobs.token_logprobs[1:])
    assert (first.index, second.index) == (0, 1)
    assert len(second.logprobs.tokens) <= 2


def test_a_scored_prompt_is_always_followed_by_one_more_token(verses: Path, tmp_path: Path) -> None:
    """lm-eval asks for one token and drops the last it is told of; where that is the end of the text, it is told all the same."""
    predictor = open_predictor(verses)
    vocabulary = Vocabulary(predictor.learnt)
    with torch.no_grad():
        logits = predictor.network.eval()(torch.arange(vocabulary.size)[:, None])[:, 0]
    # Whatever follows, the end or a token of text.
    likely = [int(token) for token in logits.argmax(dim=1) == vocabulary.end]
    prompts = [[token] for token in [*(logits[:, vocabulary.end].topk(3).indices.tolist()), 5, 6]]
    (done,) = asked(
        verses,
        tmp_path,
        lambda client: client.completions.create(
            model="verses", prompt=prompts, max_tokens=1, echo=True, logprobs=1, temperature=0
        ),
    )
    for choice, (token,) in zip(done.choices, prompts, strict=True):
        first, after = choice.logprobs.token_logprobs
        assert first is None
        assert after == pytest.approx(float(logits[token].log_softmax(dim=0).max()), abs=1e-4)
        assert (choice.finish_reason == "stop") == bool(likely[token])
        assert choice.text == vocabulary.decode([token]) + vocabulary.decode(
            [] if likely[token] else [int(logits[token].argmax())]
        )
    assert any(choice.finish_reason == "stop" for choice in done.choices)


def test_a_conversation(verses: Path, tmp_path: Path) -> None:
    messages = [{"role": "user", "content": "the sun"}]
    done, more = asked(
        verses,
        tmp_path,
        lambda client: client.chat.completions.create(model="verses", messages=messages, max_tokens=9, temperature=0),
        lambda client: client.chat.completions.create(
            model="verses", messages=messages, max_completion_tokens=5, temperature=0, logprobs=True, top_logprobs=3
        ),
    )
    assert done.choices[0].message.role == "assistant"
    assert done.choices[0].message.content == greedy(verses, "user: the sun\nassistant:", 9)
    told = more.choices[0].logprobs.content
    assert 1 <= len(told) <= 5
    assert told[0].logprob == pytest.approx(told[0].top_logprobs[0].logprob)
    assert sum(math.exp(one.logprob) for one in told[0].top_logprobs) <= 1 + 1e-6


def test_pieces_make_the_whole(verses: Path, tmp_path: Path) -> None:
    def wanted(**more: Any) -> dict[str, Any]:
        return {
            "model": "verses",
            "messages": [{"role": "user", "content": "we"}],
            "max_tokens": 12,
            "temperature": 0,
            **more,
        }

    async def streamed(client: Any) -> list[Any]:
        stream = await client.chat.completions.create(**wanted(stream=True, stream_options={"include_usage": True}))
        return [chunk async for chunk in stream]

    async def of_text(client: Any) -> list[Any]:
        stream = await client.completions.create(
            model="verses", prompt="the", max_tokens=12, temperature=0, stream=True, n=2, logprobs=1
        )
        return [chunk async for chunk in stream]

    whole, chunks, texts = asked(
        verses, tmp_path, lambda client: client.chat.completions.create(**wanted()), streamed, of_text
    )
    told = [chunk for chunk in chunks if chunk.choices]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in told) == whole.choices[0].message.content
    assert told[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in told][-1] == whole.choices[0].finish_reason
    assert chunks[-1].usage == whole.usage
    assert len({chunk.id for chunk in chunks}) == 1
    for index in (0, 1):
        pieces = [chunk.choices[0] for chunk in texts if chunk.choices[0].index == index]
        assert "".join(piece.text for piece in pieces) == greedy(verses, "the", 12)
        assert sum(len(piece.logprobs.tokens) for piece in pieces if piece.logprobs) <= 12


def test_an_end_that_was_asked_for_is_not_told(verses: Path, tmp_path: Path) -> None:
    whole = greedy(verses, "the", 30)
    stop = whole[6:9]

    async def streamed(client: Any) -> str:
        stream = await client.completions.create(
            model="verses", prompt="the", max_tokens=30, temperature=0, stop=[stop, "@"], stream=True
        )
        return "".join([chunk.choices[0].text async for chunk in stream if chunk.choices])

    done, pieces = asked(
        verses,
        tmp_path,
        lambda client: client.completions.create(
            model="verses", prompt="the", max_tokens=30, temperature=0, stop=[stop, "@"]
        ),
        streamed,
    )
    assert done.choices[0].text == pieces == whole[: whole.index(stop)]
    assert done.choices[0].finish_reason == "stop"


def test_seeds_and_several_answers(verses: Path, tmp_path: Path) -> None:
    def call(**more: Any) -> Any:
        wanted = {"model": "verses", "prompt": "the", "max_tokens": 16, "n": 3, **more}
        return lambda client: client.completions.create(**wanted)

    one, again, other = asked(verses, tmp_path, call(seed=7), call(seed=7), call(seed=8))
    texts = [[choice.text for choice in done.choices] for done in (one, again, other)]
    assert texts[0] == texts[1] != texts[2]
    assert len(set(texts[0])) == 3


def test_who_writes_together_writes_as_if_alone(verses: Path, tmp_path: Path) -> None:
    prompts = [line[:size] for line in LINES for size in (2, 5, 9)]

    async def at_once(client: Any) -> list[str]:
        calls = [
            client.completions.create(model="verses", prompt=prompt, max_tokens=3 + 2 * number, temperature=0)
            for number, prompt in enumerate(prompts)
        ]
        return [done.choices[0].text for done in await asyncio.gather(*calls)]

    (together,) = asked(verses, tmp_path, at_once)
    assert together == [greedy(verses, prompt, 3 + 2 * number) for number, prompt in enumerate(prompts)]


def test_embeddings(verses: Path, tmp_path: Path) -> None:
    texts = ["the sun went down", "the sun went down", "we go home"]
    plain, packed = asked(
        verses,
        tmp_path,
        lambda client: client.embeddings.create(model="verses", input=texts, encoding_format="float"),
        lambda client: client.embeddings.create(model="verses", input=texts),
    )
    rows = np.array([item.embedding for item in plain.data])
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(rows[0], rows[1])
    assert rows[0] @ rows[2] < 0.999
    np.testing.assert_allclose(np.array([item.embedding for item in packed.data]), rows, atol=1e-6)
    assert plain.usage.total_tokens > 10


TEXT = {"model": "verses", "prompt": "the", "max_tokens": 4}
CHAT = {"model": "verses", "messages": [{"role": "user", "content": "the"}], "max_tokens": 4}
LIMITS: list[tuple[str, dict[str, Any], str]] = [
    ("completions", {**TEXT, "n": 10**6}, "n"),
    ("completions", {**TEXT, "n": 0}, "n"),
    ("completions", {**TEXT, "max_tokens": 10**9}, "max_tokens"),
    ("completions", {**TEXT, "max_tokens": -1}, "max_tokens"),
    ("completions", {**TEXT, "max_tokens": 0}, "max_tokens"),
    ("completions", {**TEXT, "max_tokens": LENGTH}, "max_tokens"),
    ("completions", {**TEXT, "max_tokens": 1.5}, "max_tokens"),
    ("completions", {**TEXT, "stop": ["x"] * 100_000}, "stop"),
    ("completions", {**TEXT, "stop": ["x" * 1000]}, "stop[0]"),
    ("completions", {**TEXT, "stop": [""]}, "stop"),
    ("completions", {**TEXT, "stop": {"a": 1}}, "stop"),
    ("completions", {**TEXT, "prompt": {"a": 1}}, "prompt"),
    ("completions", {**TEXT, "prompt": None}, "prompt"),
    ("completions", {**TEXT, "prompt": 5}, "prompt"),
    ("completions", {**TEXT, "prompt": []}, "prompt"),
    ("completions", {**TEXT, "prompt": "\ud800"}, "prompt"),
    ("completions", {**TEXT, "prompt": [10**9]}, "prompt[0]"),
    ("completions", {**TEXT, "prompt": [True, 2]}, "prompt[0]"),
    ("completions", {**TEXT, "prompt": [1] * 10**5}, "prompt"),
    ("completions", {**TEXT, "prompt": ["a"] * 10**4}, "prompt"),
    ("completions", {**TEXT, "prompt": "the sun " * 60_000}, "prompt"),
    ("completions", {**TEXT, "temperature": -1}, "temperature"),
    ("completions", {**TEXT, "temperature": 1e400}, "body"),
    ("completions", {**TEXT, "top_p": 2}, "top_p"),
    ("completions", {**TEXT, "logprobs": 10**6}, "logprobs"),
    ("completions", {**TEXT, "seed": 2**80}, "seed"),
    ("completions", {**TEXT, "stream": "yes"}, "stream"),
    ("completions", {**TEXT, "presence_penalty": 1.0}, "presence_penalty"),
    ("completions", {**TEXT, "best_of": 5}, "best_of"),
    ("completions", {**TEXT, "surprise": 1}, "surprise"),
    ("completions", {**TEXT, "model": "gpt-4"}, "model"),
    ("completions", {**TEXT, "echo": True, "stream": True}, "echo"),
    ("chat/completions", {**CHAT, "messages": []}, "messages"),
    ("chat/completions", {**CHAT, "messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
    ("chat/completions", {**CHAT, "messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
    ("chat/completions", {**CHAT, "top_logprobs": 3}, "top_logprobs"),
    ("chat/completions", {**CHAT, "tools": [{"type": "function"}]}, "tools"),
    ("embeddings", {"model": "verses", "input": "x" * 10**6}, "input"),
    ("embeddings", {"model": "verses", "input": "x", "encoding_format": "hex"}, "encoding_format"),
]


def test_what_is_too_much_is_refused_by_name_before_anything_is_taken(verses: Path, tmp_path: Path) -> None:
    async def run() -> None:
        async with client_of(verses, tmp_path, body_limit=8e6) as (client, found):
            await client.completions.create(**TEXT)
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            for path, body, field in LIMITS:
                content = json.dumps(body).encode()
                answer = await found.http.post(f"/v1/{path}", content=content)
                told = answer.json()["error"]
                assert answer.status_code == 400, (path, field, answer.text[:200])
                assert told["param"] == field, (field, told)
                assert told["type"] == "invalid_request_error"
            # Kibibytes; the largest body alone is read and parsed into a few copies.
            assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20 * 1024
            with pytest.raises(openai.BadRequestError):
                await client.completions.create(model="verses", prompt="the", max_tokens=10**9)

    asyncio.run(run())


def test_keys_open_these_routes_too(verses: Path, tmp_path: Path) -> None:
    from modelwright.stages.serve.keys import add_key
    from modelwright.stages.serve.store import Store

    store = Store(tmp_path)
    secret = add_key(store, "ada", ("predict",), None)
    store.close()

    async def run() -> None:
        async with client_of(verses, tmp_path) as (client, found):
            with pytest.raises(openai.AuthenticationError):
                await client.completions.create(**TEXT)
            answer = await found.http.post("/v1/completions", json=TEXT, headers={"authorization": f"Bearer {secret}"})
            assert answer.status_code == 200

    asyncio.run(run())


def test_the_next_token_through_the_plain_door(verses: Path, tmp_path: Path) -> None:
    async def run() -> None:
        async with client_of(verses, tmp_path) as (_, found):
            answer = (await found.http.post("/predict", json={"text": "the su"})).json()
            assert answer["label"] == greedy(verses, "the su", 1)
            long = await found.http.post("/predict", json={"text": "the sun " * 60})
            assert long.status_code == 400
            assert "tokens" in long.json()["found"]

    asyncio.run(run())


def test_a_client_that_goes_makes_room(verses: Path, tmp_path: Path) -> None:
    async def run() -> None:
        async with client_of(verses, tmp_path) as (client, found):
            stream = await client.completions.create(model="verses", prompt="the", max_tokens=40, stream=True)
            await stream.close()
            calls = [client.completions.create(**TEXT) for _ in range(20)]
            assert len(await asyncio.gather(*calls)) == 20
            assert isinstance(found.http, httpx.AsyncClient)

    asyncio.run(run())
