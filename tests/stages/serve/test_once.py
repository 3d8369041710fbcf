"""From the command line: one object that says where a server is, and one question asked over HTTP as a proof that it answers."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from served_release import PNG, free_port, picture, tls_pair

from modelwright.app.cli import main
from modelwright.core.errors import DataError
from modelwright.core.registry import function_of
from modelwright.stages.serve.keys import manage
from modelwright.stages.serve.once import ask_once


def ask(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, dict[str, Any]]:
    """Serve, ask, stop; return the exit code and the one object."""
    code = main(["serve", *map(str, words), "port=0", "--json"])
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    return code, json.loads(out)


def test_the_one_object_of_a_server_says_where_it_is(release: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "modelwright", "serve", str(release), "port=0", "--state", str(tmp_path), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as popen:
        assert popen.stdout is not None
        try:
            told = json.loads(popen.stdout.readline())
            assert told["process"] == popen.pid
            answer = httpx.post(f"{told['address']}/predict", content=picture(), headers=PNG)
            assert answer.status_code == 200, "it is ready when it says where it is"
            popen.send_signal(signal.SIGTERM)
            rest, said = popen.communicate(timeout=20)
        finally:
            popen.kill()
    assert (popen.returncode, rest) == (0, "")
    assert '"200": 1' in said


def test_every_modality_is_asked_over_http(
    release: Path, text_release: Path, table_release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.png").write_bytes(picture())
    (tmp_path / "a.txt").write_text("bad night")
    for folder, question, same in (
        (release, tmp_path / "a.png", tmp_path / "a.png"),
        (text_release, tmp_path / "a.txt", "bad night"),
        (text_release, "good day", "good day"),
        (table_release, '{"size": 6.5, "colour": null}', '{"size": 6.5, "colour": null}'),
    ):
        code, found = ask(capsys, folder, "--ask", question, "--state", tmp_path / "state")
        (expected,) = function_of("action", "predict")(folder, [str(same)])
        assert code == 0
        assert found["answer"]["label"] == expected["label"]
        assert found["answer"]["probability"] == pytest.approx(expected["probability"], abs=1e-6)


def test_what_is_asked_in_vain_is_an_error(
    release: Path, table_release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.png").write_bytes(b"GIF89a")
    for folder, question, said in (
        (release, tmp_path / "none.png", "none.png"),
        (release, tmp_path / "a.png", "answered with 400"),
        (table_release, "{", "cannot be sent"),
    ):
        code, found = ask(capsys, folder, "--ask", question, "--state", tmp_path / "state")
        assert code == 3
        assert said in json.dumps(found)
    manage("add", release, tmp_path / "state", "team", ("predict",), None)
    assert "no valid key" in json.dumps(
        ask(capsys, release, "--ask", tmp_path / "a.png", "--state", tmp_path / "state")
    )
    with pytest.raises(DataError, match="no answer"):
        ask_once(f"http://127.0.0.1:{free_port()}", "text", "a", "", 0.1)


def test_a_certificate_of_its_own_is_trusted(
    text_release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    certificate, key = tls_pair(tmp_path)
    paths = (f"certificate={certificate}", f"certificate_key={key}")
    code, found = ask(capsys, text_release, *paths, "--ask", "good day", "--state", tmp_path / "state")
    assert (code, found["answer"]["label"] in ("good", "bad")) == (0, True)
