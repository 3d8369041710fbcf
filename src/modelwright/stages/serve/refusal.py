"""What a client is told when it gets no answer: one status, the name of the field, what was found, what was expected."""

from __future__ import annotations

from typing import Any

from ...core.errors import ModelwrightError

REASONS = {
    400: "the request is not what the interface asks for; `field` says where",
    401: "no valid key",
    403: "the key may not do this, or a page of another site asks",
    404: "there is no such model or page",
    405: "this method is not offered here",
    408: "the request took too long to arrive",
    413: "the body is too large",
    415: "this type of content is not understood",
    429: "too many requests; `Retry-After` says when to come back",
    500: "the model failed or its answer is non-finite",
    503: "no room in the queue, not ready yet, or shutting down; `Retry-After` says when to come back",
    504: "no answer within the deadline",
}


class Refused(ModelwrightError):
    """A request that is not answered, and why."""

    def __init__(
        self, status: int, found: str, *, field: str = "", expected: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(found, where=field, expected=expected)
        self.status, self.field, self.found, self.expected = status, field, found, expected
        self.retry_after = retry_after

    def body(self) -> dict[str, Any]:
        """Return what stands in the answer; `error` is what the Open Inference Protocol asks for."""
        parts = {"field": self.field, "found": self.found, "expected": self.expected}
        return {"error": str(self), **{name: printable(text) for name, text in parts.items() if text}}

    def headers(self) -> dict[str, str]:
        """Return the header that says when to come back, where that helps."""
        return {} if self.retry_after is None else {"retry-after": str(max(1, round(self.retry_after + 0.499)))}


def printable(text: str) -> str:
    """Return a text that can be encoded; half a character becomes its escape."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def bad(field: str, found: str, expected: str) -> Refused:
    """Return the refusal of a field."""
    return Refused(400, found, field=field, expected=expected)


def short(value: Any) -> str:
    """Return the beginning of a value, for a message."""
    text = printable(repr(value) if not isinstance(value, (list, dict)) else type(value).__name__)
    return text if len(text) <= 40 else text[:37] + "..."
