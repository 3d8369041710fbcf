"""Schemathesis reads what an interface promises and tries to catch the server breaking it: our own OpenAPI, and the protocol's.

Left out is one check alone, that whatever fits the schema is accepted: no schema can say how many values a shape needs, or that
a text in base64 is a picture.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from open_inference import described
from served_release import Process, process

pytest.importorskip("schemathesis")


def attack(server: Process, folder: Path, description: str, examples: int, *options: str) -> int:
    """Run all phases against a server; return how many cases were tried, none of which may have failed."""
    program = [sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()"]
    done = subprocess.run(
        [*program, "run", description, "--url", server.address, "--exclude-checks", "positive_data_acceptance",
         "--max-examples", str(examples), "--seed", "1", "--no-color", *options],
        capture_output=True, text=True, cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    tried = re.search(r"(\d+) generated, \1 passed", done.stdout)
    assert tried, done.stdout[-2000:]
    return int(tried[1])


def test_the_protocol_as_others_describe_it(release: Path, tmp_path: Path) -> None:
    """Whatever comes, the answer is one that the protocol knows."""
    with process(release, tmp_path / "state") as server, httpx.Client(base_url=server.address) as client:
        (version,) = client.get("/v2/models/tiny").json()["versions"]
        path = tmp_path / "protocol.json"
        path.write_text(json.dumps(described("tiny", version)))
        assert attack(server, tmp_path, str(path), 25) > 50
        counted = client.get("/metrics").text
        assert 'status="400"' in counted
        assert 'status="5' not in counted


def test_our_own_description(table_release: Path, tmp_path: Path) -> None:
    with process(table_release, tmp_path / "state") as server:
        assert attack(server, tmp_path, f"{server.address}/openapi.json", 5, "--phases", "examples,coverage") > 200


@pytest.mark.full
@pytest.mark.parametrize("modality", ["release", "text_release", "table_release"])
def test_our_own_description_at_length(modality: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    with process(request.getfixturevalue(modality), tmp_path / "state") as server:
        assert attack(server, tmp_path, f"{server.address}/openapi.json", 100) > 1000
        with httpx.Client(base_url=server.address) as client:
            assert 'status="5' not in client.get("/metrics").text
