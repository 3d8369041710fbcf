"""The OpenAI routes of a language model: `/v1/models`, `/v1/completions`, `/v1/chat/completions`, `/v1/embeddings`."""

from __future__ import annotations

import asyncio
import base64
import secrets
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

from fastapi import Request, Response
from starlette.responses import StreamingResponse

from ...engine.batching import Expired, Full
from ...tasks.vocabulary import Vocabulary
from . import openai_answers as answers
from .application import answer_json
from .documented import OBJECT, body_of, responses
from .openai_answers import DONE, Text, event, failure
from .openai_requests import Asked, Limits, encoding_of, read_chat, read_completion, read_embeddings
from .refusal import Refused
from .service import Gone, Service

# Rows that are written at once; each has room for a whole text of keys and values.
SLOTS = 8
Route = tuple[str, str, Callable[[Service, Request], Awaitable[Response]], dict[int | str, Any], dict[str, Any]]


def build(service: Service) -> list[Route]:
    """Return the routes of a language model."""
    routes = Routes(service)
    asking = (401, 403, 404, 413, 429, 500, 503, 504)
    body = body_of({"type": "object"})
    return [
        ("GET", "/v1/models", routes.models, responses(OBJECT), {}),
        ("POST", "/v1/completions", routes.completions, responses(OBJECT, 400, *asking), body),
        ("POST", "/v1/chat/completions", routes.chat_completions, responses(OBJECT, 400, *asking), body),
        ("POST", "/v1/embeddings", routes.embeddings, responses(OBJECT, 400, *asking), body),
    ]


