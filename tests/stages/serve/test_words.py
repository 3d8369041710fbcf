"""Feedback, comments and appeals: bound to answers that were given, kept, and shown in the report; pages that need nothing else."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from served_release import PNG, Serving, picture, run_async

from modelwright.app.report.bilingual import CHINESE
from modelwright.app.report.feedback import WORDS
from modelwright.app.report.page import write_report
from modelwright.core.run import Run
from modelwright.stages.serve.feedback import LATEST, mark, read_feedback
from modelwright.stages.serve.pages import card_html
from modelwright.stages.serve.store import Store, state_folder


def test_feedback_speaks_of_answers_that_were_given(serving: Serving, tmp_path: Path) -> None:
    async def work() -> None:
        async with serving() as client:
            answer = (await client.post("/predict", content=picture(), headers=PNG)).json()
            good = {"id": answer["id"], "right": False, "label": "3", "comment": "plainly a <three>"}
            assert (await client.post("/feedback", json={**good, "comment": "first thought"})).status_code == 200
            assert (await client.post("/feedback", json=good)).json() == {"stored": True}
            forged = mark(b"another server", 3)
            swapped = answer["id"][:10] + ("A" if answer["id"][10] != "A" else "B") + answer["id"][11:]
            for wrong, field in (
                ({**good, "id": forged}, "id"),
                ({**good, "id": swapped}, "id"),
                ({**good, "id": "é"}, "id"),
                ({"right": True}, "id"),
                ({**good, "right": "yes"}, "right"),
                ({"id": answer["id"]}, "right"),
                ({**good, "comment": "a" * 2001}, "comment"),
                ({**good, "label": 3}, "label"),
            ):
                client.service.words_rate = client.service.rate
                refused = await client.post("/feedback", json=wrong)
                assert (refused.status_code, refused.json()["field"]) == (400, field)
            summary = (await client.get("/feedback/summary")).json()
            assert (summary["answers"], summary["wrong"]) == (1, 1), "the last word on an answer counts"
            assert summary["labels"] == [{"label": answer["label"], "answers": 1, "wrong": 1}]
            assert summary["latest"][0]["comment"] == "plainly a <three>"

    run_async(work)


def test_comments_and_appeals(serving: Serving) -> None:
    async def work() -> None:
        async with serving() as client:
            appeal = {"kind": "appeal", "answer": "abc", "name": "王", "text": "look again"}
            assert (await client.post("/about/words", json=appeal)).status_code == 200
            assert (await client.post("/about/words", json={"text": "fine"})).status_code == 200
            for wrong, field in (({"text": " "}, "text"), ({}, "text"), ({"text": "a", "kind": "x"}, "kind")):
                assert (await client.post("/about/words", json=wrong)).json()["field"] == field
            summary = (await client.get("/feedback/summary")).json()
            assert (summary["comments"], summary["appeals"]) == (1, 1)
            statuses = [(await client.post("/about/words", json={"text": "again"})).status_code for _ in range(12)]
            assert statuses[-1] == 429, "nobody may fill the disk"
            summary = (await client.get("/feedback/summary")).json()
            assert len(summary["latest_comments"]) <= LATEST

    run_async(work)


def test_the_report_tells_what_was_said(release: Path, serving: Serving, tmp_path: Path) -> None:
    # The run folder has the artifact; its published release would lie at `release`, and the state beside it.
    folder = tmp_path / "run"
    shutil.copytree(release.parents[1], folder)
    before = write_report(Run(folder)).read_text()
    assert "feedback-title" not in before

    async def work() -> None:
        async with serving() as client:
            for seed, right in ((0, True), (1, False), (2, False)):
                answer = (await client.post("/predict", content=picture(seed), headers=PNG)).json()
                said = {"id": answer["id"], "right": right, "comment": f"<b>{seed}</b>"}
                assert (await client.post("/feedback", json=said)).status_code == 200
            await client.post("/about/words", json={"kind": "appeal", "text": "look again"})

    run_async(work)
    page = write_report(Run(folder), tmp_path / "state").read_text()
    section = page[page.index('id="feedback"') : page.index('id="data"')]
    assert "66.7 %" in section
    assert "look again" in section
    assert "&lt;b&gt;2&lt;/b&gt;" in section
    assert "<b>2</b>" not in re.sub(r"<dd>.*?</dd>", "", section)
    (tmp_path / "state").rename(state_folder(folder / "release"))
    assert "look again" in write_report(Run(folder)).read_text(), "beside the release it is found by itself"
    assert set(WORDS) <= set(CHINESE)


def test_reading_makes_no_state_where_there_is_none(tmp_path: Path) -> None:
    assert read_feedback(tmp_path / "release") is None
    assert not state_folder(tmp_path / "release").exists()
    Store(tmp_path / "state").close()
    assert read_feedback(tmp_path, tmp_path / "state") is not None


def test_pages_are_whole_and_hold_nothing_of_others(serving: Serving) -> None:
    async def work() -> None:
        async with serving() as client:
            for path in ("/", "/about"):
                page = await client.get(path)
                assert page.headers["content-type"].startswith("text/html")
                assert not re.search(r"""(?:src|href)=["'](?:https?:)?//""", page.text)
                assert "{{" not in page.text
                assert "Toy &lt;digits&gt; only." in page.text
                policy = page.headers["content-security-policy"]
                assert "default-src 'none'" in policy
                assert "script-src 'sha256-" in policy
                assert len(re.findall('class="en"', page.text)) == len(re.findall('class="zh"', page.text)) > 5
            assert "calibration_error" in page.text

    run_async(work)


@pytest.mark.parametrize("text", ["# <script>x</script>", "| a | <img> |\n|---|---|", "`<b>` & more"])
def test_a_card_cannot_smuggle_anything_into_the_page(text: str) -> None:
    found: Any = card_html(f"---\nlicense: <x>\n---\n{text}\n")
    assert not re.search(r"<(script|img|b|x)>", found)
    assert "license" not in found


def test_metrics_are_prometheus_text(serving: Serving) -> None:
    async def work() -> None:
        async with serving() as client:
            await client.post("/predict", content=picture(), headers=PNG)
            await client.post("/nothing/<script>", content=b"")
            text = (await client.get("/metrics")).text
            assert 'modelwright_requests_total{method="POST",route="/predict",status="200"} 1.0' in text
            assert 'route="other"' in text
            assert "script" not in text, "what a client makes up never becomes a label"
            assert "modelwright_ready 1.0" in text
            assert "modelwright_examples_total 1.0" in text
            promtool = shutil.which("promtool")
            if promtool:
                import subprocess

                checked = subprocess.run([promtool, "check", "metrics"], input=text, text=True, capture_output=True)
                assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")

    run_async(work)


def test_evidence_of_serving(serving: Serving) -> None:
    async def work() -> None:
        async with serving() as client:
            assert client.service.summary()["evidence"] == []
            for _ in range(5):
                await client.post("/predict", content=picture(), headers=PNG)
            summary = client.service.summary()
            assert summary["statuses"] == {"200": 5}
            latencies = ["serving_latency_p50", "serving_latency_p99"]
            assert [item["name"] for item in summary["evidence"]] == [*latencies, "serving_energy_per_example"]
            assert all(0 < item["value"] < 5 and item["n"] == 5 for item in summary["evidence"][:2])
            assert summary["evidence"][0]["about"] == {"model": client.service.served.digest}

    run_async(work)
