"""What tests of every ring may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Read once by libgomp, before any test imports torch: waiting threads must not burn the core of the next test.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def repository() -> Path:
    """The folder that holds src, tests and recipes."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets beside the repository; tests that need one are skipped where it is absent."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"there is no {folder}")
    return folder


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """Where a run may be made: a folder that does not exist yet, with its parent."""
    (tmp_path / "runs").mkdir()
    return tmp_path / "runs" / "test"
