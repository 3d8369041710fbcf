"""Gates: a missing claim fails like a bad one, and no trick of units or numbers passes."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwright.core.evidence import Evidence, not_applicable
from modelwright.core.gates import Gate, Verdict, judge, parse_gate

ABOUT = {"model": "m1"}


def verdict(gate: str, *evidence: Evidence) -> Verdict:
    (found,) = judge([parse_gate(gate)], evidence, ABOUT)
    return found


def claim(value: float | None = 0.9, name: str = "accuracy", **rest: object) -> Evidence:
    return Evidence(name, value, about=ABOUT, **rest)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("comparison", "below", "equal", "above"),
    [
        (">=", False, True, True),
        (">", False, False, True),
        ("<=", True, True, False),
        ("<", True, False, False),
        ("==", False, True, False),
    ],
)
def test_every_comparison(comparison: str, below: bool, equal: bool, above: bool) -> None:
    found = [verdict(f"accuracy.value {comparison} 0.5", claim(value)).passed for value in (0.25, 0.5, 0.75)]
    assert found == [below, equal, above]


@pytest.mark.parametrize(("field", "found"), [("value", 0.9), ("lower_bound", 0.8), ("upper_bound", 0.95), ("n", 100)])
def test_every_field(field: str, found: float) -> None:
    evidence = claim(0.9, low=0.8, high=0.95, n=100)
    assert verdict(f"accuracy.{field} == {found}", evidence) == Verdict(f"accuracy.{field} == {found}", True, found, "")


def test_a_missing_claim_fails() -> None:
    found = verdict("accuracy.value >= 0", claim(name="f1"))
    assert (found.passed, found.found) == (False, None)
    assert "no evidence called 'accuracy'" in found.reason


def test_a_claim_about_another_model_fails() -> None:
    other = Evidence("accuracy", 1.0, about={"model": "m2"})
    nobody = Evidence("accuracy", 1.0)
    assert not verdict("accuracy.value >= 0", other).passed
    assert not verdict("accuracy.value >= 0", nobody).passed
    assert not verdict("accuracy.value >= 0.95", other, claim(0.5)).passed, "the other model's number is not borrowed"


def test_a_missing_bound_fails() -> None:
    found = verdict("accuracy.lower_bound >= 0", claim(0.9))
    assert not found.passed
    assert "has no lower_bound" in found.reason


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("gate", ["accuracy.value >= 0.5", "accuracy.value <= 0.5", "accuracy.value < 1e300"])
def test_what_is_not_a_number_fails(value: float, gate: str) -> None:
    found = verdict(gate, claim(value))
    assert not found.passed
    assert "not a finite number" in found.reason


@pytest.mark.parametrize("status", ["not_applicable", "failed"])
def test_a_claim_that_was_not_made_fails_with_its_reason(status: str) -> None:
    found = verdict("accuracy.value <= 1", claim(0.5, status=status, reason="too few rows"))
    assert not found.passed
    assert found.reason == f"'accuracy' is {status.replace('_', ' ')}: too few rows"
    assert not verdict("gap.value <= 1", not_applicable("gap", "one group only", model="m1")).passed


def test_an_estimate_may_pass() -> None:
    assert verdict("memory.value <= 2 GiB", claim(2**30, name="memory", unit="bytes", status="estimated")).passed


@pytest.mark.parametrize(
    ("gate", "unit", "value", "passed"),
    [
        ("x.value <= 1 MiB", "bytes", 2**20, True),
        ("x.value <= 1 MiB", "bytes", 2**20 + 1, False),
        ("x.value <= 20 ms", "seconds", 0.02, True),
        ("x.value <= 20 ms", "seconds", 0.021, False),
        ("x.value <= 0.02", "seconds", 0.021, False),
        ("x.value <= 1 Wh", "joules", 3600, True),
        ("x.value >= 95 %", "", 0.95, True),
        ("x.value >= 95 %", "fraction", 0.94, False),
        ("x.value <= 0.5", "nats", 0.4, True),
        ("x.value <= 100", "examples/s", 101, False),
        ("x.value <= 1000", "parameters", 999, True),
    ],
)
def test_thresholds_are_read_in_the_unit_of_the_claim(gate: str, unit: str, value: float, passed: bool) -> None:
    assert verdict(gate, claim(value, name="x", unit=unit)).passed is passed


@pytest.mark.parametrize(
    ("gate", "unit"),
    [
        ("x.value <= 20 ms", "bytes"),
        ("x.value <= 20 ms", ""),
        ("x.value >= 5 %", "nats"),
        ("x.value <= 1 GiB", "seconds"),
        ("x.n >= 1 min", "seconds"),
    ],
)
def test_a_unit_that_does_not_fit_fails_the_gate(gate: str, unit: str) -> None:
    found = verdict(gate, claim(0.001, name="x", unit=unit, n=10**9))
    assert not found.passed
    assert "expected a number" in found.reason


@pytest.mark.parametrize(
    "name",
    [
        "accuracy[7]",
        "accuracy[sex=Female]",
        "accuracy[age>=30]",
        "cross_validation[accuracy]",
        "gap[race=Asian Pac.]",
        "a.b",
    ],
)
def test_slices_can_be_gated(name: str) -> None:
    assert parse_gate(f"{name}.lower_bound>=0.5") == Gate(name, "lower_bound", ">=", "0.5")
    assert verdict(f" {name}.value >= 0.9 ", claim(0.9, name=name)).passed
    assert not verdict(f"{name}.value >= 0.9", claim(0.9)).passed


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_a_gate_is_the_comparison_it_is_written_as(value: float, threshold: float) -> None:
    assert verdict(f"x.value >= {threshold!r}", claim(value, name="x")).passed is (value >= threshold)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "accuracy",
        "accuracy >= 0.9",
        "accuracy.mean >= 0.9",
        "accuracy.value => 0.9",
        "accuracy.value != 0.9",
        "accuracy.value >=",
        "accuracy.value >= high",
        "accuracy.value >= 20 parsecs",
        "accuracy.value >= nan",
        "accuracy.value <= inf",
        "accuracy.value <= 1e999",
        ".value >= 1",
        "accuracy.value >= 0.9 extra",
        "accuracy.value >= 0.9 and true",
    ],
)
def test_what_is_not_a_gate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected|not one of"):
        parse_gate(text)


@pytest.mark.parametrize(
    "evidence",
    [
        Evidence(
            "accuracy",
            0.0,
            unit="fraction",
            low=0.0,
            high=0.25,
            confidence=0.95,
            n=0,
            method="bootstrap",
            source="x",
            about=ABOUT,
        ),
        Evidence("accuracy[sex=Female]", None, status="failed", reason="why"),
        not_applicable("gap", "one group", model="m1", dataset="d"),
        Evidence("bare", 1),
    ],
)
def test_evidence_survives_json(evidence: Evidence) -> None:
    plain = json.loads(json.dumps(evidence.to_json()))
    assert Evidence.from_json(plain) == evidence
    assert all(value not in (None, "", {}) for value in plain.values())
