"""What the tracing process does for itself: it tries a small training on a torch that nobody tried."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from modelwright.engine.tracing import canary
from modelwright.methods.planning.log import Memory, live_memory


def test_traced_and_real_agree_and_a_bias_of_a_tenth_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert canary.disagreement() == ""
    for bias in (0.9, 1.1):

        def biased(*given: Any, bias: float = bias) -> Memory:
            found = live_memory(*given)
            return replace(found, peaks={name: int(bias * peak) for name, peak in found.peaks.items()})

        monkeypatch.setattr(canary, "live_memory", biased)
        assert "the tracer finds" in canary.disagreement()


def test_a_torch_that_was_tried_is_believed_and_another_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canary, "disagreement", lambda: "they differ")
    monkeypatch.setattr(canary, "TRIED", torch.__version__.split("+")[0])
    assert canary.doubt() == ""
    monkeypatch.setattr(canary, "TRIED", "0.0")
    assert canary.doubt() == "they differ"


def test_a_tracer_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> int:
        raise AttributeError("it has no such thing")

    monkeypatch.setattr(canary, "_traced", gone)
    assert "AttributeError" in canary.disagreement()
