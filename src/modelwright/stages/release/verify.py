"""Verify a release folder from nothing but itself (and a public key, if you have one): the first thing that was changed is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...core.artifact import artifact_digest, check_files
from ...core.errors import DamagedArtifact, DataError
from ...core.files import read_json
from ...core.journal import verify_journal
from ...engine.golden import check_golden
from ...engine.predictor import open_predictor
from .run import DIGESTS, EVIDENCE, JOURNAL
from .signature import SIGNATURE, verify_signature

# What a release holds beside the model itself.
PAPERS = ("digests.json", "evidence.json", "gates.json", "journal.jsonl", "recipe.json", "datasheet.json", "evaluation.json", "README.md", "signer.pub")


def verify(folder: Path, public_key: Path | None = None, witness: Path | None = None) -> dict[str, Any]:
    """Check digests, signature, journal, evidence and golden answers.

    Raises:
        DamagedArtifact: names the first thing that is not what was signed.
        DataError: this is not a release.
    """
    files = open_release(folder)
    verify_signature(folder, public_key or folder / "signer.pub")
    records = verify_journal(folder / JOURNAL, witness)
    _check_evidence(folder, files)
    difference = check_golden(folder, open_predictor(folder))
    return {
        "release": str(folder),
        "verdict": "intact, signed by the holder of the given key" if public_key else "intact, signer unknown",
        "files": len(files),
        "journal_records": records,
        "golden_difference": difference,
    }


def open_release(folder: Path) -> dict[str, str]:
    """Check the digest of every file of a release; return them.

    Raises:
        DataError: this is not a release.
        DamagedArtifact: names the first file that is not what was signed.
    """
    if not folder.is_dir() or not (folder / DIGESTS).exists() and not (folder / SIGNATURE).exists():
        raise DataError("this is not a release", where=folder, expected=f"a folder with {DIGESTS} and {SIGNATURE}", next_step="modelwright release RECIPE makes one")
    files: dict[str, str] = read_json(folder / DIGESTS).get("files", {})
    check_files(folder, files, ignored=(DIGESTS, SIGNATURE))
    return files


def _check_evidence(folder: Path, files: dict[str, str]) -> None:
    """The evidence must speak of the very model that lies here."""
    stated = read_json(folder / DIGESTS)["model"]
    found = artifact_digest("model", {name: digest for name, digest in files.items() if name not in PAPERS})
    if found != stated:
        raise DamagedArtifact(f"the model has digest {found[:16]}...", where=folder, expected=f"{stated[:16]}...")
    for item in read_json(folder / EVIDENCE):
        about = item.get("about", {})
        if "model" in about and about["model"] != stated:
            raise DamagedArtifact(f"the claim '{item['name']}' speaks of another model", where=folder / EVIDENCE, expected=f"model {stated[:16]}...")
