"""What a result may depend on beside recipe, data and code: versions of packages, and the machine."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def environment() -> dict[str, str]:
    """Return what else a result may depend on: versions and the kind of device; nothing heavy is imported."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for package in ("torch", "numpy", "scikit-learn"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    found["device"] = "cuda" if Path("/dev/nvidia0").exists() else "cpu"
    return found
