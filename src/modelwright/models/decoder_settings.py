"""The sizes of the decoder: a table of well-known ones, one dial, and each number by itself. Torch-free."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from ..core.settings import AUTO, Auto, Settings

# The dial: so much width a layer, and a head for each layer.
HEAD = 64
# Hidden widths are rounded up to a multiple of this: 2/3 of four times the width, so that three matrices weigh as much as two.
MULTIPLE = 64


@dataclass(frozen=True)
class Shape:
    """Every size of a decoder."""

    layers: int
    width: int
    heads: int
    key_value_heads: int
    hidden: int
    head_width: int


def _shape(layers: int, width: int, heads: int, key_value_heads: int, hidden: int, head_width: int = 0) -> Shape:
    return Shape(layers, width, heads, key_value_heads, hidden, head_width or width // heads)


# Weights without the embeddings of tokens: 10M and 124M as in GPT-2 and its small relatives, from 1B on those of Llama 3 and
# Qwen 3 (14B, 32B).
SIZES = {
    "10M": _shape(6, 384, 6, 6, 1024),
    "30M": _shape(8, 512, 8, 8, 1408),
    "60M": _shape(10, 640, 10, 10, 1728),
    "124M": _shape(12, 768, 12, 12, 2048),
    "350M": _shape(24, 1024, 16, 16, 2752),
    "1B": _shape(16, 2048, 32, 8, 8192),
    "3B": _shape(28, 3072, 24, 8, 8192),
    "8B": _shape(32, 4096, 32, 8, 14336),
    "14B": _shape(40, 5120, 40, 8, 17408),
    "32B": _shape(64, 5120, 64, 8, 25600, 128),
    "70B": _shape(80, 8192, 64, 8, 28672),
}
SizeName = Literal["10M", "30M", "60M", "124M", "350M", "1B", "3B", "8B", "14B", "32B", "70B"]
Count = Annotated[int, Field(ge=1)] | Auto


class Decoder(Settings):
    """A decoder-only Transformer: RMSNorm, rotary positions, SwiGLU, grouped-query attention (as in Llama and Qwen)."""

    serves: ClassVar[tuple[str, ...]] = ("language",)
    block_list: ClassVar[str] = "blocks"
    kind: Literal["decoder"] = "decoder"
    size: SizeName | Annotated[int, Field(ge=1)] = Field(
        "10M", description="a name from the table of sizes, or a number of layers, from which everything else follows"
    )
    layers: Count = Field("auto", description="blocks; auto, here and below: what the size says")
    width: Count = Field("auto", description="width of the residual stream")
    heads: Count = Field("auto", description="attention heads")
    key_value_heads: Count = Field("auto", description="heads of keys and values; must divide the heads")
    head_width: Count = Field("auto", description="width of a head, even; auto: width / heads where either is given")
    hidden: Count = Field("auto", description="hidden width of the feed-forward layers; auto: 8/3 of a given width")
    tied: bool = Field(True, description="true: the output layer shares the weights of the token embedding")
    query_key_norm: bool = Field(False, description="normalise queries and keys, head by head (as in Qwen 3)")
    attention_bias: bool = Field(False, description="queries, keys and values have biases (as in Qwen 2)")
    rotary_base: float = Field(10_000.0, gt=1, description="base of the rotary positions")
    epsilon: float = Field(1e-6, gt=0, description="what is added to the mean square before its root is taken")
    dropout: float = Field(0.0, ge=0, lt=1, description="share of activations dropped in training")

    @model_validator(mode="after")
    def _fitting(self) -> Decoder:
        shape = shape_of(self)
        if shape.heads % shape.key_value_heads:
            raise ValueError(
                f"found {shape.heads} heads and {shape.key_value_heads} of keys and values, expected a divisor"
            )
        if shape.head_width % 2 or (self.head_width == AUTO and shape.width % shape.heads):
            raise ValueError(
                f"found width {shape.width} and {shape.heads} heads of {shape.head_width}, expected heads of an even width "
                "that divide the width, or head_width"
            )
        return self


def shape_of(settings: Decoder) -> Shape:
    """Return every size: the table's row or the dial's, with what the settings state in its place."""
    if isinstance(settings.size, int):
        width = HEAD * settings.size
        row = _shape(settings.size, width, settings.size, settings.size, _hidden(width))
    else:
        row = SIZES[settings.size]

    def stated(value: int | str, otherwise: int) -> int:
        return value if isinstance(value, int) else otherwise

    width, heads = stated(settings.width, row.width), stated(settings.heads, row.heads)
    same_heads = settings.heads == AUTO
    return Shape(
        layers=stated(settings.layers, row.layers),
        width=width,
        heads=heads,
        key_value_heads=stated(settings.key_value_heads, row.key_value_heads if same_heads else heads),
        hidden=stated(settings.hidden, row.hidden if settings.width == AUTO else _hidden(width)),
        head_width=stated(
            settings.head_width, row.head_width if same_heads and settings.width == AUTO else max(2, width // heads)
        ),
    )


def _hidden(width: int) -> int:
    return -(-8 * width // (3 * MULTIPLE)) * MULTIPLE