class Routes:
    """Owns the vocabulary, the limits, and the scribe, whose thread begins with the first question."""

    def __init__(self, service: Service) -> None:
        learnt = service.served.learnt
        self.service, self.learnt = service, learnt
        self.vocabulary = Vocabulary(learnt)
        self.limits = Limits(service.served.name, learnt["length"], self.vocabulary.longest, service.settings.inputs)
        self.created = int(time.time())
        self._scribe: Any = None

    @property
    def scribe(self) -> Any:
        """The scribe; torch is loaded by then, as the model is open."""
        if self._scribe is None:
            from ...engine.scribe import Scribe

            self._scribe = Scribe(lambda: self.service.network, self.vocabulary.end, SLOTS, self.service.settings.queue)
        return self._scribe

    async def models(self, service: Service, request: Request) -> Response:
        """List the one model that is served."""
        model = {"id": self.limits.model, "object": "model", "created": self.created, "owned_by": "modelwright"}
        return answer_json({"object": "list", "data": [model]})

    async def completions(self, service: Service, request: Request) -> Response:
        """Go on from texts, or say how likely they are."""
        body = await request.body()
        return await self._refusing(partial(self._complete, request, body, False))

    async def chat_completions(self, service: Service, request: Request) -> Response:
        """Answer a conversation."""
        body = await request.body()
        return await self._refusing(partial(self._complete, request, body, True))

    async def embeddings(self, service: Service, request: Request) -> Response:
        """Return the mean of the model's last states for each text."""
        body = await request.body()
        return await self._refusing(partial(self._embed, body))

    async def _refusing(self, work: Callable[[], Awaitable[Response]]) -> Response:
        try:
            return await work()
        except Refused as error:
            return answer_json(failure(error), error.status, error.headers())

    async def _embed(self, body: bytes) -> Response:
        from ...engine.scribe import embed

        prompts = await self.service.read(partial(read_embeddings, body, self.vocabulary, self.limits), len(body))
        found = [await self._asked(partial(embed, tokens=list(tokens))) for tokens in prompts]
        as_text = encoding_of(body) == "base64"
        data = [
            {"object": "embedding", "index": index, "embedding": _in_base64(row) if as_text else row}
            for index, row in enumerate(found)
        ]
        count = sum(map(len, prompts))
        used = {"prompt_tokens": count, "total_tokens": count}
        return answer_json({"object": "list", "data": data, "model": self.limits.model, "usage": used})

    async def _complete(self, request: Request, body: bytes, chat: bool) -> Response:
        read = partial(read_chat, learnt=self.learnt) if chat else read_completion
        asked: Asked = await self.service.read(partial(read, body, self.vocabulary, self.limits), len(body))
        head = {
            "id": f"{'chatcmpl' if chat else 'cmpl'}-{secrets.token_hex(12)}",
            "object": "chat.completion" if chat else "text_completion",
            "created": int(time.time()),
            "model": self.limits.model,
        }
        if asked.stream:
            # What the first token shows to be impossible is refused before the answer has begun.
            pieces = self._pieces(asked, chat, head)
            first = await anext(pieces)
            return StreamingResponse(_joined(first, pieces), media_type="text/event-stream")
        return answer_json(await self._whole(request, asked, chat, head))

    async def _whole(self, request: Request, asked: Asked, chat: bool, head: dict[str, Any]) -> dict[str, Any]:
        before = [await self._before(prompt, asked) for prompt in asked.prompts]
        texts = [Text(self.vocabulary, asked.stop) for _ in self._numbered(asked)]
        gone = asyncio.ensure_future(_disconnected(request))
        written = asyncio.ensure_future(self._write_all(asked, texts))
        try:
            await asyncio.wait({gone, written}, return_when=asyncio.FIRST_COMPLETED)
            if not written.done():
                raise Gone
            written.result()
        finally:
            gone.cancel()
            written.cancel()
        choices = []
        for index, text in enumerate(texts):
            prompt = index // asked.answers
            echoed = self.vocabulary.decode(asked.prompts[prompt]) if asked.echo else ""
            choices.append(answers.choice(chat, index, text, echoed, before[prompt], asked))
        used = answers.usage(sum(map(len, asked.prompts)), sum(len(text.tokens) for text in texts))
        return {**head, "choices": choices, "usage": used}

    async def _write_all(self, asked: Asked, texts: list[Text]) -> None:
        async for index, item in self._heard(asked, texts):
            texts[index].finish(item) if isinstance(item, str) else texts[index].add(item.token, item)

    async def _pieces(self, asked: Asked, chat: bool, head: dict[str, Any]) -> AsyncIterator[bytes]:
        head = {**head, "object": "chat.completion.chunk" if chat else head["object"]}
        texts = [Text(self.vocabulary, asked.stop) for _ in self._numbered(asked)]
        since, first = [0] * len(texts), [True] * len(texts)
        async for index, item in self._heard(asked, texts):
            text = texts[index]
            said = text.finish(item) if isinstance(item, str) else text.add(item.token, item)
            if said or text.reason or first[index]:
                told = answers.piece(chat, index, said, text, since[index], asked, first[index])
                since[index], first[index] = len(text.tokens), False
                yield event({**head, "choices": [told]})
        if asked.usage:
            used = answers.usage(sum(map(len, asked.prompts)), sum(len(text.tokens) for text in texts))
            yield event({**head, "choices": [], "usage": used})
        yield DONE

    def _numbered(self, asked: Asked) -> list[tuple[int, ...]]:
        """Return the prompt of each answer, in the order of the answers."""
        return [prompt for prompt in asked.prompts for _ in range(asked.answers)]

    async def _heard(self, asked: Asked, texts: list[Text]) -> AsyncIterator[tuple[int, Any]]:
        """Yield the number of an answer with each of its tokens, and once with the reason why it ended.

        Raises:
            Refused: no room, too late, or a failure of the model.
        """
        from ...engine.generation import Sampling
        from ...engine.scribe import Writing

        loop, heard = asyncio.get_running_loop(), asyncio.Queue[tuple[int, Any]]()
        seed = secrets.randbits(62) if asked.seed is None else asked.seed

        def hear(number: int, item: Any) -> None:
            loop.call_soon_threadsafe(heard.put_nowait, (number, item))

        deadline = time.monotonic() + self.service.settings.deadline_ms / 1e3
        sampling = Sampling(asked.temperature, 0, asked.nucleus)
        wanted = [
            Writing(
                list(prompt),
                asked.count,
                sampling,
                (seed + number) % 2**63,
                max(0, asked.logprobs),
                partial(hear, number),
                deadline,
                # A harness that scores a prompt drops the last token it is told of, so there must be one.
                with_end=asked.echo,
            )
            for number, prompt in enumerate(self._numbered(asked))
        ]
        left = len(wanted)
        if not asked.count:
            for number in range(left):
                yield number, "length"
            return
        self._ask(*wanted)
        try:
            while left:
                number, item = await heard.get()
                if texts[number].reason:
                    continue
                if isinstance(item, BaseException):
                    raise _refused(item) from item
                yield number, item
                if texts[number].reason:
                    wanted[number].abandoned = True
                    left -= 1
        finally:
            for item in wanted:
                item.abandoned = True

    async def _before(self, prompt: tuple[int, ...], asked: Asked) -> list[Any]:
        """Return how likely each token of a prompt is, where that is wanted."""
        if not asked.echo or asked.logprobs < 0:
            return []
        from ...engine.scribe import score

        likely: list[Any] = await self._asked(lambda network: score(network, list(prompt), asked.logprobs))
        # The end that stands before a text is no part of it; what it makes of the first token is known.
        return likely if prompt[0] == self.vocabulary.end else [(prompt[0],), *likely]

    async def _asked(self, work: Callable[[Any], Any]) -> Any:
        """Return what the scribe's thread answers to a function of the network."""
        from ...engine.scribe import Reading

        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()

        def hear(item: Any) -> None:
            loop.call_soon_threadsafe(lambda: None if future.done() else future.set_result(item))

        self._ask(Reading(work, hear))
        found = await future
        if isinstance(found, BaseException):
            raise _refused(found) from found
        return found

    def _ask(self, *wanted: Any) -> None:
        try:
            self.scribe.ask(*wanted)
        except Full as error:
            raise Refused(503, "the queue is full", retry_after=error.retry_after) from None


def _refused(error: BaseException) -> Refused:
    if isinstance(error, Expired):
        return Refused(504, error.problems[0].found, expected=error.problems[0].expected)
    return Refused(500, f"the model failed: {type(error).__name__}")


async def _joined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for part in rest:
        yield part


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _in_base64(row: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(row)}f", *row)).decode()
