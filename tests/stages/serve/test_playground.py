"""The pages in a real browser: drop a picture or type a text, see the answer and why, say that it is wrong.

Once in Chinese, in the dark and on a phone.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Page, browser
from served_release import picture, process

from modelwright.stages.serve.feedback import read_feedback


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    """A browser; whatever the pages complained of fails the test."""
    with browser(tmp_path / "browser") as opened:
        yield opened
        assert opened.complaints == []


DROP = """
(() => {
  const bytes = Uint8Array.from(atob("BYTES"), (one) => one.charCodeAt(0)), data = new DataTransfer();
  data.items.add(new File([bytes], "dropped.png", { type: "image/png" }));
  document.getElementById("drop").dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
})()
"""


def test_pictures(release: Path, tmp_path: Path, page: Page) -> None:
    (tmp_path / "a.png").write_bytes(picture(3))
    classes = [str(number) for number in range(10)]
    with process(release, tmp_path / "state", "deadline_ms=20000") as server:
        page.open(f"{server.address}/")
        assert not page.seen("result")
        page.click("explain")
        page.wait("!document.getElementById('error').hidden")
        assert page.text("error") == "Choose a picture first."
        page.choose_file("file", tmp_path / "a.png")
        page.wait("!document.getElementById('result').hidden")
        assert page.text("label") in classes
        assert not page.seen("error")
        assert page.run("document.querySelectorAll('#bars li').length") == 4
        first = page.text("bars")
        page.run(DROP.replace("BYTES", base64.b64encode(picture(5)).decode()))
        page.wait(f"document.getElementById('bars').innerText !== {json.dumps(first)}")
        page.click("explain")
        page.wait("!document.getElementById('why-box').hidden")
        painted = (
            "document.getElementById('heat').getContext('2d').getImageData(0, 0, 8, 8).data.some((value) => value > 0)"
        )
        assert page.run(painted)
        assert page.run("document.querySelectorAll('#bars li').length") == 10
        page.click("is-wrong")
        page.run(
            "document.getElementById('right-label').value = '7'; document.getElementById('comment').value = '是七'"
        )
        page.click("tell")
        page.wait("!document.getElementById('thanks').hidden")
        said = page.text("label")
        page.picture(tmp_path / "pictures.png")
    found = read_feedback(release, tmp_path / "state")
    assert found is not None
    assert (found["answers"], found["wrong"]) == (1, 1)
    (word,) = found["latest"]
    assert (word["label"], word["right_label"], word["comment"]) == (said, "7", "是七")


def test_texts_and_their_words_on_a_phone_in_chinese(text_release: Path, tmp_path: Path, page: Page) -> None:
    with process(text_release, tmp_path / "state", "deadline_ms=20000") as server:
        page.like(prefers_color_scheme="dark")
        page.open(f"{server.address}/?language=zh", width=390, height=844)
        assert page.text("ask") == "作答"
        page.run("document.getElementById('text').value = 'good 𝒳 day <b>好</b>'")
        page.click("ask")
        page.wait("!document.getElementById('result').hidden")
        assert page.text("label") in ("good", "bad")
        page.click("explain")
        page.wait("!document.getElementById('why-box').hidden")
        assert page.text("why") == "good 𝒳 day <b>好</b>"
        assert page.run("[...document.querySelectorAll('#why span')].map((one) => one.textContent)") == [
            "good", "𝒳", "day", "b", "好", "b",
        ]  # fmt: skip
        page.click("is-right")
        page.wait("!document.getElementById('thanks').hidden")
        assert page.run("document.documentElement.scrollWidth <= window.innerWidth"), "nothing sticks out sideways"
        colour = "getComputedStyle(document.body).backgroundColor"
        dark = page.run(colour)
        page.run("document.getElementById('theme').click()")
        assert page.run(colour) != dark
        page.run("document.querySelector('[data-language=en]').click()")
        assert page.text("ask") == "Answer"
        page.picture(tmp_path / "texts.png")
        page.open(f"{server.address}/about", width=390, height=844)
        assert page.run("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_table_and_an_appeal(table_release: Path, tmp_path: Path, page: Page) -> None:
    with process(table_release, tmp_path / "state", "deadline_ms=20000") as server:
        page.open(f"{server.address}/")
        page.run("document.querySelector('[data-field=size]').value = '6.5'")
        page.run("document.querySelector('[data-field=colour]').value = 'red'")
        page.click("explain")
        page.wait("!document.getElementById('why-box').hidden")
        assert page.text("label") in ("big", "small")
        assert "size" in page.text("why")
        page.picture(tmp_path / "table.png")
        page.open(f"{server.address}/about")
        assert "Toy <digits> only." in page.text("limits")
        page.run("document.querySelector('[name=kind]').value = 'appeal'")
        page.run("document.querySelector('[name=text]').value = 'look again'")
        page.click("send")
        page.wait("!document.getElementById('words-thanks').hidden")
        page.picture(tmp_path / "about.png")
    found = read_feedback(table_release, tmp_path / "state")
    assert found is not None
    assert found["appeals"] == 1


def test_a_key_is_asked_for_and_kept_for_the_visit(text_release: Path, tmp_path: Path, page: Page) -> None:
    from modelwright.stages.serve.keys import manage

    key = manage("add", text_release, tmp_path / "state", "visitor", ("predict", "feedback"), None)["key"]
    with process(text_release, tmp_path / "state") as server:
        page.open(f"{server.address}/")
        page.run("document.getElementById('text').value = 'good day'")
        page.click("ask")
        page.wait("!document.getElementById('error').hidden")
        assert page.complaints.pop().startswith("Failed to load resource: the server responded with a status of 401")
        assert page.seen("key-box")
        page.run(
            f"const box = document.getElementById('key'); box.value = '{key}'; box.dispatchEvent(new Event('change'))"
        )
        page.click("ask")
        page.wait("!document.getElementById('result').hidden")
        assert not page.seen("error")
