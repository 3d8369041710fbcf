"""What a finished run shows the world: its report page, and its release under a plain name."""

from __future__ import annotations

import shutil
from pathlib import Path

from ..core.artifact import check_files, find, manifest_path
from ..core.artifact import verify as verify_artifact
from ..core.errors import DamagedArtifact
from ..core.files import new_folder, read_json
from ..core.run import Run

RELEASE = "release"


def publish(run: Run) -> None:
    """Write the report, and copy the current release to `release/` in the run folder when it is not there yet."""
    from .report.page import write_report
    from .tracking import track

    folder = publish_release(run)
    if folder is None and (run.folder / RELEASE).exists():
        # An old release would look like the release of the present recipe.
        shutil.rmtree(run.folder / RELEASE)
    write_report(run)
    track(run)


def publish_release(run: Run) -> Path | None:
    """Copy the current release out of the shelf; return where it lies, if the run has one."""
    records = run.current()
    digest = next((record.outputs[RELEASE] for record in records.values() if RELEASE in record.outputs), None)
    if digest is None:
        return None
    final = run.folder / RELEASE
    artifact = find(run.folder / "artifacts", RELEASE, digest)
    try:
        check_files(final, read_json(manifest_path(artifact))["files"])
    except DamagedArtifact:
        # What is copied must be what was signed; a damaged original is reported, not spread.
        verify_artifact(artifact)
        if final.exists():
            shutil.rmtree(final)
        with new_folder(final) as folder:
            shutil.copytree(artifact.path, folder, dirs_exist_ok=True)
    return final
