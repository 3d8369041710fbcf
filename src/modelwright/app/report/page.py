"""The report page of a run (a first, plain form)."""

from __future__ import annotations

from pathlib import Path

from ...core.files import write_bytes
from ...core.run import Run


def write_report(run: Run) -> Path:
    """Write `report.html` into the run folder."""
    path = run.folder / "report.html"
    write_bytes(path, b"<!doctype html><title>report</title>")
    return path
