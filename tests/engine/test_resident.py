"""Data is held in memory only where it fits."""

from __future__ import annotations

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
    for name, text in (("MEMINFO", "MemTotal: 99 kB\nMemAvailable:   20 kB\n"), ("LIMIT", "max\n"), ("USED", "5000\n")):
        (tmp_path / name).write_text(text)
        monkeypatch.setattr(resident, name, tmp_path / name)
    assert free_bytes() == 20 * 1024
    (tmp_path / "LIMIT").write_text("9000\n")
    assert free_bytes() == 4000
    (tmp_path / "MEMINFO").unlink()
    assert free_bytes() == 0
