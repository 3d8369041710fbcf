"""Names that cannot lie: SHA-256 of files, of plain data and of our own code."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

CHUNK = 1 << 20
PACKAGE = Path(__file__).resolve().parent.parent
# What every stage's result may depend on; `app` only shows things.
SHARED_RINGS = ("core", "sources", "methods", "models", "layouts", "tasks", "engine")


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(CHUNK):
            digest.update(block)
    return digest.hexdigest()


def digest_of(data: Any) -> str:
    """Return the SHA-256 of plain data in one canonical JSON form: order of keys and layout do not matter."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


@cache
def code_digest(stage: str) -> str:
    """Return the digest of the code that a stage may run: the shared rings and the stage's own folder."""
    digest = hashlib.sha256()
    for folder in (*SHARED_RINGS, f"stages/{stage}"):
        for path in sorted((PACKAGE / folder).rglob("*.py")):
            digest.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
