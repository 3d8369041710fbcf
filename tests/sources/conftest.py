from __future__ import annotations

from pathlib import Path

import pytest

DATA = Path(__file__).parents[2].parent / "shared" / "data"


@pytest.fixture
def data() -> Path:
    """The folder of real public data sets, which is not part of the repository."""
    if not DATA.is_dir():
        pytest.skip("the public data sets are not beside this repository")
    return DATA
