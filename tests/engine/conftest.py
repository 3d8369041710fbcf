"""Checkpoints that several files of tests look at."""

from __future__ import annotations

from pathlib import Path

import pytest
from checkpoints import save_two


@pytest.fixture(scope="session")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the checkpoints of steps 3 and 6; nobody may change it."""
    return save_two(tmp_path_factory.mktemp("two"))
