"""Releases of three tasks, served in this process without a socket, or by a process of its own."""

from __future__ import annotations

import asyncio
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from modelwright.core.execute import run
from modelwright.core.recipe import recipe_from
from modelwright.engine.predictor import Predictor
from modelwright.stages.serve.application import build_application
from modelwright.stages.serve.gate import Gate
from modelwright.stages.serve.opening import open_model
from modelwright.stages.serve.service import Service, read_served
from modelwright.stages.serve.settings import Serve
from modelwright.stages.serve.store import Store

IMAGES: dict[str, Any] = {
    "version": 1,
    "name": "tiny",
    "seed": 1,
    "task": "image",
    "data": {"kind": "sample", "name": "digits"},
    "model": {"kind": "mlp", "hidden": [16]},
    "prepare": {"limit": 120, "split": {"test": 0.25, "validation": 0.2}},
    "train": {"length": "2 epochs", "batch": 16, "threads": 1},
    "evaluate": {"resamples": 100, "floor": "none"},
    "release": {"limits": "Toy <digits> only.", "owner": "nobody", "approver": "nobody", "purpose": "Tests."},
    "serve": {"queue": 7},
}
TEXT_ROWS = "\n".join(
    json.dumps({"text": f"{word} number {n} of {word}s", "label": label})
    for n in range(30)
    for word, label in (("good day", "good"), ("bad night", "bad"))
)
TABLE_ROWS = "size,colour,label\n" + "\n".join(
    f"{n % 7}.5,{'red' if n % 2 else 'blue'},{'big' if n % 7 > 3 else 'small'}" for n in range(80)
)


def make_release(folder: Path, **sections: Any) -> Path:
    """Train the tiny recipe, with some sections replaced, and return its release."""
    recipe = recipe_from({**IMAGES, **sections}, folder)
    artifact = run(recipe, folder=folder / "run").artifact("release")
    assert artifact is not None
    return artifact.path


Change = Callable[[Predictor], Predictor]


@dataclass
class Client:
    """A served release in this process, and a client that talks to it."""

    service: Service
    http: httpx.AsyncClient

    async def post(self, path: str, **options: Any) -> httpx.Response:
        return await self.http.post(path, **options)

    async def get(self, path: str, **options: Any) -> httpx.Response:
        return await self.http.get(path, **options)


@asynccontextmanager
async def served(release: Path, state: Path, change: Change = lambda predictor: predictor, **settings: Any) -> Any:
    """Serve a release without a socket; `change` may put another model in the place of the real one."""
    store = Store(state)
    service = Service(read_served(release, "intact, signer unknown"), Serve(**settings), store)
    http = httpx.AsyncClient(
        transport=httpx.ASGITransport(Gate(build_application(service), service)), base_url="http://localhost"
    )
    service.start(lambda folder, threads: change(open_model(folder, threads)), lambda error: None)
    while not service.ready and service.failure is None:
        await asyncio.sleep(0.005)
    try:
        yield Client(service, http)
    finally:
        await http.aclose()
        service.close()
        store.close()


Serving = Callable[..., Any]


def slowed(seconds: float, log: list[int] | None = None) -> Change:
    """Return a change that makes every example take some time, and notes the size of every batch."""

    def change(predictor: Predictor) -> Predictor:
        def predict(examples: Any) -> np.ndarray:
            if log is not None:
                log.append(len(examples))
            time.sleep(seconds * len(examples))
            return predictor.predict(examples)

        return replace(predictor, predict=predict)

    return change


def picture(seed: int = 0, size: tuple[int, int] = (8, 8)) -> bytes:
    """Return a picture file."""
    from PIL import Image

    pixels = np.random.default_rng(seed).integers(0, 255, size, dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG")
    return stream.getvalue()


PNG = {"content-type": "image/png"}


def tensors(count: int = 1, seed: int = 0, **changes: Any) -> dict[str, Any]:
    """Return an inference request for pictures, with fields of its tensor replaced."""
    pixels = np.random.default_rng(seed).integers(0, 255, (count, 8, 8, 1))
    tensor = {"name": "image", "shape": [count, 8, 8, 1], "datatype": "UINT8", "data": pixels.ravel().tolist()}
    return {"inputs": [{name: value for name, value in {**tensor, **changes}.items() if value is not None}]}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def tls_pair(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for this machine and its key; skip where nobody can."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("this machine has no openssl")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    command = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]
    subprocess.run([openssl, *command.split(), *map(str, names)], check=True, capture_output=True)
    return certificate, key


SLOW = """
import sys, time
from dataclasses import replace
from pathlib import Path
from modelwright.stages.serve.opening import open_model
from modelwright.stages.serve.run import serve
def slow(folder, threads):
    predictor = open_model(folder, threads)
    def predict(examples):
        time.sleep({seconds} * len(examples))
        return predictor.predict(examples)
    return replace(predictor, predict=predict)
serve(Path(sys.argv[1]), tuple(sys.argv[3:]), Path(sys.argv[2]), None, lambda address: print(address, flush=True), slow)
"""


@dataclass
class Process:
    """A server in a process of its own."""

    popen: subprocess.Popen[str]
    address: str
    port: int

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.popen.send_signal(number)
        return self.popen.wait(60)


@contextmanager
def process(release: Path, state: Path, *overrides: str, seconds: float = 0.0) -> Iterator[Process]:
    """Start a server whose model takes some seconds an example; wait until it is ready."""
    port = free_port()
    program = [sys.executable, "-c", SLOW.replace("{seconds}", str(seconds)), str(release), str(state)]
    popen = subprocess.Popen(
        [*program, f"port={port}", *overrides], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert popen.stdout is not None
    try:
        address = popen.stdout.readline().strip()
        with httpx.Client(verify=not address.startswith("https")) as client:
            while client.get(f"{address}/v2/health/ready").status_code != 200:
                time.sleep(0.05)
        yield Process(popen, address, port)
    finally:
        popen.kill()
        popen.wait()
        popen.stdout.close()


def run_async(work: Callable[[], Awaitable[None]]) -> None:
    """Run a coroutine function to its end."""
    asyncio.run(work())  # type: ignore[arg-type]
