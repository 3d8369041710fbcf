"""Rows that must not be used again: known by keyed hashes of their content, so that the list of them tells nobody's data.

Who asks to be forgotten is taken out of everything that a run has made of the data; the list keeps the row out of all that is
made later, wherever it still stands in the raw files and under whatever name.
"""

from __future__ import annotations

import hmac
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...core import registry
from ...core.artifact import find
from ...core.errors import DataError
from ...core.family import INNER
from ...core.files import read_json, write_json
from ...core.recipe import Recipe
from ...core.run import Run
from ...engine.dataset import PARTS, read_origins
from ...sources.checks import contents_of
from ...sources.rows import Quarantined, Rows
from .cleaning import Entry

HASH_SHOWN = 16
# What a run folder holds of its data, directly or in what was made of it: models carry golden examples.
MADE = ("artifacts", "stages", "work", "release", INNER)
REPORT = "report.html"


def without_forgotten(rows: Rows, path: Path) -> tuple[Rows, list[Entry]]:
    """Return the rows that may be used, and an entry for each that may not; no list, nothing to leave out."""
    if not path.exists():
        return rows, []
    listed = read_json(path)
    known, hashes = set(listed["hashes"]), _hashes(rows, listed["key"])
    gone = [row for row, name in enumerate(hashes) if name in known]
    if not gone:
        return rows, []
    entries = [
        Entry(f"forgotten:{hashes[row][:HASH_SHOWN]}", "", "forgotten", "dropped", "asked to be forgotten")
        for row in gone
    ]
    away = set(gone)
    return rows.take(row for row in range(len(rows)) if row not in away), entries


def forget_rows(recipe: Recipe, names: Sequence[str], folder: Path, reason: str, dry: bool) -> dict[str, Any]:
    """Put rows on the list of a recipe, and remove from its run folder all that was made of data with them.

    A row is named as messages name it, such as `train.csv:17`; leading folders may be left out.

    Raises:
        DataError: no row goes by one of these names.
    """
    data: Any = recipe.sections["data"]
    rows: Rows = registry.function_of("source", data.kind)(data, recipe.base)
    chosen = [index for name in names for index in _called(name, rows)]
    path = recipe.base / recipe.sections["prepare"].forgotten  # type: ignore[attr-defined]
    listed: dict[str, Any] = read_json(path) if path.exists() else {"key": secrets.token_hex(32), "hashes": []}
    hashes = _hashes(rows.take(chosen), listed["key"])
    wanted = {rows.origins[index] for index in chosen}
    # Copies of the row under other names are the same person's data.
    every = _hashes(rows, listed["key"])
    copies = [origin for origin, name in zip(rows.origins, every, strict=True) if name in set(hashes)]
    held = _datasets_with(folder, {*wanted, *copies})
    removed = sorted(path.name for path in folder.glob("**/artifacts/*/")) if held else []
    result = {
        "rows": sorted(name[:HASH_SHOWN] for name in set(hashes)),
        "copies": len(copies),
        "list": str(path),
        "removed": removed,
        "still_in": sorted(rows.files),
    }
    if dry:
        return result
    # The list comes first: whatever happens then, nothing is made of these rows any more.
    write_json(path, {**listed, "hashes": sorted({*listed["hashes"], *hashes})})
    if held:
        _remove(Run(folder), result, reason)
    return result


def _remove(run: Run, result: dict[str, Any], reason: str) -> None:
    """Remove all that was made of the data; the journal stays, and says what is gone and why."""
    with run.opened() as journal:
        journal.append("rows forgotten", rows=result["rows"], removed=result["removed"], reason=reason)
        for name in MADE:
            shutil.rmtree(run.folder / name, ignore_errors=True)
        (run.folder / REPORT).unlink(missing_ok=True)
        run.update(current={}, edited=None, resolved={})
        journal.checkpoint()


def _datasets_with(folder: Path, origins: set[str]) -> list[Path]:
    """Return the datasets of a run, and of the runs inside, that hold one of these rows, in a part or in the ledger."""
    found = []
    for manifest in sorted(folder.glob("**/artifacts/dataset-*.json")):
        dataset = find(manifest.parent, "dataset", str(read_json(manifest)["digest"])).path
        held = {name for part in PARTS if (dataset / part).is_dir() for name in read_origins(dataset, part)}
        # A text that was cut keeps its name with the part behind it.
        if origins & {name.split(" (")[0] for name in held} or origins & held:
            found.append(dataset)
    return found


def _called(name: str, rows: Rows) -> list[int]:
    found = [index for index, origin in enumerate(rows.origins) if origin == name or origin.endswith(f"/{name}")]
    if not found:
        quarantined: Sequence[Quarantined] = [item for item in rows.quarantined if item.origin == name]
        raise DataError(
            f"the row '{name}' could not be read, and nothing was made of it"
            if quarantined
            else f"no row of this data is called '{name}'",
            where="--rows",
            expected=f"a row such as {rows.origins[0]}" if len(rows) else "a row",
        )
    return found


def _hashes(rows: Rows, key: str) -> list[str]:
    secret = bytes.fromhex(key)
    return [hmac.digest(secret, content, "sha256").hex() for content in contents_of(rows)]
