"""Pictures of many numbers in two, as a recipe may list them. Torch-free."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from modelwright.core.settings import Settings


class Pca(Settings):
    """The two directions along which the features vary most: straight, quick, always the same."""

    kind: Literal["pca"] = "pca"


class Tsne(Settings):
    """Neighbours stay neighbours; distances and sizes of groups mean nothing."""

    kind: Literal["tsne"] = "tsne"
    perplexity: float = Field(30.0, gt=1, description="about how many neighbours each example keeps")


class Umap(Settings):
    """Neighbours stay neighbours, the whole a little better; needs the extra `umap`."""

    kind: Literal["umap"] = "umap"
    neighbours: int = Field(15, ge=2, description="how many neighbours each example keeps")
    distance: float = Field(0.1, ge=0, lt=1, description="how close examples may lie in the picture")
