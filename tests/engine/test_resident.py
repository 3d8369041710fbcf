"""Data is held in memory only where it fits."""

from __future__ import annotations

import resource
from pathlib import Path

import numpy as np
import pytest

from modelwright.engine import resident
from modelwright.engine.resident import free_bytes, hold
from modelwright.tasks.task import Examples


def mapped(folder: Path) -> Examples:
    """Return columns of 8000 and 2000 bytes that lie on disk."""
    np.save(folder / "large.npy", np.arange(1000))
    np.save(folder / "small.npy", np.arange(1000, dtype=np.int16))
    return Examples({name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("large", "small")}, {})


def test_what_fits_is_held_and_what_does_not_stays_on_disk(tmp_path: Path) -> None:
    examples = mapped(tmp_path)
    for free, held in ((7_999, []), (8_000, ["small"]), (39_999, ["small"]), (40_000, ["large", "small"])):
        columns = hold(examples, free).columns
        assert [name for name, column in columns.items() if not isinstance(column, np.memmap)] == held
        assert all(column.tolist() == list(range(1000)) for column in columns.values())


def test_what_is_free_is_the_least_that_anybody_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if Path("/proc/meminfo").exists():
        assert free_bytes() > 1 << 20
    for name, text in (("meminfo", "MemTotal: 99 kB\nMemAvailable:   20 kB\n"), ("limit", "max\n"), ("used", "5000\n")):
        (tmp_path / name).write_text(text)
    (tmp_path / "record").write_text("cache 3000\ninactive_file 1000\n")
    monkeypatch.setattr(resident, "MEMINFO", tmp_path / "meminfo")
    group = (*(str(tmp_path / name) for name in ("limit", "used", "record")), "inactive_file")
    monkeypatch.setattr(resident, "GROUPS", (group,))
    assert free_bytes() == 20 * 1024
    (tmp_path / "limit").write_text("9000\n")
    # What is only the system's copy of files gives way.
    assert free_bytes() == 5000
    before = resource.getrlimit(resource.RLIMIT_RSS)
    resource.setrlimit(resource.RLIMIT_RSS, (4096, before[1]))
    try:
        assert free_bytes() == 0, "more than 4 KiB are taken already"
    finally:
        resource.setrlimit(resource.RLIMIT_RSS, before)
    (tmp_path / "meminfo").unlink()
    assert free_bytes() == 0
