"""Fixtures of the core's tests: the toy stages in the place of the real ones."""

from __future__ import annotations

import pytest
import toy_stages

from modelwright.core import execute
from modelwright.core.builtin import BUILTIN


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Register the toy stages alone; return the list that every execution appends its name to."""
    monkeypatch.setitem(BUILTIN, "stage", dict(toy_stages.TABLE))
    monkeypatch.setitem(BUILTIN, "section", {})
    monkeypatch.setattr(execute, "code_digest", toy_stages.code_digest)
    toy_stages.CALLS.clear()
    return toy_stages.CALLS
