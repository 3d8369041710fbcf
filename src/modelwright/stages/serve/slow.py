"""Clients that take for ever to send the head of a request, or send one without end, are shown out.

The HTTP server underneath bounds neither, so each connection is watched from outside.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

HEAD_LIMIT = 1 << 16
LATE = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class Watched(asyncio.Protocol):
    """Owns one connection's timer and how much of an unfinished head has come; all else is done by the protocol inside."""

    def __init__(self, inside: Any, seconds: float) -> None:
        self._inside, self._seconds = inside, seconds
        self._loop = asyncio.get_running_loop()
        self._transport: Any = None
        self._timer: asyncio.TimerHandle | None = None
        self._since = 0.0
        self._bytes = 0

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first head."""
        self._transport = transport
        self._inside.connection_made(transport)
        self._since = self._loop.time()
        self._timer = self._loop.call_later(self._seconds, self._look)

    def data_received(self, data: bytes) -> None:
        """Pass bytes on, and count them while no request has begun."""
        before = self._inside.cycle
        if before is None or before.response_complete:
            if self._bytes == 0:
                self._since = self._loop.time()
            self._bytes += len(data)
        self._inside.data_received(data)
        if self._inside.cycle is not before:
            self._bytes = 0
        elif self._bytes > HEAD_LIMIT and self._transport is not None and not self._transport.is_closing():
            self._end(LARGE)

    def _look(self) -> None:
        """Show out whoever is late; look again when the next one could be."""
        cycle = self._inside.cycle
        waiting = (cycle is None or cycle.response_complete) and (self._bytes > 0 or cycle is None)
        left = self._since + self._seconds - self._loop.time() if waiting else self._seconds
        if left <= 0:
            self._end(LATE)
        else:
            self._timer = self._loop.call_later(left + 0.01, self._look)

    def _end(self, farewell: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(farewell)
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        """Stop watching."""
        if self._timer is not None:
            self._timer.cancel()
        self._inside.connection_lost(error)

    def eof_received(self) -> bool | None:
        """Pass on that the client has closed its side."""
        ended: bool | None = self._inside.eof_received()
        return ended

    def pause_writing(self) -> None:
        """Pass on that the client reads too slowly."""
        self._inside.pause_writing()

    def resume_writing(self) -> None:
        """Pass on that the client has caught up."""
        self._inside.resume_writing()


def watched(seconds: float) -> Callable[..., Watched]:
    """Return what makes the protocol of a connection, in place of uvicorn's own, which stands inside."""
    from uvicorn.protocols.http.auto import AutoHTTPProtocol

    def make(config: Any, server_state: Any, app_state: Any, _loop: Any = None) -> Watched:
        inside: Any = AutoHTTPProtocol
        return Watched(inside(config=config, server_state=server_state, app_state=app_state, _loop=_loop), seconds)

    return make
