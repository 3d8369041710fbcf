"""One process in a fake group needs what each of several real ones needs."""

from __future__ import annotations

from pathlib import Path

import pytest
from share_cases import LAYOUTS, MANNERS, play

BAR = 0.01
# What one process sends another at once: a thread of gloo may let go of it a little late, and a real peak then lies higher by it.
MESSAGE = 8 * 64 * 128 * 4


@pytest.mark.parametrize(
    ("processes", "manners"),
    [
        (2, ["plain"]),
        pytest.param(2, list(MANNERS), marks=pytest.mark.full),
        pytest.param(4, list(MANNERS), marks=pytest.mark.full),
    ],
)
def test_a_fake_group_needs_the_memory_of_a_real_one(processes: int, manners: list[str], tmp_path: Path) -> None:
    cases = [(name, manner, layout) for name, layout in LAYOUTS[processes].items() for manner in manners]
    real, fake = (play(tmp_path, how, processes, cases) for how in ("real", "fake"))
    if _wrong(real, fake):
        # A thread of gloo that lets go of what it sent a little late makes a peak higher by chance: the lowest one counts.
        again = play(tmp_path, "real", processes, cases)
        real = {name: [min(pair) for pair in zip(real[name], again[name], strict=True)] for name in real}
    wrong = _wrong(real, fake)
    assert not wrong, wrong


def _wrong(real: dict[str, list[int]], fake: dict[str, list[int]]) -> dict[str, list[str]]:
    """Return the cases in which a process needs another number of bytes than was planned, with the errors of all processes."""
    wrong = {}
    for name, peaks in real.items():
        errors = [planned / peak - 1 for planned, peak in zip(fake[name], peaks, strict=True)]
        late = [MESSAGE / peak for peak in peaks]
        if any(error > BAR or error < -BAR - more for error, more in zip(errors, late, strict=True)):
            wrong[name] = [f"{error:+.3%}" for error in errors]
    return wrong
