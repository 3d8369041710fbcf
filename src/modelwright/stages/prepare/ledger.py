"""What became of a row of the data: asked of the dataset, which keeps the origin of every row and the reason of every loss."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ...core.errors import DataError
from ...engine.dataset import LEDGER, PARTS, read_origins


def explain_row(dataset: Path, row: str) -> list[dict[str, Any]]:
    """Return, for each row that goes by this name, its part ("" where it is in none) and its entries in the ledger.

    A row is named as messages name it, such as `train.csv:17`; leading folders may be left out.

    Raises:
        DataError: no row goes by this name.
    """
    entries = [json.loads(line) for line in (dataset / LEDGER).read_text(encoding="utf-8").splitlines()]
    parts = {origin: part for part in PARTS if (dataset / part).is_dir() for origin in read_origins(dataset, part)}
    known = dict.fromkeys([*parts, *(entry["row"] for entry in entries)])
    found = [name for name in known if name == row or name.endswith(f"/{row}")]
    if not found:
        example = next(iter(known), "")
        raise DataError(
            f"no row of this data is called '{row}'",
            where="--explain",
            expected=f"a row such as {example}" if example else "a row",
        )
    return [
        {"row": name, "part": parts.get(name, ""), "entries": [entry for entry in entries if entry["row"] == name]}
        for name in found
    ]
