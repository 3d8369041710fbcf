"""The running server: the event loop, what happens beside the requests, and the way it ends."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn

from ...core.errors import ModelwrightError
from ...core.files import write_json
from ...core.journal import Journal
from .application import build_application
from .gate import Gate
from .opening import open_model as open_and_check
from .service import Served, Service
from .settings import Serve
from .slow import watched
from .store import Store

if TYPE_CHECKING:
    from ...engine.predictor import Predictor

# How often the keys are looked at (a revoked one must not live longer than a second), and the evidence written.
KEYS_SECONDS, EVIDENCE_SECONDS, LOOK_SECONDS = 0.4, 10.0, 0.02
KEEP_ALIVE_SECONDS = 30
EVIDENCE = "served.json"
# With the address, in a thread of its own, once the model is open; the server ends when it does.
Meanwhile = Callable[[str], Any]
log = logging.getLogger("modelwright.serve")


class Server:
    """Owns the service, the HTTP server around it, and the journal of the state."""

    def __init__(self, served: Served, settings: Serve, store: Store, journal: Journal) -> None:
        self.service = Service(served, settings, store)
        self._settings, self._journal, self._state = settings, journal, store.folder
        self._http: uvicorn.Server | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._beside: list[asyncio.Task[None]] = []
        self._found: Any = None
        self._wrong: Exception | None = None

    def run(
        self,
        listener: socket.socket,
        tls: dict[str, str],
        tell: Callable[[str], None],
        open_model: Callable[[Path, int], Predictor] | None = None,
        meanwhile: Meanwhile | None = None,
    ) -> dict[str, Any]:
        """Serve until told to stop, or until what is done meanwhile is done; return the summary and what that found.

        Raises:
            ModelwrightError: the model could not be opened, or what was done meanwhile failed.
        """
        config = uvicorn.Config(
            Gate(build_application(self.service), self.service),
            # A function in the place of a class: what it makes has the class's own protocol inside.
            http=watched(self._settings.header_seconds),  # type: ignore[arg-type]
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            ssl_certfile=tls.get("ssl_certfile"),
            ssl_keyfile=tls.get("ssl_keyfile"),
        )
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            opened = partial(self._opened, _address(listener, self._settings), tell, meanwhile)
            runner.run(self._serve(config, listener, opened, open_model or open_and_check))
        if failure := self.service.failure or self._wrong:
            raise failure
        return {**self.service.summary(), **({"found": self._found} if meanwhile else {})}

    async def _serve(
        self,
        config: uvicorn.Config,
        listener: socket.socket,
        opened: Callable[[BaseException | None], None],
        open_model: Callable[[Path, int], Predictor],
    ) -> None:
        config.load()
        self._http = http = uvicorn.Server(config)
        http.lifespan = config.lifespan_class(config)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        await http.startup(sockets=[listener])
        self._journal.append(
            "serving started", model=self.service.served.digest, signer=self.service.served.signer,
            address=_address(listener, self._settings), settings=self._settings.model_dump(mode="json"), process=os.getpid(),
        )  # fmt: skip
        self.service.start(open_model, opened)
        self._beside = [asyncio.create_task(self._watch_keys()), asyncio.create_task(self._write_evidence())]
        try:
            await http.main_loop()
            await http.shutdown(sockets=[listener])
        finally:
            for task in self._beside:
                task.cancel()
            self.service.close()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)
            summary = self.service.summary()
            write_json(self._state / EVIDENCE, summary)
            self._journal.append("serving stopped", **summary)
            self._journal.checkpoint()

    def _opened(
        self, address: str, tell: Callable[[str], None], meanwhile: Meanwhile | None, error: BaseException | None
    ) -> None:
        """The model is open, or it is not and never will be."""
        if error is not None:
            self._stop()
            return
        tell(address)
        if meanwhile is not None:
            self._beside.append(asyncio.get_running_loop().create_task(self._do(meanwhile, address)))

    async def _do(self, meanwhile: Meanwhile, address: str) -> None:
        try:
            self._found = await asyncio.to_thread(meanwhile, address)
        except ModelwrightError as error:
            self._wrong = error
        self._stop()

    def _stop(self) -> None:
        """Begin to end; when told a second time, at once."""
        if self._stopping is None:
            self.service.draining = True
            self._stopping = asyncio.get_running_loop().create_task(self._drain())
        elif self._http is not None:
            self._http.force_exit = self._http.should_exit = True

    async def _drain(self) -> None:
        """Let what was accepted be answered; meanwhile readiness is false and whoever comes is sent away."""
        assert self._http is not None
        end = time.monotonic() + self._settings.drain_seconds
        while self.service.batcher.busy and time.monotonic() < end and self.service.failure is None:
            await asyncio.sleep(LOOK_SECONDS)
        left = end - time.monotonic()
        # The answers still have to be written; asyncio takes fractions of a second, whatever the type says.
        self._http.config.timeout_graceful_shutdown = max(left, 0.2)  # type: ignore[assignment]
        self._http.should_exit = True

    async def _watch_keys(self) -> None:
        while True:
            await asyncio.sleep(KEYS_SECONDS)
            self.service.ring.refresh()

    async def _write_evidence(self) -> None:
        while True:
            await asyncio.sleep(EVIDENCE_SECONDS)
            await asyncio.to_thread(write_json, self._state / EVIDENCE, self.service.summary())


def _address(listener: socket.socket, settings: Serve) -> str:
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if settings.certificate else 'http'}://{shown}:{port}"
