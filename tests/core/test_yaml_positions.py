"""YAML as people mean it: the scalars of 1.2, no duplicate keys, no bombs, and the line of everything."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwright.core.errors import RecipeError
from modelwright.core.positions import parse_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("off", "off"),
        ("y", "y"),
        ("n", "n"),
        ("NO", "NO"),
        ("Off", "Off"),
        ("true", True),
        ("False", False),
        ("TRUE", True),
        ("tRUE", "tRUE"),
        ("1e-3", 0.001),
        ("1E5", 100_000.0),
        ("1.", 1.0),
        (".5", 0.5),
        ("-2.5e+3", -2500.0),
        ("1e", "1e"),
        (".", "."),
        ("12", 12),
        ("-7", -7),
        ("+7", 7),
        ("1_000", 1000),
        ("010", 10),
        ("08", 8),
        ("0o17", 15),
        ("0xff", 255),
        ("0b11", "0b11"),
        ("_1", "_1"),
        ("1__0", "1__0"),
        ("12:30", "12:30"),
        ("1:30:00", "1:30:00"),
        ("190:20:30", "190:20:30"),
        ("2024-01-31", "2024-01-31"),
        ("~", None),
        ("null", None),
        ("", None),
        ("nil", "nil"),
        (".inf", float("inf")),
        ("-.INF", float("-inf")),
        ("'no'", "no"),
        ('"1"', "1"),
        ("1 2", "1 2"),
        ("5 %", "5 %"),
        ("8 GiB", "8 GiB"),
        ("<<", "<<"),
        ("=", "="),
    ],
)
def test_scalars(text: str, value: object) -> None:
    found = parse_yaml(f"key: {text}\n", "x").data["key"]
    assert found == value
    assert type(found) is type(value)


def test_not_a_number() -> None:
    found = parse_yaml("key: .nan\n", "x").data["key"]
    assert found != found


@given(st.one_of(st.integers(-(10**30), 10**30), st.floats(allow_nan=False), st.booleans()))
def test_numbers_as_python_writes_them(value: float) -> None:
    text = {float("inf"): ".inf", float("-inf"): "-.inf"}.get(value, str(value))
    found = parse_yaml(f"key: {text}", "x").data["key"]
    assert (type(found), found) == (type(value), value)


def test_every_key_and_item_has_its_line() -> None:
    found = parse_yaml("a: 1\nb:\n  c: [1,\n    {d: 2}]\n\n  e: |\n    text\n", "f.yaml")
    assert found.lines[("a",)] == 1
    assert found.lines[("b", "c")] == 3
    assert found.lines[("b", "c", 1, "d")] == 4
    assert found.lines[("b", "e")] == 6
    assert found.where(("b", "c", 1, "d")) == "f.yaml:4"
    assert found.where(("b", "nothing", "deeper")) == "f.yaml:2"
    assert found.where(("nothing",)) == "f.yaml:1"


def test_every_duplicate_key_is_named() -> None:
    with pytest.raises(RecipeError) as caught:
        parse_yaml("a: 1\nb: {c: 1, d: 2, c: 3}\na: 2\n", "f.yaml")
    first, second = sorted(map(str, caught.value.problems))
    assert first.startswith("f.yaml:2: the key 'c' stands twice, first in line 2")
    assert second.startswith("f.yaml:3: the key 'a' stands twice, first in line 1")


def test_keys_are_text() -> None:
    assert parse_yaml("1: a\ntrue: b\n~: c\n", "x").data == {"1": "a", "true": "b", "~": "c"}


BOMBS = {
    "many": "a: &a x\nb: [" + ", ".join(["*a"] * 101) + "]\n",
    "layered": "l0: &l0 [1,1,1,1,1,1,1,1,1]\n"
    + "".join(f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9)}]\n" for i in range(1, 10)),
    "itself": "a: &a [*a]\n",
    "deep": "[" * 2000,
    "deep and closed": "a: " + "[" * 1000 + "]" * 1000,
    "long number": "seed: " + "9" * 5000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_at_once(name: str) -> None:
    started = time.process_time()
    with pytest.raises(RecipeError):
        parse_yaml(BOMBS[name], "bomb.yaml")
    # Not a timing test: exploding takes hours.
    assert time.process_time() - started < 20


def test_a_few_aliases_are_fine() -> None:
    found = parse_yaml("a: &a {x: [1]}\nb: *a\nc: *a\n", "x").data
    assert found["b"] == found["c"] == {"x": [1]}
    assert found["b"] is not found["c"], "an override of one must not change the other"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\n b: 2\n", 2),
        ("a: [1\n", 2),
        ("a: 'x\n", 2),
        ("\ta: 1\n", 1),
        ("a: 1\n---\nb: 2\n", 2),
        ("a: *nobody\n", 1),
        ("a: !!python/object:os.system x\n", 1),
    ],
)
def test_what_is_not_yaml_is_named_with_its_line(text: str, line: int) -> None:
    with pytest.raises(RecipeError, match="this is not YAML") as caught:
        parse_yaml(text, "f.yaml")
    assert f"f.yaml:{line}" in str(caught.value)


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n"])
def test_empty_files(text: str) -> None:
    if text == "---\n":
        assert parse_yaml(text, "f.yaml").data is None
        return
    with pytest.raises(RecipeError, match="the file is empty"):
        parse_yaml(text, "f.yaml")


@pytest.mark.parametrize("text", ["a: \x00\n", "a: \x07\n", "a: !!int x\n", "a: !!float x\n", "a: !unknown x\n"])
def test_odd_characters_and_tags_are_recipe_errors(text: str) -> None:
    with pytest.raises(RecipeError, match="this is not YAML"):
        parse_yaml(text, "f.yaml")


@given(st.text(max_size=60))
def test_no_text_at_all_crashes_the_reader(text: str) -> None:
    with suppress(RecipeError):
        parse_yaml(text, "x")


def test_a_call_keeps_its_commas_between_braces_and_brackets() -> None:
    text = "a: {x: log(1e-4, 1e-1), y: log(1, 1e-1), z: [int(1, 2, 3), 4], w: 5}\nb: log(1, 2)\nc: ['f(1', '2)']\n"
    data = parse_yaml(text, "calls").data
    assert data["a"] == {"x": "log(1e-4, 1e-1)", "y": "log(1, 1e-1)", "z": ["int(1, 2, 3)", 4], "w": 5}
    assert data["b"] == "log(1, 2)"
    assert data["c"] == ["f(1", "2)"], "what stands in quotes stays as it is"
    # A call that never ends takes nothing that has a value of its own.
    assert parse_yaml("a: {x: log(1, 2, y: 3}\n", "open").data == {"a": {"x": "log(1, 2", "y": 3}}
