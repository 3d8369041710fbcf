"""Evidence: one claim, measured, with its uncertainty, its method and the digests of what it speaks of."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Status = Literal["measured", "estimated", "not_applicable", "failed"]


@dataclass(frozen=True)
class Evidence:
    """One claim about one artifact.

    `name` may carry a slice in brackets (`recall[7]`, `accuracy[sex=Female]`); `about` maps a kind of artifact to
    its digest; `low` and `high` bound the value at `confidence`.
    """

    name: str
    value: float | None
    unit: str = ""
    low: float | None = None
    high: float | None = None
    confidence: float | None = None
    n: int | None = None
    method: str = ""
    source: str = ""
    about: dict[str, str] = field(default_factory=dict)
    status: Status = "measured"
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return plain data without the empty fields."""
        return {key: value for key, value in asdict(self).items() if value not in (None, "", {})}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Evidence:
        """Read what `to_json` wrote."""
        return cls(**{"value": None, **data})


def not_applicable(name: str, reason: str, **about: str) -> Evidence:
    """Say that a claim cannot be made, and why."""
    return Evidence(name, None, about=about, status="not_applicable", reason=reason)
