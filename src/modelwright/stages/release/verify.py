"""Verify a release folder from nothing but itself (and a public key, if you have one): the first thing that was changed is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ...core.artifact import artifact_digest, check_files
from ...core.errors import DamagedArtifact, DataError
from ...core.files import read_json
from ...core.journal import read_journal, verify_journal
from ...core.scan import require_clean
from ...engine.golden import check_golden
from ...engine.predictor import open_predictor
from .run import DIGESTS, EVIDENCE, JOURNAL
from .signature import SIGNATURE, verify_signature

# What a release holds beside the model itself.
PAPERS = (
    "digests.json",
    "evidence.json",
    "gates.json",
    "journal.jsonl",
    "recipe.json",
    "datasheet.json",
    "DATASHEET.md",
    "bom.cdx.json",
    "evaluation.json",
    "README.md",
    "signer.pub",
)


def verify(folder: Path, public_key: Path | None = None, witness: Path | None = None) -> dict[str, Any]:
    """Check digests, signature, journal, evidence and golden answers.

    Raises:
        DamagedArtifact: names the first thing that is not what was signed.
        DataError: this is not a release.
    """
    papers = verify_papers(folder, public_key, witness)
    return {**papers, "golden_difference": check_golden(folder, open_predictor(folder))}


def verify_papers(folder: Path, public_key: Path | None = None, witness: Path | None = None) -> dict[str, Any]:
    """Check digests, signature, journal and evidence; the model itself stays closed, so that torch need not be loaded.

    Raises:
        DamagedArtifact: names the first thing that is not what was signed.
        DataError: this is not a release.
    """
    files = open_release(folder)
    verify_signature(folder, public_key or folder / "signer.pub")
    records = verify_journal(folder / JOURNAL)
    _check_end_of_journal(folder)
    if witness is not None:
        _compare_with_witness(folder / JOURNAL, witness)
    _check_evidence(folder, files)
    return {
        "release": str(folder),
        "verdict": "intact, signed by the holder of the given key" if public_key else "intact, signer unknown",
        "files": len(files),
        "journal_records": records,
    }


def open_release(folder: Path) -> dict[str, str]:
    """Check the digest of every file of a release; return them.

    Raises:
        DataError: this is not a release.
        DamagedArtifact: names the first file that is not what was signed.
    """
    if not folder.is_dir() or (not (folder / DIGESTS).exists() and not (folder / SIGNATURE).exists()):
        raise DataError(
            "this is not a release",
            where=folder,
            expected=f"a folder with {DIGESTS} and {SIGNATURE}",
            next_step="modelwright release RECIPE makes one",
        )
    stated = read_json(folder / DIGESTS)
    if (
        not isinstance(stated, dict)
        or not isinstance(stated.get("model"), str)
        or not isinstance(stated.get("files"), dict)
    ):
        raise DamagedArtifact(
            "this is not a list of digests",
            where=folder / DIGESTS,
            expected="the digests of the model and of every file",
        )
    files: dict[str, str] = stated["files"]
    check_files(folder, files, ignored=(DIGESTS, SIGNATURE))
    # Whoever has signed: what could run when it is opened is not opened.
    require_clean(folder)
    return files


def _check_end_of_journal(folder: Path) -> None:
    """The journal of a release ends with the judgement on this very model, so a shortened one is noticed without a witness."""
    last = read_journal(folder / JOURNAL)[-1:]
    model = read_json(folder / DIGESTS)["model"]
    if not last or last[0].event != "gates judged" or last[0].data.get("model") != model:
        raise DamagedArtifact(
            "the journal does not end with the judgement on this model",
            where=folder / JOURNAL,
            expected=f"'gates judged' on model {model[:16]}...",
        )


def _compare_with_witness(journal: Path, witness: Path) -> None:
    """Compare with what the witness of the run saw up to the release; later records are not in the release and prove nothing."""
    try:
        lines = witness.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"the witness cannot be read: {error}", where=witness, expected="the .witness file beside the run folder"
        ) from None
    hashes = [record.hash for record in read_journal(journal)]
    compared = 0
    for line in lines:
        try:
            seen = json.loads(line)
            count, digest = int(seen["records"]), str(seen["hash"])
        except (ValueError, KeyError, TypeError):
            continue  # a line torn by a kill says nothing
        if 0 < count <= len(hashes):
            compared += 1
            if hashes[count - 1] != digest:
                raise DamagedArtifact(
                    f"record {count - 1} is not the one that the witness saw",
                    where=f"{journal}:{count}",
                    expected=f"the hash in {witness}",
                )
    if not compared:
        raise DamagedArtifact(
            "the witness saw nothing of this journal",
            where=witness,
            expected="the witness of the run that made this release",
        )


def _check_evidence(folder: Path, files: dict[str, str]) -> None:
    """The evidence must speak of the very model that lies here."""
    stated = read_json(folder / DIGESTS)["model"]
    found = artifact_digest("model", {name: digest for name, digest in files.items() if name not in PAPERS})
    if found != stated:
        raise DamagedArtifact(f"the model has digest {found[:16]}...", where=folder, expected=f"{stated[:16]}...")
    for item in read_json(folder / EVIDENCE):
        about = item.get("about", {})
        if "model" in about and about["model"] != stated:
            raise DamagedArtifact(
                f"the claim '{item['name']}' speaks of another model",
                where=folder / EVIDENCE,
                expected=f"model {stated[:16]}...",
            )
