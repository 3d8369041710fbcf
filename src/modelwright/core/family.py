"""A run, the runs inside it, and the runs inside those: what one of them has made, none of the others makes again.

A search trains the model that it then chooses; whoever trains with the chosen recipe finds it here, under the same key.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from .artifact import Artifact, find, locate, manifest_path, verify
from .digest import digest_of
from .errors import DamagedArtifact
from .files import new_folder, write_bytes
from .journal import read_journal
from .run import Record, Run

INNER = "inner"
FINISHED = "stage finished"


def find_in_family(outermost: Path, asking: Run, stage: str, key: str) -> tuple[Run, Record] | None:
    """Return a run of the family, and its record of a stage under a key, if its journal sealed it and all of it is whole."""
    for folder in [outermost, *sorted(outermost.glob(f"{INNER}/*")), *sorted(outermost.glob(f"{INNER}/*/{INNER}/*"))]:
        relative = Run(folder)
        if folder != asking.folder and relative.record_path(stage, key).exists():
            record = _whole_record(relative, stage, key)
            if record is not None:
                return relative, record
    return None


def _whole_record(relative: Run, stage: str, key: str) -> Record | None:
    try:
        record = relative.record(stage, key)
        sealed = {
            item.data["key"]: item.data.get("record")
            for item in read_journal(relative.folder / "journal.jsonl")
            if item.event == FINISHED
        }
        if record is None or sealed.get(key) != digest_of(record.to_json()):
            return None
        for kind, digest in record.outputs.items():
            verify(find(relative.shelf, kind, digest))
    except DamagedArtifact:
        # Nothing is lost: it is made here instead, and the run that is damaged says so when it is opened itself. A journal
        # that another process is writing may end in half a line, too.
        return None
    return record


def take_over(relative: Run, record: Record, taker: Run) -> None:
    """Put the artifacts of a relative's record, and what `auto` became in that stage, into another run."""
    for kind, digest in record.outputs.items():
        _share(locate(relative.shelf, kind, digest), taker.shelf)
    resolved = relative.state()["resolved"]
    own = {name: value for name, value in resolved.items() if value.get("stage_key") == record.key}
    if own:
        taker.update(resolved={**taker.state()["resolved"], **own})


def _share(artifact: Artifact, shelf: Path) -> None:
    copy = Artifact(artifact.kind, artifact.digest, shelf / artifact.path.name)
    if not copy.path.exists():
        with new_folder(copy.path) as folder:
            shutil.copytree(artifact.path, folder, dirs_exist_ok=True, copy_function=_link_or_copy)
    write_bytes(manifest_path(copy), manifest_path(artifact).read_bytes())
    verify(find(shelf, artifact.kind, artifact.digest))


def _link_or_copy(source: str, target: str) -> None:
    # No file of an artifact is ever changed, so two runs may share one; a hundred trials then cost the disk one dataset.
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
