"""modelwright: from raw data to a signed, gated, served release on limited compute, from one recipe."""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"

# The same verbs as on the command line; they are imported when used, so that importing the package costs nothing.
_VERBS = (
    "run",
    "tune",
    "prepare",
    "train",
    "compress",
    "evaluate",
    "explain",
    "audit",
    "prove_resume",
    "release",
    "check",
    "report",
    "predict",
    "verify",
    "serve",
    "resume",
)
_ESTIMATORS = ("ImageClassifier", "TabularClassifier", "TextClassifier")
__all__ = [*_ESTIMATORS, *_VERBS, "__version__"]


def __getattr__(name: str) -> Any:
    if name in _VERBS:
        from .app import api

        return getattr(api, name)
    if name in _ESTIMATORS:
        from .app import estimators

        return getattr(estimators, name)
    raise AttributeError(f"module 'modelwright' has no attribute '{name}'")
