"""Security: what the audit found in every file, and what the release was looked at for before it was signed."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from .bilingual import say
from .material import Material
from .quantities import count, quantity


@dataclass(frozen=True)
class Security:
    """What the section on security shows: sentences with their style, formats by number of files, and what was refused."""

    lines: tuple[tuple[str, Markup], ...]
    formats: tuple[tuple[str, str], ...]
    refused: tuple[tuple[str, str], ...]


def view_security(material: Material) -> Security | None:
    """Return what is known of the files of a run, or nothing where nobody looked."""
    found = material.audit.get("security") or {}
    audited, released, age = (material.claim(name) for name in ("security_scan", "release_scan", "audit_age"))
    lines = []
    if audited is not None:
        text = "The audit looked at {files} files that the model was made of and consists of: {refused} of them may not be opened."
        style = "fine" if not audited.value else "severe"
        lines.append((style, say(text, files=count(audited.n or 0), refused=count(audited.value or 0))))
    if released is not None:
        text = "Before the release was signed, each of its {files} files was recognised by its bytes: none can run when it is opened."
        lines.append(("fine", say(text, files=count(released.n or 0))))
    if age is not None and age.value is not None:
        lines.append(
            ("plain", say("The audit was {age} old when the release was made.", age=quantity(age.value, "seconds")))
        )
    elif released is not None:
        lines.append(("severe", say("The model was released without an audit.")))
    if not lines:
        return None
    return Security(
        tuple(lines),
        tuple((str(name), count(number)) for name, number in (found.get("formats") or {}).items()),
        tuple((str(name), str(why)) for name, why in (found.get("refused") or {}).items()),
    )
