"""Renew what is made from something else: the stamp at the end of every translated page, once that is up to date, and the
schema beside the recipes. `python tests/docs/stamp.py` does it.

The stamp holds the digest of the English page that the translation was made from. A test fails when the two differ.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STAMP = re.compile(r"\n*<!-- translated from ([\w.-]+), sha256 ([0-9a-f]{64}) -->\n*\Z")


def translations(root: Path = ROOT) -> list[Path]:
    """Return every Chinese page."""
    return sorted([*root.glob("*.zh.md"), *(root / "docs").rglob("*.zh.md")])


def english_of(page: Path) -> Path:
    """Return the English page that a Chinese one translates."""
    return page.with_name(page.name.replace(".zh.md", ".md"))


def stamp_of(english: Path) -> str:
    """Return the line that says which text was translated."""
    return f"<!-- translated from {english.name}, sha256 {hashlib.sha256(english.read_bytes()).hexdigest()} -->"


def renew(page: Path) -> bool:
    """Put today's stamp under a Chinese page; return whether that changed it."""
    before = page.read_text(encoding="utf-8")
    after = f"{STAMP.sub('', before).rstrip()}\n\n{stamp_of(english_of(page))}\n"
    if after != before:
        page.write_text(after, encoding="utf-8")
    return after != before


def renew_schema() -> bool:
    """Write the schema beside the recipes anew; return whether that changed it."""
    from modelwright.core.schema import schema_text

    path = ROOT / "recipes" / "recipe.schema.json"
    before, after = path.read_text(encoding="utf-8"), schema_text()
    if after != before:
        path.write_text(after, encoding="utf-8")
    return after != before


if __name__ == "__main__":
    changed = [page.relative_to(ROOT).as_posix() for page in translations() if renew(page)]
    changed += ["recipes/recipe.schema.json"] if renew_schema() else []
    print("\n".join(changed) if changed else "everything was good")
