"""What a recipe may say about its task. Torch-free."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ..core.settings import Settings


class Image(Settings):
    """Image classification: one picture, one label."""

    kind: Literal["image"] = "image"
    normalise: Literal["zscore", "unit", "symmetric"] = Field(
        "zscore", description="zscore: mean 0 and deviation 1 per channel, learnt on the training part; unit: [0, 1]; symmetric: [-1, 1]"
    )
