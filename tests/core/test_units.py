"""Quantities: what people write is what the program computes with, and back."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwright.core.units import FACTORS, Span, format_bytes, format_seconds, parse_quantity, parse_span

FINITE = st.floats(allow_nan=False, allow_infinity=False, width=32)
WRITTEN = [(unit, spelling) for unit in FACTORS for spelling in FACTORS[unit]]


@given(number=FINITE, which=st.sampled_from(WRITTEN), space=st.sampled_from(["", " ", "  "]))
def test_number_times_factor(number: float, which: tuple[str, str], space: str) -> None:
    unit, spelling = which
    found = parse_quantity(f"{space}{number!r}{space}{spelling}{space}", unit)
    assert math.isclose(found, number * FACTORS[unit][spelling], rel_tol=1e-12, abs_tol=1e-60)


@given(FINITE, st.sampled_from(sorted(FACTORS)))
def test_a_bare_number_is_in_base_units(number: float, unit: str) -> None:
    assert parse_quantity(number, unit) == parse_quantity(repr(number), unit) == number


@given(st.integers(0, 10_000))
def test_decimal_units_are_exact(hundredths: int) -> None:
    assert parse_quantity(f"{hundredths} %", "fraction") == hundredths / 100
    assert parse_quantity(f"{hundredths} ms", "seconds") == hundredths / 1000


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        ("8 GiB", "bytes", 8 * 2**30),
        ("1.5kB", "bytes", 1500),
        ("30 min", "seconds", 1800),
        ("50 Wh", "joules", 180_000),
        ("5 %", "fraction", 0.05),
        ("1e-3", "fraction", 0.001),
        (".5", "seconds", 0.5),
        ("+2 h", "seconds", 7200),
        ("-1 s", "seconds", -1),
    ],
)
def test_examples(text: str, unit: str, expected: float) -> None:
    assert parse_quantity(text, unit) == expected


@pytest.mark.parametrize(
    ("value", "unit"),
    [
        ("8 gib", "bytes"),
        ("8 GiB", "seconds"),
        ("", "bytes"),
        ("GiB", "bytes"),
        ("1 2 GiB", "bytes"),
        ("1,5 GiB", "bytes"),
        ("5 %%", "fraction"),
        (True, "bytes"),
        ("nan", "seconds"),
        ("inf s", "seconds"),
        ("1e999 s", "seconds"),
        ("1e99999999999999999999 ms", "seconds"),
        (math.nan, "seconds"),
        (math.inf, "fraction"),
        (10**400, "bytes"),
        ("0x10", "bytes"),
        ("1_000", "bytes"),
    ],
)
def test_what_is_no_quantity_is_refused(value: float | str, unit: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_quantity(value, unit)


@given(st.one_of(st.integers(0, 10**12), st.floats(0, 1e15)), st.sampled_from(["steps", "epochs"]))
def test_a_span_survives_being_written(count: float, unit: str) -> None:
    span = Span(float(count), unit)
    assert parse_span(str(span)) == span
    assert parse_span(span) is span


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 epoch", Span(1, "epochs")),
        ("1 step", Span(1, "steps")),
        ("0.5 epochs", Span(0.5, "epochs")),
        ("2steps", Span(2, "steps")),
    ],
)
def test_spans(text: str, expected: Span) -> None:
    assert parse_span(text) == expected


@pytest.mark.parametrize(
    "text", ["3", 3, "3 s", "3 stepss", "-1 steps", "1e999 steps", "epochs", "", "nan steps", "3 epochs 2 steps"]
)
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a length"):
        parse_span(text)


@pytest.mark.parametrize(
    ("span", "per_epoch", "steps"),
    [
        ("3 epochs", 10, 30),
        ("200 steps", 10, 200),
        ("0.5 epochs", 10, 5),
        ("0.01 epochs", 10, 1),
        ("0 epochs", 10, 0),
        ("0.4 steps", 10, 1),
    ],
)
def test_a_span_in_steps(span: str, per_epoch: int, steps: int) -> None:
    assert parse_span(span).steps(per_epoch) == steps


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (3 * 2**30, "3.0 GiB"),
        (2**42, "4.0 TiB"),
        (-2048, "-2.0 KiB"),
    ],
)
def test_bytes_for_people(count: int, text: str) -> None:
    assert format_bytes(count) == text


@given(st.integers(0, 2**52))
def test_bytes_for_people_are_near_the_truth(count: int) -> None:
    assert math.isclose(parse_quantity(format_bytes(count), "bytes"), count, rel_tol=0.05)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0123, "12.3 ms"), (1, "1.0 s"), (75, "1 min 15 s"), (3599.6, "1 h 0 min"), (7260, "2 h 1 min")],
)
def test_seconds_for_people(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text
