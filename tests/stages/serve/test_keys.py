"""Keys: shown once, stored as digests, the same refusal for every bad one, and the scope that the table says for every route."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from served_release import Serving, run_async

from modelwright.core.errors import RecipeError
from modelwright.stages.serve.access import PUBLIC, SCOPES, route_of
from modelwright.stages.serve.keys import Ring, add_key, all_keys, manage, revoke_key
from modelwright.stages.serve.rate import Rate
from modelwright.stages.serve.run import require_keys
from modelwright.stages.serve.settings import Serve
from modelwright.stages.serve.store import FILE, Store


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def test_every_bad_key_gets_the_same_answer(serving: Serving, tmp_path: Path) -> None:
    other = Store(tmp_path / "other")
    foreign = add_key(other, "other tenant", ("admin",), None)
    store = Store(tmp_path / "state")
    good = add_key(store, "good", ("predict",), 1)
    expired = add_key(store, "expired", ("predict",), -1 / 86_400)
    revoked = add_key(store, "revoked", ("predict",), None)
    revoke_key(store, revoked)
    bad = [
        "",
        "x",
        good[:-1],
        good + "x",
        good.upper(),
        expired,
        revoked,
        foreign,
        "mw__",
        good[:12] + "_" + foreign[12:],
        "é",
    ]

    async def work() -> None:
        async with serving() as client:
            assert (await client.get("/v2", headers=bearer(good))).status_code == 200
            assert (await client.get("/v2", headers={"x-api-key": good})).status_code == 200
            answers = [await client.get("/v2", headers={"authorization": f"Bearer {key}".encode()}) for key in bad]
            answers += [await client.get("/v2"), await client.get("/v2", params={"key": good})]
            assert {answer.status_code for answer in answers} == {401}
            assert len({answer.content for answer in answers}) == 1

    run_async(work)
    store.close()
    other.close()


def test_revoking_reaches_a_running_server(serving: Serving, tmp_path: Path) -> None:
    """Another process writes; the server looks several times a second."""

    async def work() -> None:
        async with serving() as client:
            assert (await client.get("/v2")).status_code == 200
            made = manage("add", tmp_path, tmp_path / "state", "team", ("predict",), None)
            client.service.ring.refresh()
            assert (await client.get("/v2")).status_code == 401
            assert (await client.get("/v2", headers=bearer(made["key"]))).status_code == 200
            manage("revoke", tmp_path, tmp_path / "state", made["key"].split("_")[1], (), None)
            client.service.ring.refresh()
            assert (await client.get("/v2", headers=bearer(made["key"]))).status_code == 401
            assert (await client.get("/v2")).status_code == 401, "taking the last key back opens no door"

    run_async(work)


def test_every_route_asks_for_the_scope_of_the_table(serving: Serving, tmp_path: Path) -> None:
    store = Store(tmp_path / "state")
    keys = {scope: add_key(store, scope, (scope,), None) for scope in ("predict", "feedback", "metrics", "admin")}

    async def work() -> None:
        async with serving() as client:
            described = (await client.get("/openapi.json")).json()["paths"]
            assert set(described) | {"/openapi.json"} == set(SCOPES), "a route without a scope"
            for route, scope in SCOPES.items():
                path = route.format(model="tiny", version="1")
                assert route_of(path) == route
                for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD"):
                    if method == "POST" and route == "/about/words":
                        continue
                    bare = (await client.http.request(method, path)).status_code
                    assert (bare == 401) == (scope != PUBLIC), (method, path)
                    for held, key in keys.items():
                        status = (await client.http.request(method, path, headers=bearer(key))).status_code
                        refused = scope not in (PUBLIC, held) and held != "admin"
                        assert (status == 403) == refused, (method, path, held, status)

    run_async(work)
    store.close()


def test_nothing_stored_tells_a_key(tmp_path: Path) -> None:
    store = Store(tmp_path)
    key = add_key(store, "team", ("predict",), None)
    store.close()
    secret = key.split("_", 2)[2]
    for path in tmp_path.iterdir():
        assert secret.encode() not in path.read_bytes()
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0
    assert secret not in json.dumps(manage("list", tmp_path, tmp_path, "", (), None))
    assert len(secret) == 43


def test_wrong_orders_are_refused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(RecipeError, match="scope"):
        add_key(store, "x", ("everything",), None)
    with pytest.raises(RecipeError, match="no key"):
        revoke_key(store, "00000000")
    with pytest.raises(RecipeError, match="no valid key"):
        require_keys(Serve(host="0.0.0.0"), store)
    require_keys(Serve(host="127.0.0.1"), store)
    add_key(store, "late", ("predict",), -1)
    with pytest.raises(RecipeError, match="no valid key"):
        require_keys(Serve(host="0.0.0.0"), store)
    add_key(store, "now", ("predict",), 1)
    require_keys(Serve(host="0.0.0.0"), store)
    assert Ring(store).demanded
    assert [key.name for key in all_keys(store)] == ["late", "now"]
    store.close()


def test_the_rate_of_one_is_not_that_of_another(serving: Serving, tmp_path: Path) -> None:
    store = Store(tmp_path / "state")
    one, other = (add_key(store, name, ("predict",), None) for name in ("one", "other"))

    async def work() -> None:
        async with serving(rate=0.5, burst=3) as client:
            statuses = [(await client.get("/v2", headers=bearer(one))).status_code for _ in range(6)]
            assert statuses == [200] * 3 + [429] * 3
            late = await client.get("/v2", headers=bearer(one))
            assert 1 <= int(late.headers["retry-after"]) <= 2
            assert (await client.get("/v2", headers=bearer(other))).status_code == 200
            assert (await client.get("/v2/health/ready")).status_code == 200

    run_async(work)
    store.close()


def test_buckets_fill_with_time_and_do_not_pile_up() -> None:
    now = [100.0]
    rate = Rate(2.0, 1, lambda: now[0])
    assert rate.wait_seconds("a") == 0
    assert rate.wait_seconds("a") == pytest.approx(0.5)
    now[0] += 0.5
    assert rate.wait_seconds("a") == 0
    now[0] -= 1000
    assert rate.wait_seconds("a") > 0, "a clock that goes back gives nothing away"
    for number in range(25_000):
        now[0] += 0.001
        rate.wait_seconds(str(number))
    assert len(rate._buckets) <= 10_000
    assert Rate(0.0, 1, time.monotonic).wait_seconds("a") == 0


def test_the_command_line_of_keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from modelwright.app.cli import main

    def call(*words: str) -> Any:
        assert main(["keys", *words, "--state", str(tmp_path), "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    made = call("add", "release", "team", "--scope", "metrics", "--days", "30")
    (listed,) = call("list", "release")["keys"]
    assert (listed["name"], listed["scopes"], listed["state"]) == ("team", ["metrics"], "valid")
    (listed,) = call("revoke", "release", made["key"][:11])["keys"]
    assert listed["state"] == "revoked"
