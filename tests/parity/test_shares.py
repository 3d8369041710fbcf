"""One process in a fake group needs what each of several real ones needs."""

from __future__ import annotations

from pathlib import Path

import pytest
from share_cases import LAYOUTS, MANNERS, play

BAR = 0.01


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
    wrong = {}
    for name, peaks in real.items():
        errors = [planned / peak - 1 for planned, peak in zip(fake[name], peaks, strict=True)]
        print(f"{processes} processes, {name}: {peaks} real bytes, {' '.join(f'{error:+.3%}' for error in errors)}")
        if max(abs(error) for error in errors) > BAR:
            wrong[name] = errors
    assert not wrong
