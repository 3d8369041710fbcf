"""Damages to a release: each changes one thing in it."""

from __future__ import annotations

import json
from pathlib import Path

from modelwright.core.artifact import manifest_of


def flip_weights(release: Path) -> None:
    path = release / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-7] ^= 1
    path.write_bytes(content)


def edit_evidence(release: Path) -> None:
    path = release / "evidence.json"
    evidence = json.loads(path.read_text())
    next(item for item in evidence if item["name"] == "accuracy")["value"] = 0.999
    path.write_text(json.dumps(evidence))


def edit_journal(release: Path) -> None:
    path = release / "journal.jsonl"
    path.write_text(path.read_text().replace("test part opened", "test part  opened"))


def edit_golden_answers(release: Path) -> None:
    path = release / "golden/answers.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def add_file(release: Path) -> None:
    (release / "golden/extra.npy").write_bytes(b"x")


def add_hidden_file(release: Path) -> None:
    (release / ".gitattributes").write_bytes(b"x")


def add_link(release: Path) -> None:
    (release / "link").symlink_to("/")


def remove_file(release: Path) -> None:
    (release / "datasheet.json").unlink()


def replace_by_link(release: Path) -> None:
    (release / "config.json").rename(release.parent / "config.json")
    (release / "config.json").symlink_to(release.parent / "config.json")


def replace_signer(release: Path) -> None:
    (release / "signer.pub").write_bytes(b"-----BEGIN PUBLIC KEY-----\n")


def spoil_signature(release: Path) -> None:
    path = release / "model.sig"
    path.write_text(path.read_text().replace("a", "b", 3))


def remove_signature(release: Path) -> None:
    (release / "model.sig").unlink()


def remove_digests(release: Path) -> None:
    (release / "digests.json").unlink()


def empty_digests(release: Path) -> None:
    (release / "digests.json").write_text("[]")


def digests_of_nothing(release: Path) -> None:
    (release / "digests.json").write_text('{"model": "", "files": 3}')


def redigest(release: Path) -> None:
    """Change the weights and bring every digest up to date; only the signature can tell."""
    flip_weights(release)
    stated = json.loads((release / "digests.json").read_text())
    names = set(stated["files"])
    stated["files"] = {name: digest for name, digest in manifest_of(release).items() if name in names}
    (release / "digests.json").write_text(json.dumps(stated))
