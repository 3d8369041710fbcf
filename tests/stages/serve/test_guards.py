"""What somebody may try from outside: guess at keys by the clock, send what is huge, ask on under another name, leave without waiting."""

from __future__ import annotations

import json
import resource
import socket
import statistics
import time
from pathlib import Path

import httpx
import pytest
from served_release import process, tensors

from modelwright.stages.serve.access import check_key
from modelwright.stages.serve.keys import Ring, add_key, revoke_key
from modelwright.stages.serve.refusal import Refused
from modelwright.stages.serve.store import Store

INFER = "/v2/models/tiny/infer"


def test_the_clock_tells_nothing_of_a_key(tmp_path: Path) -> None:
    """2,000 tries of each kind of bad key: the medians of the time to refuse differ by less than a millisecond."""
    store = Store(tmp_path)
    good = add_key(store, "good", ("predict",), None)
    revoked = add_key(store, "revoked", ("predict",), None)
    revoke_key(store, revoked)
    expired = add_key(store, "expired", ("predict",), -1 / 86_400)
    ring = Ring(store)
    bad = {"none": "", "unknown": "mw_00000000_x", "cut": good[:-1], "revoked": revoked, "expired": expired}
    medians = {}
    for name, key in bad.items():
        headers = {b"authorization": f"Bearer {key}".encode()}
        times = []
        for _ in range(2000):
            began = time.perf_counter()
            with pytest.raises(Refused):
                check_key(headers, "/predict", ring)
            times.append(time.perf_counter() - began)
        medians[name] = statistics.median(times)
    assert max(medians.values()) - min(medians.values()) < 1e-3, medians
    store.close()


def resident(process_number: int) -> int:
    """Return the bytes of memory that a process holds."""
    pages = int(Path(f"/proc/{process_number}/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def test_huge_questions_cost_nothing(text_release: Path, tmp_path: Path) -> None:
    """Counts, lengths and depths beyond all measure are refused before anything is made of them."""
    text = {"name": "text", "datatype": "BYTES", "data": ["a"]}
    questions: list[bytes] = [
        json.dumps({"inputs": [{**text, "shape": [shape]}]}).encode()
        for shape in (10**6, 10**9, 2**63, 2**64, -(10**9))
    ]
    questions += [
        json.dumps({"inputs": [{**text, "shape": [1], "data": value}]}).encode()
        for value in ({"a": 1}, 3, None, [3], [None], [{"a": 1}], [["a"]], ["a"] * 10**5, ["a " * 10**6])
    ]
    questions += [b'{"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["\\udc00"]}]}']
    with (
        process(text_release, tmp_path / "state") as server,
        httpx.Client(base_url=server.address, timeout=30) as client,
    ):
        assert client.post(INFER, json={"inputs": [{**text, "shape": [1]}]}).status_code == 200
        before = resident(server.popen.pid)
        for question in questions:
            refused = client.post(INFER, content=question)
            assert refused.status_code == 400, question[:80]
            assert refused.json()["field"], question[:80]
        assert resident(server.popen.pid) - before < 20 * 2**20
        assert 'status="5' not in client.get("/metrics").text


def test_overload_neither_fills_the_memory_nor_hides_that_the_server_lives(release: Path, tmp_path: Path) -> None:
    """Ten times what the model can do: what is too much is refused, and the process stays alive and small."""
    settings = ("queue=8", "batch=1", "deadline_ms=5000")
    with (
        process(release, tmp_path / "state", *settings, seconds=0.05) as server,
        httpx.Client(base_url=server.address, timeout=60) as client,
    ):
        assert client.post(INFER, json=tensors()).status_code == 200
        before = resident(server.popen.pid)
        head = "POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n"
        body = json.dumps(tensors()).encode()
        crowd = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(200)]
        for one in crowd:
            one.sendall(head.format(INFER, len(body)).encode() + body)
        assert client.get("/v2/health/live").status_code == 200
        firsts = [one.recv(15)[9:12].decode() for one in crowd]
        for one in crowd:
            one.close()
        assert set(firsts) == {"200", "503"}
        assert firsts.count("503") > 150
        assert resident(server.popen.pid) - before < 50 * 2**20
        assert client.post(INFER, json=tensors()).status_code == 200


def test_who_leaves_is_not_computed_for(release: Path, tmp_path: Path) -> None:
    """Over real connections: 10 questions wait behind a slow one, their clients hang up, and the counter shows it."""
    with process(release, tmp_path / "state", "batch=1", "deadline_ms=60000", seconds=0.5) as server:
        body = json.dumps(tensors()).encode()
        head = f"POST {INFER} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        crowd = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(11)]
        for one in crowd:
            one.sendall(head + body)
        time.sleep(0.3)
        for one in crowd[1:]:
            one.close()
        assert crowd[0].recv(15)[9:12] == b"200"
        crowd[0].close()
        with httpx.Client(base_url=server.address) as client:
            for line in client.get("/metrics").text.splitlines():
                if line.startswith("modelwright_abandoned_total"):
                    assert float(line.split()[1]) >= 5
                if line.startswith("modelwright_batches_total"):
                    assert float(line.split()[1]) <= 6
