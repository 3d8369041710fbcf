"""Every key of `serve` changes something, and how a release is served is written into it."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from served_release import PNG, Serving, make_release, picture, run_async, slowed, tensors

from modelwright.core.errors import DamagedArtifact, DataError, RecipeError
from modelwright.stages.serve.access import names_of
from modelwright.stages.serve.run import listen, serve, settings_for
from modelwright.stages.serve.service import read_served
from modelwright.stages.serve.settings import Serve

# Key -> the test that shows what it changes.
SHOWN = {
    "host": "test_names_and_addresses, test_wrong_orders_are_refused (test_keys.py)",
    "port": "test_a_port_in_use_is_named",
    "hosts": "test_names_and_addresses, test_sizes_names_and_verbs (test_bad_requests.py)",
    "batch": "test_together_is_as_alone (test_answers.py)",
    "delay_ms": "test_the_delay_makes_one_batch_of_two",
    "queue": "test_a_bounded_queue (test_limits.py)",
    "deadline_ms": "test_the_deadline_frees_the_slot_and_drops_the_work (test_limits.py)",
    "threads": "test_threads",
    "rate": "test_the_rate_of_one_is_not_that_of_another (test_keys.py)",
    "burst": "test_the_rate_of_one_is_not_that_of_another (test_keys.py)",
    "inputs": "test_simple_questions_that_are_none (test_bad_requests.py)",
    "text_limit": "test_simple_questions_that_are_none (test_bad_requests.py)",
    "pixel_limit": "test_what_is_no_picture_or_too_large_is_refused (test_restyled.py)",
    "body_limit": "test_sizes_names_and_verbs (test_bad_requests.py)",
    "header_seconds": "test_slow_clients_are_shown_out (test_process.py)",
    "body_seconds": "test_a_body_that_does_not_come (test_limits.py)",
    "drain_seconds": "test_whoever_is_not_answered_in_the_drain_time_is_let_go (test_process.py)",
    "certificate": "test_tls (test_process.py)",
    "certificate_key": "test_tls (test_process.py)",
}


def test_every_key_is_shown_somewhere() -> None:
    assert set(Serve.model_fields) == set(SHOWN)
    for tests in SHOWN.values():
        for test in tests.split(", "):
            name, _, file = test.partition(" (")
            text = (Path(__file__).parent / (file.rstrip(")") or Path(__file__).name)).read_text()
            assert f"def {name}(" in text, test


def test_how_to_serve_is_stored_in_the_release(release: Path) -> None:
    assert settings_for(release, ()).queue == 7
    assert settings_for(release, ("serve.queue=9", "port=0", "hosts=[a.example]")) == Serve(
        queue=9, port=0, hosts=("a.example",)
    )
    with pytest.raises(RecipeError, match="did you mean 'queue'"):
        settings_for(release, ("serve.quue=9",))
    with pytest.raises(RecipeError, match="not an override"):
        settings_for(release, ("queue",))
    with pytest.raises(DataError, match="not a release"):
        settings_for(release.parent, ())


def test_another_section_serve_is_another_release(release: Path, tmp_path: Path) -> None:
    """It is part of what is signed, so it makes the stage run again, and no other stage."""
    shutil.copytree(release.parents[1], tmp_path / "run")
    before = {path.name for path in (tmp_path / "run" / "artifacts").iterdir()}
    other = make_release(tmp_path, serve={"queue": 11})
    assert settings_for(other, ()).queue == 11
    made = {path.name.split("-")[0] for path in (tmp_path / "run" / "artifacts").iterdir() if path.name not in before}
    assert {name.split(".")[0] for name in made} == {"release"}


def test_only_what_was_signed_is_opened(release: Path, tmp_path: Path) -> None:
    def never(address: str) -> None:
        raise AssertionError("it listens")

    for name, damage in {
        "model.safetensors": lambda path: path.write_bytes(path.read_bytes()[:-1] + b"x"),
        "README.md": lambda path: path.write_text(path.read_text() + " "),
        "more.txt": lambda path: path.write_text("more"),
    }.items():
        copy = tmp_path / name / "release"
        shutil.copytree(release, copy)
        damage(copy / name)
        with pytest.raises(DamagedArtifact):
            serve(copy, ("port=0",), None, None, never)
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    stranger = ec.generate_private_key(ec.SECP256R1()).public_key()
    (tmp_path / "stranger.pub").write_bytes(stranger.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(DamagedArtifact, match="signature"):
        serve(release, ("port=0",), tmp_path / "state", tmp_path / "stranger.pub", never)


def test_a_port_in_use_is_named(release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from modelwright.app.cli import main

    with listen(Serve(port=0)) as listener:
        port = listener.getsockname()[1]
        began = time.monotonic()
        assert main(["serve", str(release), f"port={port}", "--state", str(tmp_path)]) == 2
        assert time.monotonic() - began < 20
        assert f"the port {port} is in use" in capsys.readouterr().err
    with listen(Serve(port=port)) as listener:
        assert listener.getsockname()[1] == port
    with pytest.raises(RecipeError, match="cannot listen"):
        listen(Serve(host="192.0.2.1"))


def test_names_and_addresses() -> None:
    assert "10.0.0.1" in names_of(Serve(host="10.0.0.1"))
    assert "a.example" in names_of(Serve(hosts=("a.example",)))
    assert "0.0.0.0" not in names_of(Serve(host="0.0.0.0"))


def test_the_delay_makes_one_batch_of_two(serving: Serving) -> None:
    async def batches(delay: float) -> int:
        async with serving(delay_ms=delay) as client:
            first = asyncio.ensure_future(client.post("/v2/models/tiny/infer", json=tensors()))
            await asyncio.sleep(0.1)
            await asyncio.gather(first, client.post("/v2/models/tiny/infer", json=tensors()))
            return int(client.service.batcher.counts.batches)

    assert asyncio.run(batches(600.0)) == 1
    assert asyncio.run(batches(0.0)) == 2


def test_threads(serving: Serving) -> None:
    import torch

    seen: list[int] = []

    def change(predictor: Any) -> Any:
        seen.append(torch.get_num_threads())
        return slowed(0)(predictor)

    async def work() -> None:
        for threads in (1, 2):
            async with serving(change, threads=threads) as client:
                assert (await client.post("/predict", content=picture(), headers=PNG)).status_code == 200

    run_async(work)
    assert seen == [1, 2]


def test_a_dry_run_shows_the_settings(release: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from modelwright.app.cli import main

    assert main(["serve", str(release), "serve.batch=3", "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["settings"]["batch"] == 3
    assert main(["serve", str(release), "host=0.0.0.0", "--state", str(release.parent / "none")]) == 2
    assert "no valid key" in capsys.readouterr().err


def test_a_release_without_a_door_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"task": {"kind": "sculpture"}}))
    with pytest.raises(RecipeError, match="a model of the task 'sculpture' cannot be served yet"):
        read_served(tmp_path, "nobody")
