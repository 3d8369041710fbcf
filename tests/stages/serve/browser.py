"""A headless Chromium with one page open, spoken to in its own debugging protocol over two pipes: no package is needed for that."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
SECONDS = 30.0


class Page:
    """Owns the browser's two pipes, and what the page has complained of so far."""

    def __init__(self, commands: int, messages: int) -> None:
        self._commands, self._messages = commands, messages
        self._number, self._rest, self._session = 0, b"", ""
        self.complaints: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Runtime", "Log", "Page", "DOM"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send one command and return its result."""
        self._number += 1
        command = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            command["sessionId"] = self._session
        os.write(self._commands, json.dumps(command).encode() + b"\0")
        while (message := self._read()).get("id") != self._number:
            self._note(message)
        assert "error" not in message, (method, message)
        result: dict[str, Any] = message["result"]
        return result

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            piece = os.read(self._messages, 1 << 16)
            assert piece, "the browser has gone"
            self._rest += piece
        found, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(found)
        return message

    def _note(self, message: dict[str, Any]) -> None:
        """Keep what went wrong on the page: exceptions, and whatever the browser logs, such as a refusal by the page's policy."""
        if message["method"] == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(message["params"]["exceptionDetails"]))
        elif message["method"] == "Log.entryAdded":
            self.complaints.append(message["params"]["entry"]["text"])

    def open(self, address: str, width: int = 1200, height: int = 900) -> None:
        """Load an address in a window of some size."""
        phone = width < 600
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone
        )  # fmt: skip
        self.call("Page.navigate", url=address)
        self.wait(f"document.readyState === 'complete' && location.href.startsWith({json.dumps(address)})")

    def run(self, script: str) -> Any:
        """Return the value of a script, of a promise what it comes to."""
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait(self, condition: str) -> None:
        """Wait until a condition of the page holds."""
        end = time.monotonic() + SECONDS
        while not self.run(condition):
            assert time.monotonic() < end, (condition, self.run("document.body.innerText"), self.complaints)
            time.sleep(0.02)

    def click(self, name: str) -> None:
        """Click an element, which must be there to be seen."""
        assert self.seen(name), f"#{name} is hidden"
        self.run(f"document.getElementById('{name}').click()")

    def seen(self, name: str) -> bool:
        """Say whether an element is shown."""
        return bool(self.run(f"document.getElementById('{name}').getClientRects().length > 0"))

    def text(self, name: str) -> str:
        """Return what an element shows."""
        return str(self.run(f"document.getElementById('{name}').innerText"))

    def choose_file(self, name: str, path: Path) -> None:
        """Choose a file, as a person does in the dialogue of the system."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=f"#{name}")["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def like(self, **features: str) -> None:
        """Set what the page may ask of the system, such as prefers_color_scheme='dark'."""
        found = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.call("Emulation.setEmulatedMedia", features=found)

    def picture(self, path: Path) -> Path:
        """Take a picture of the whole page."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))
        return path


@contextmanager
def browser(folder: Path) -> Iterator[Page]:
    """Start a browser, or skip the test where there is none."""
    chromium = next((found for name in NAMES if (found := shutil.which(name))), None)
    if chromium is None:
        pytest.skip("this machine has no Chromium")
    commands, messages = os.pipe(), os.pipe()

    def connect() -> None:
        # Chromium reads from 3 and writes to 4; by way of numbers that can be neither.
        for place, end in ((103, commands[0]), (104, messages[1])):
            os.dup2(end, place)
        for place in (3, 4):
            os.dup2(place + 100, place)

    options = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-pipe")
    popen = subprocess.Popen(
        [chromium, *options, f"--user-data-dir={folder / 'profile'}"], stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, preexec_fn=connect, pass_fds=(3, 4),
    )  # fmt: skip
    os.close(commands[0])
    os.close(messages[1])
    try:
        yield Page(commands[1], messages[0])
    finally:
        popen.kill()
        popen.wait()
        os.close(commands[1])
        os.close(messages[0])
