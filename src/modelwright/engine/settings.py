"""The plain choices of the loop's seams, which need no settings of their own. Torch-free."""

from __future__ import annotations

from typing import Literal

from ..core.settings import Settings


class Mean(Settings):
    """Minimise the plain mean of the examples' losses."""

    kind: Literal["mean"] = "mean"


class ShuffledSampling(Settings):
    """Every example once an epoch, in a new order each time."""

    kind: Literal["shuffled"] = "shuffled"
