"""What a recipe may say about which texts stand together. Torch-free."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from modelwright.core.settings import Settings


class ByLengthSettings(Settings):
    """Every example once an epoch, texts of about one length together, so that little is computed on padding. Texts only."""

    serves: ClassVar[tuple[str, ...]] = ("text",)
    kind: Literal["by_length"] = "by_length"
    window: int = Field(
        default=32, ge=1, description="Among so many shuffled batches texts are sorted; 1 is a plain shuffle."
    )
