"""What this machine can do, what is missing, and the command that would mend it. Nothing heavy is imported."""

from __future__ import annotations

import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ..core.units import format_bytes

# Package -> the extra that brings it; empty: part of the core.
PACKAGES = {
    "torch": "",
    "numpy": "",
    "safetensors": "",
    "scikit-learn": "",
    "model-signing": "",
    "tokenizers": "",
    "pyarrow": "data",
    "datasets": "data",
}


def examine() -> list[dict[str, Any]]:
    """Return findings: name, what was found, whether it is good, what to do next."""
    findings = [
        _finding(
            "python",
            platform.python_version(),
            tuple(map(int, platform.python_version_tuple()[:2])) >= (3, 11),
            "install Python 3.11 or newer",
        ),
        _finding(
            "system",
            f"{platform.system()} {platform.machine()}",
            platform.system() == "Linux",
            "Linux is what we test on",
        ),
        _finding(
            "cores", str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()), True
        ),
        _memory(),
        _disk(),
        _finding("gpu", "an NVIDIA device" if Path("/dev/nvidia0").exists() else "none: the CPU is used", True),
    ]
    for package, extra in PACKAGES.items():
        try:
            findings.append(_finding(package, version(package), True))
        except PackageNotFoundError:
            wanted = f"modelwright[{extra}]" if extra else "modelwright"
            findings.append(_finding(package, "not installed", not extra, f"pip install '{wanted}'"))
    return findings


def _finding(name: str, found: str, good: bool, next_step: str = "") -> dict[str, Any]:
    return {"name": name, "found": found, "good": good, "next": "" if good else next_step}


def _memory() -> dict[str, Any]:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return _finding("memory", "unknown", True)
    return _finding(
        "memory", format_bytes(total), total >= 2 * 2**30, "2 GiB are needed to load torch and a small model"
    )


def _disk() -> dict[str, Any]:
    free = shutil.disk_usage(Path.cwd()).free
    return _finding("disk", f"{format_bytes(free)} free here", free >= 2**30, "free 1 GiB")
