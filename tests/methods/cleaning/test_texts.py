"""Each rule for texts: what it changes, what it leaves, and that a second time changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwright.methods.cleaning.personal import find_personal, id_number_holds, luhn_holds, redact
from modelwright.methods.cleaning.settings import CleanText
from modelwright.methods.cleaning.texts import (
    normalise_unicode,
    quality_problem,
    scripts_of,
    squeeze_spaces,
    strip_controls,
    strip_html,
)
from modelwright.methods.cleaning.tidy import tidy

ALL = ("email", "phone", "id_number", "bank_card", "address", "url")
EVERYTHING = CleanText(unicode="NFKC", html=True, controls=True, spaces=True, redact=ALL).model_dump(mode="json")


@pytest.mark.parametrize(
    ("dirty", "clean"),
    [
        ("a <b>bold</b> word", "a  bold  word"),
        ("AT&amp;T &lt;b&gt;", "AT&T  "),
        ("he said #39;no#39; and quot;yesquot;", "he said 'no' and \"yes\""),
        ("3 < 4 and 5 > 2", "3 < 4 and 5 > 2"),
        ("R&D; x<y", "R&D; x<y"),
    ],
)
def test_html(dirty: str, clean: str) -> None:
    assert strip_html(dirty) == clean


def test_unicode_forms_keep_traditional_and_simplified_apart() -> None:
    assert normalise_unicode("ＡＢＣ１２３", "NFKC") == "ABC123"
    assert normalise_unicode("ＡＢＣ", "NFC") == "ＡＢＣ"
    assert normalise_unicode("e\u0301", "NFC") == "é"
    assert normalise_unicode("漢語 汉语", "NFKC") == "漢語 汉语"


def test_controls_and_spaces() -> None:
    assert strip_controls("a\x00b\u200b\ufeffc\td\ne\u202ef") == "abc d ef"
    assert strip_controls("👨\u200d👩\u200d👧") == "👨\u200d👩\u200d👧"
    assert squeeze_spaces("  a \u3000 b\n c ") == "a b c"


@pytest.mark.parametrize(
    ("text", "covered"),
    [
        ("write to li.wei+x@mail.example.com.cn now", "write to [email] now"),
        ("手机13812345678，谢谢", "手机[phone]，谢谢"),
        ("call +44 20 7946 0958 or (212) 555-0123", "call [phone] or [phone]"),
        ("身份证11010519491231002X。", "身份证[id_number]。"),
        ("身份证110105194912310021。", "身份证110105194912310021。"),
        ("card 4111 1111 1111 1111!", "card [bank_card]!"),
        ("card 4111 1111 1111 1112!", "card 4111 1111 1111 1112!"),
        ("住在中山路12号3室", "[address]"),
        ("see https://example.com/a?b=1, then", "see [url] then"),
        ("order 20231231 costs 12345.67", "order 20231231 costs 12345.67"),
    ],
)
def test_personal_data_is_covered_and_other_numbers_are_not(text: str, covered: str) -> None:
    assert redact(text, ALL) == covered
    assert redact(text, ()) == text


def test_only_what_is_asked_for_is_looked_for() -> None:
    text = "a@b.cn 13812345678"
    assert [kind for kind, _, _ in find_personal(text, ("phone",))] == ["phone"]


def test_check_digits() -> None:
    # The example of the standard itself, and the usual test number of cards.
    assert id_number_holds("11010519491231002X")
    assert sum(id_number_holds("11010519491231002" + digit) for digit in "0123456789X") == 1
    assert sum(luhn_holds("411111111111111" + digit) for digit in "0123456789") == 1


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60) | st.text(alphabet="<>&;#39abltgp quot@.138-+/:\u3000\u200b", max_size=60))
def test_a_second_time_changes_nothing(text: str) -> None:
    """Preparing and serving may both tidy the same text: the answer must not depend on how often."""
    once = tidy(text, EVERYTHING)
    assert tidy(once, EVERYTHING) == once


@pytest.mark.parametrize(
    ("key", "value"),
    [("unicode", "NFKC"), ("html", True), ("controls", True), ("spaces", True), ("redact", ("email",))],
)
def test_every_key_of_clean_changes_a_text(key: str, value: Any) -> None:
    dirty = "<b>ｘ</b>  a\x00b a@b.cn"
    assert tidy(dirty, CleanText().model_dump(mode="json")) == dirty
    assert tidy(dirty, CleanText.model_validate({key: value}).model_dump(mode="json")) != dirty


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("fine words here", ""),
        ("!", "0 letters and digits, fewer than 1"),
        ("x" * 300, "300 characters, more than 200"),
        ("ok ****************", "11% letters and digits, less than 30%"),
        ("good food " * 12, "'good food ' stands 12 times, 100% of the text and more than 50%"),
    ],
)
def test_quality(text: str, why: str) -> None:
    assert quality_problem(text, shortest=1, longest=200, letters=0.3, repeated=0.5) == why


def test_scripts() -> None:
    assert scripts_of("Hello, 世界 42!") == {"latin": 5, "han": 2}
