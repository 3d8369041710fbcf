"""What a recipe may say about which texts stand together. Torch-free."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from modelwright.core.settings import CLASSIFICATION, Bytes, Settings


class ByLengthSettings(Settings):
    """Every example once an epoch, texts of about one length together, so that little is computed on padding. Texts only."""

    serves: ClassVar[tuple[str, ...]] = ("text",)
    kind: Literal["by_length"] = "by_length"
    window: int = Field(
        default=32, ge=1, description="Among so many shuffled batches texts are sorted; 1 is a plain shuffle."
    )


class InBlocksSettings(Settings):
    """Every example once an epoch, neighbours on disk soon after each other: for data that does not fit into memory."""

    serves: ClassVar[tuple[str, ...]] = CLASSIFICATION
    kind: Literal["in_blocks"] = "in_blocks"
    block: Bytes = Field(
        default=4 * 2**20, gt=0, description="Rows that lie together in so many bytes are read together, such as 4 MiB."
    )
    window: int = Field(
        default=32, ge=1, description="Blocks, drawn from all over the data, whose rows are mixed with each other."
    )
