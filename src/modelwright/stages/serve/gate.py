"""The gate before the application: names, keys, rates, room in the queue and the size of the body, cheapest first."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.requests import Request

from .access import asks_model, check_key, check_names, names_of, parameters_of, route_of
from .application import DIRECT, note_failure
from .refusal import Refused
from .service import GONE, Gone, Service

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

# Where anybody may write something down.
WORDS = ("/feedback", "/about/words")
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")
# How long a client that was refused may go on sending, so that it gets to read why.
LINGER_SECONDS = 1.0
log = logging.getLogger("modelwright.serve")


class Gate:
    """Owns nothing of its own: lets requests through to the application, or answers them with a refusal."""

    def __init__(self, app: App, service: Service) -> None:
        self._app, self._service = app, service
        self._names = names_of(service.settings)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # The protocol's own description has a slash behind `/v2`; no path here means something else with one.
        scope["path"] = scope["path"].rstrip("/") or "/"
        started = time.monotonic()
        route, method = route_of(scope["path"]), scope["method"]
        status = GONE

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            try:
                await self._admit(scope, route, method)
                body = await _read_body(
                    scope, receive, self._service.settings.body_limit, self._service.settings.body_seconds
                )
                await self._answer(scope, _replay(body, receive), noting, route, method)
            except Refused as error:
                note_failure(error, method, route)
                await _refuse(error, noting, receive)
            except Gone:
                pass
            except Exception as error:  # the border of this process: a bug must not take the server down
                log.exception("a bug of modelwright: %s %s", method, route)
                if status == GONE:
                    await _refuse(Refused(500, f"a bug of the server: {type(error).__name__}"), noting, receive)
        finally:
            known = method if method in METHODS else "other"
            self._service.measures.finished(route, known, status, time.monotonic() - started, asks_model(route, method))

    async def _answer(
        self, scope: MutableMapping[str, Any], receive: Receive, send: Send, route: str, method: str
    ) -> None:
        """Let the application answer; what asks the model goes straight to its handler, whose path is known by now."""
        handler = DIRECT.get(route) if method == "POST" else None
        if handler is None:
            await self._app(scope, receive, send)
            return
        scope["path_params"] = parameters_of(route, scope["path"])
        response = await handler(self._service, Request(scope, receive))
        await response(scope, receive, send)

    async def _admit(self, scope: MutableMapping[str, Any], route: str, method: str) -> None:
        service = self._service
        headers: dict[bytes, bytes] = dict(scope["headers"])
        check_names(headers, self._names)
        key = check_key(headers, route, service.ring)
        who = key.prefix if key else str((scope.get("client") or ("",))[0])
        if not route.startswith("/v2/health"):
            wait = service.rate.wait_seconds(who)
            if not wait and key is None and method == "POST" and route in WORDS:
                wait = service.words_rate.wait_seconds(who)
            if wait:
                raise Refused(429, "too many requests", expected=f"the next in {wait:.1f} s", retry_after=wait)
        if asks_model(route, method):
            if not service.ready:
                found = "shutting down" if service.draining else "the model is not open yet"
                raise Refused(503, found, retry_after=1)
            late = service.batcher.retry_after()
            if late is not None:
                service.batcher.counts.refused += 1
                raise Refused(503, "the queue is full", retry_after=late)
        _check_length(headers, service.settings.body_limit)


def _check_length(headers: dict[bytes, bytes], limit: float) -> None:
    stated = headers.get(b"content-length", b"0")
    if not stated.isdigit():
        raise Refused(400, "not a number", field="Content-Length", expected="a number of bytes")
    if int(stated) > limit:
        raise _too_large(limit)


def _too_large(limit: float) -> Refused:
    return Refused(413, "the body is too large", field="body", expected=f"at most {limit:.0f} bytes")


async def _read_body(scope: MutableMapping[str, Any], receive: Receive, limit: float, seconds: float) -> bytes:
    """Read the body, and no more of it than is allowed nor for longer."""
    if scope["method"] in ("GET", "HEAD"):
        return b""
    try:
        async with asyncio.timeout(seconds):
            body, more = b"", True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Gone
                body += message.get("body", b"")
                more = message.get("more_body", False)
                if len(body) > limit:
                    raise _too_large(limit)
            return body
    except TimeoutError:
        raise Refused(408, "the body did not arrive in time", field="body", expected=f"{seconds:g} s at most") from None


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives the body that was read, then whatever comes after it."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def _refuse(error: Refused, send: Send, receive: Receive) -> None:
    body = json.dumps(error.body(), ensure_ascii=True).encode()
    # A body that was not read to its end cannot be skipped: the connection ends with the refusal.
    unread = error.status in (408, 413)
    headers = {"content-type": "application/json", "content-length": str(len(body)), **error.headers()}
    if unread:
        headers["connection"] = "close"
    if error.status == 401:
        headers["www-authenticate"] = "Bearer"
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": error.status, "headers": pairs})
    if error.status == 413:
        await send({"type": "http.response.body", "body": body, "more_body": True})
        await _linger(receive)
        await send({"type": "http.response.body", "body": b""})
    else:
        await send({"type": "http.response.body", "body": body})


async def _linger(receive: Receive) -> None:
    """Let what a client is still sending fall to the floor for a moment; a closed socket would lose the refusal."""
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            while (message := await receive())["type"] != "http.disconnect":
                if not message.get("more_body", False):
                    return
    except TimeoutError:
        return
