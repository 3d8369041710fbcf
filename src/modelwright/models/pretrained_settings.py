"""Models that begin with weights from outside. Torch-free."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from ..core.settings import Settings

Freeze = Field(False, description="true: only the new last layer is trained; false: all weights are")
HeadDropout = Field(0.1, ge=0, lt=1, description="share of the features dropped before the new last layer in training")


class Backbone(Settings):
    """A network trained on ImageNet, and one new dense layer."""

    serves: ClassVar[tuple[str, ...]] = ("image",)
    # The child whose children may compute their activations again (models.blocks).
    block_list: ClassVar[str] = "backbone.blocks"
    kind: Literal["backbone"] = "backbone"
    name: Literal["efficientnet_lite0"] = Field(
        "efficientnet_lite0", description="EfficientNet-Lite0 (Tan and Le 2019): 3.4 million weights"
    )
    weights: Literal["imagenet", "random"] = Field(
        "imagenet", description="imagenet: from the package of the extra `images`; random: from scratch"
    )
    freeze: bool = Freeze
    size: int = Field(
        128, ge=32, le=1024, description="side to which pictures are resized before the backbone sees them, in pixels"
    )
    dropout: float = HeadDropout


class HuggingFace(Settings):
    """An encoder from a Hugging Face folder, the mean of its last states, and one new dense layer."""

    serves: ClassVar[tuple[str, ...]] = ("image", "text")
    block_list: ClassVar[str] = "encoder.*"
    kind: Literal["hf"] = "hf"
    path: str = Field(
        description="a folder with config.json and model.safetensors; package:NAME/inner for one in an installed package; "
        "else the id of a model on the hub",
        min_length=1,
    )
    freeze: bool = Freeze
    size: int = Field(
        0,
        ge=0,
        le=1024,
        description="side to which pictures are resized, in pixels; 0: what the encoder was trained on",
    )
    dropout: float = HeadDropout


class OpenWeights(Settings):
    """A decoder of the shape of Llama or Qwen with the weights that somebody published."""

    serves: ClassVar[tuple[str, ...]] = ("language",)
    block_list: ClassVar[str] = "blocks"
    kind: Literal["open_weights"] = "open_weights"
    path: str = Field(
        description="a folder with config.json and safetensors, or a GGUF file, relative to the recipe; package:NAME/inner for one "
        "in an installed package",
        min_length=1,
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="share of activations dropped in training")
