"""Gates: conditions over evidence that a release must meet. A missing claim fails like a bad one.

A gate is written `accuracy.lower_bound >= 0.95`: a claim's name, which of its numbers (`value`, `lower_bound`,
`upper_bound`, `n`), a comparison and a threshold that may carry a unit (`latency.upper_bound <= 20 ms`).
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Iterable
from dataclasses import dataclass

from .evidence import Evidence
from .units import FACTORS, parse_quantity

COMPARISONS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt, "==": operator.eq}
FIELDS = {"value": "value", "lower_bound": "low", "upper_bound": "high", "n": "n"}
GATE = re.compile(
    r"\s*(?P<claim>[^\s<>=\[\]]+?(?:\[[^\]]*\])*)\.(?P<field>[a-z_]+)\s*(?P<comparison>>=|<=|==|>|<)\s*(?P<threshold>.+?)\s*"
)


@dataclass(frozen=True)
class Gate:
    """One condition."""

    claim: str
    field: str
    comparison: str
    threshold: str

    def __str__(self) -> str:
        return f"{self.claim}.{self.field} {self.comparison} {self.threshold}"


@dataclass(frozen=True)
class Verdict:
    """Whether one gate holds, what was found, and why not."""

    gate: str
    passed: bool
    found: float | None
    reason: str


def parse_gate(text: str) -> Gate:
    """Read one gate.

    Raises:
        ValueError: says what a gate looks like.
    """
    match = GATE.fullmatch(text)
    if match is None:
        raise ValueError(f"found '{text}', expected a gate such as 'accuracy.lower_bound >= 0.95'")
    if match["field"] not in FIELDS:
        raise ValueError(f"found '{text}': '{match['field']}' is not one of {', '.join(FIELDS)}")
    _threshold(match["threshold"], None)
    return Gate(match["claim"], match["field"], match["comparison"], match["threshold"])


def judge(gates: Iterable[Gate], evidence: Iterable[Evidence], about: dict[str, str]) -> list[Verdict]:
    """Judge each gate on the evidence about exactly the given digests (`{"model": digest}`)."""
    claims = {
        item.name: item for item in evidence if all(item.about.get(kind) == digest for kind, digest in about.items())
    }
    return [_judge_one(gate, claims.get(gate.claim)) for gate in gates]


def _judge_one(gate: Gate, claim: Evidence | None) -> Verdict:
    if claim is None:
        return Verdict(str(gate), False, None, f"there is no evidence called '{gate.claim}' about this model")
    if claim.status not in ("measured", "estimated"):
        return Verdict(
            str(gate),
            False,
            None,
            f"'{gate.claim}' is {claim.status.replace('_', ' ')}: {claim.reason or 'no reason given'}",
        )
    found = getattr(claim, FIELDS[gate.field])
    if found is None:
        return Verdict(str(gate), False, None, f"the evidence '{gate.claim}' has no {gate.field}")
    if not float("-inf") < found < float("inf"):
        return Verdict(
            str(gate), False, None, f"the evidence '{gate.claim}' has a {gate.field} that is not a finite number"
        )
    try:
        threshold = _threshold(gate.threshold, claim.unit if gate.field != "n" else "examples")
    except ValueError as error:
        return Verdict(str(gate), False, found, f"'{gate.claim}': {error}")
    passed = COMPARISONS[gate.comparison](found, threshold)
    return Verdict(
        str(gate), passed, found, "" if passed else f"found {found:.6g}, expected {gate.comparison} {gate.threshold}"
    )


def _threshold(text: str, unit: str | None) -> float:
    """Read a threshold in the unit of the claim; with no claim yet, any known unit will do."""
    if unit is not None and unit not in FACTORS:
        # A claim without a unit is a fraction; one in a unit of its own, such as nats, is compared with a bare number.
        text, unit = (text, "fraction") if not unit else (text.removesuffix(unit), "count")
    for candidate in [unit] if unit is not None else [*FACTORS]:
        try:
            return parse_quantity(text, candidate) if candidate in FACTORS else _finite(text)
        except ValueError:
            continue
    raise ValueError(
        f"found '{text}', expected a number" + (f" of {unit}" if unit else ", with a unit if the claim has one")
    )


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"found '{text}', expected a finite number")
    return number
