"""Security: is every file that the model was made of, and consists of, of a format that cannot execute?"""

from __future__ import annotations

from typing import Any

from ...core.evidence import Evidence
from ...core.scan import METHOD, Scan, scan
from ...core.stage import Context


def audit_security(context: Context, about: dict[str, str]) -> dict[str, Any]:
    """Scan all that the audit was handed; claim how many files are of no format that may be opened."""
    found = {kind: scan(artifact.path) for kind, artifact in context.inputs.items()}
    files, refused = (sum(count(item) for item in found.values()) for count in (_files, _refused))
    context.claim(Evidence("security_scan", refused, unit="files", n=files, about=about, method=METHOD))
    return {
        "files": files,
        "formats": _count([name for item in found.values() for name in item.formats.values()]),
        "refused": {f"{kind}/{name}": why for kind, item in found.items() for name, why in item.refused.items()},
    }


def _files(found: Scan) -> int:
    return found.files


def _refused(found: Scan) -> int:
    return len(found.refused)


def _count(names: list[str]) -> dict[str, int]:
    return {name: names.count(name) for name in sorted(set(names))}
