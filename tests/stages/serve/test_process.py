"""Servers in processes of their own: how they start, are overrun, lose keys, and end."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from served_release import PNG, picture, process, tensors, tls_pair

from modelwright.core.journal import verify_journal
from modelwright.stages.serve.keys import manage

INFER = "/v2/models/tiny/infer"


def test_a_whole_life(release: Path, tmp_path: Path) -> None:
    """The Triton client is answered, a revoked key is not, and SIGTERM leaves nobody without an answer."""
    client_module = pytest.importorskip("tritonclient.http")
    with process(
        release, tmp_path / "state", "drain_seconds=10", "deadline_ms=10000", "batch=1", "queue=64", seconds=0.02
    ) as server:
        triton = client_module.InferenceServerClient(f"127.0.0.1:{server.port}")
        assert triton.is_server_live()
        assert triton.is_server_ready()
        assert triton.is_model_ready("tiny")
        pixels = np.random.default_rng(0).integers(0, 255, (3, 8, 8, 1)).astype(np.uint8)
        answers = []
        for binary in (True, False):
            tensor = client_module.InferInput("image", [3, 8, 8, 1], "UINT8")
            tensor.set_data_from_numpy(pixels, binary_data=binary)
            output = client_module.InferRequestedOutput("probabilities", binary_data=binary)
            answers.append(triton.infer("tiny", [tensor], outputs=[output]).as_numpy("probabilities"))
        assert (answers[0] == answers[1]).all()
        triton.close()

        with httpx.Client(base_url=server.address) as client:
            key = manage("add", release, tmp_path / "state", "team", ("predict",), None)["key"]
            bearer = {"authorization": f"Bearer {key}"}
            _wait_for(lambda: client.get("/v2").status_code == 401, 1.0)
            assert client.get("/v2", headers=bearer).status_code == 200
            manage("revoke", release, tmp_path / "state", key, (), None)
            _wait_for(lambda: client.get("/v2", headers=bearer).status_code == 401, 1.0)
            key = manage("add", release, tmp_path / "state", "other", ("predict",), None)["key"]
            bearer = {"authorization": f"Bearer {key}"}
            _wait_for(lambda: client.get("/v2", headers=bearer).status_code == 200, 1.0)

            began = threading.Barrier(41)
            states: list[tuple[int, int]] = []

            def ask(number: int) -> int:
                with httpx.Client(base_url=server.address, timeout=20) as own:
                    own.get("/v2/health/live")
                    began.wait()
                    return own.post(INFER, json=tensors(1, number), headers=bearer).status_code

            with ThreadPoolExecutor(40) as pool:
                asked = [pool.submit(ask, number) for number in range(40)]
                began.wait()
                time.sleep(0.25)
                server.popen.send_signal(signal.SIGTERM)
                time.sleep(0.1)
                states.append((client.get("/v2/health/ready").status_code, client.get("/v2/health/live").status_code))
                statuses = [item.result() for item in asked]
        assert states == [(503, 200)]
        assert statuses == [200] * 40
        assert server.popen.wait(10) == 0
    verify_journal(tmp_path / "state" / "journal.jsonl", tmp_path / "state" / "journal.witness")
    events = [json.loads(line)["event"] for line in (tmp_path / "state" / "journal.jsonl").read_text().splitlines()]
    assert events == ["serving started", "serving stopped"]
    assert json.loads((tmp_path / "state" / "served.json").read_text())["statuses"]["401"] >= 2


def _wait_for(condition: Any, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.02)


def test_slow_clients_are_shown_out(release: Path, tmp_path: Path) -> None:
    with process(release, tmp_path / "state", "header_seconds=0.6", "body_seconds=0.6") as server:
        heads = {
            "head": b"POST /predict HTTP/1.1\r\nHost: localhost\r\nX-A: ",
            "nothing": b"",
            "body": b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n1",
        }
        for name, head in heads.items():
            with socket.create_connection(("127.0.0.1", server.port)) as connection:
                connection.sendall(head)
                connection.settimeout(0.1)
                began, answer = time.monotonic(), b""
                while time.monotonic() - began < 5:
                    try:
                        # Dripping: a byte now and then keeps no connection open.
                        if name == "head":
                            connection.sendall(b"a")
                        piece = connection.recv(4096)
                    except TimeoutError:
                        continue
                    except OSError:
                        break
                    if not piece:
                        break
                    answer += piece
                assert 0.4 < time.monotonic() - began < 4, name
                assert answer.startswith(b"HTTP/1.1 408"), (name, answer)
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(b"GET /v2 HTTP/1.1\r\nHost: localhost\r\nX-A: " + b"a" * 200_000)
            assert b" 431 " in connection.recv(4096) or b" 400 " in connection.recv(4096)
        with httpx.Client(base_url=server.address) as client:
            for _ in range(3):
                assert client.get("/v2/health/live").status_code == 200
                time.sleep(0.7)
            too_large = client.post("/predict", content=b"x" * 40_000_000, headers=PNG)
            assert (too_large.status_code, too_large.json()["field"]) == (413, "body")
        assert server.stop() == 0


def test_whoever_is_not_answered_in_the_drain_time_is_let_go(release: Path, tmp_path: Path) -> None:
    with process(release, tmp_path / "state", "drain_seconds=0.3", "deadline_ms=120000", seconds=12) as server:
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(lambda: httpx.post(f"{server.address}{INFER}", json=tensors(), timeout=100))
            time.sleep(0.3)
            began = time.monotonic()
            assert server.stop() == 0
            assert time.monotonic() - began < 9, "and not the twelve seconds that the model takes"
            error = asked.exception()
        assert error is not None or asked.result().status_code >= 500


def test_tls(release: Path, tmp_path: Path) -> None:
    tls_pair(tmp_path)
    paths = (f"certificate={tmp_path}/cert.pem", f"certificate_key={tmp_path}/key.pem")
    with process(release, tmp_path / "state", *paths) as server:
        trust = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
        with httpx.Client(verify=trust) as client:
            assert client.post(f"{server.address}/predict", content=picture(), headers=PNG).status_code == 200
        with pytest.raises(httpx.HTTPError):
            httpx.get(f"http://127.0.0.1:{server.port}/v2")
        old = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
        old.minimum_version = ssl.TLSVersion.TLSv1_2
        assert server.stop() == 0
    from modelwright.core.errors import RecipeError
    from modelwright.stages.serve.run import serve

    with pytest.raises(RecipeError, match="certificate"):
        serve(release, ("port=0", f"certificate={tmp_path}/key.pem"), tmp_path / "other", None, lambda address: None)


def test_one_state_is_for_one_server(release: Path, tmp_path: Path) -> None:
    from modelwright.core.errors import Busy
    from modelwright.stages.serve.run import alone
    from modelwright.stages.serve.store import Store

    Store(tmp_path).close()
    with alone(tmp_path), pytest.raises(Busy), alone(tmp_path):
        pass


@pytest.mark.full
def test_five_hundred_clients_at_once(release: Path, tmp_path: Path) -> None:
    """20 ms of work a request: whoever is answered waits a second at most, whoever is not knows it at once."""
    hey = shutil.which("hey")
    if hey is None:
        pytest.skip("this machine has no hey")
    body = tmp_path / "body.json"
    body.write_text(json.dumps(tensors()))
    with process(release, tmp_path / "state", "deadline_ms=900", "batch=1", "queue=256", seconds=0.02) as server:
        httpx.post(f"{server.address}{INFER}", json=tensors())
        command = [hey, "-n", "1000", "-c", "500", "-t", "10", "-m", "POST", "-D", str(body), "-o", "csv"]
        done = subprocess.run([*command, f"{server.address}{INFER}"], capture_output=True, text=True, check=True)
        rows = [line.split(",") for line in done.stdout.splitlines()[1:]]
        answered = sorted(float(row[0]) for row in rows if row[6] == "200")
        assert {row[6] for row in rows} <= {"200", "503"}
        assert len(rows) == 1000
        assert len(answered) >= 35
        assert answered[int(0.99 * len(answered))] <= 1.5
        assert server.stop() == 0
