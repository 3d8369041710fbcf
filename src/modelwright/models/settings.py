"""The sizes of every network from scratch, on one page. Torch-free. `serves` names the tasks a model can be used for."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from ..core.settings import Sequence, Settings

Dropout = Field(0.0, ge=0, lt=1, description="share of activations dropped in training")


class Cnn(Settings):
    """Convolutions, each but the last followed by pooling, then one dense layer."""

    serves: ClassVar[tuple[str, ...]] = ("image",)
    kind: Literal["cnn"] = "cnn"
    channels: Sequence[int] = Field((32, 64, 64), description="output channels of each convolution", min_length=1)
    kernel: int = Field(3, ge=1, description="side of the convolution kernel, in pixels")
    padding: Literal["valid", "same"] = Field(
        "valid", description="valid: no padding; same: the picture keeps its size"
    )
    pool: int = Field(2, ge=1, description="side of the pooling window, in pixels")
    dense: int = Field(64, ge=1, description="width of the dense layer")
    normalisation: Literal["none", "batch", "group", "layer"] = Field(
        "none", description="what follows each convolution; group: sixteen channels at a time, layer: all of them"
    )
    dropout: float = Dropout


class Residual(Settings):
    """Groups of residual blocks (He et al. 2016); each group after the first halves the picture's side."""

    serves: ClassVar[tuple[str, ...]] = ("image",)
    # The child whose children may compute their activations again (models.blocks).
    block_list: ClassVar[str] = "blocks"
    kind: Literal["residual"] = "residual"
    widths: Sequence[int] = Field((32, 64, 128), description="channels of each group of blocks", min_length=1)
    blocks: int = Field(1, ge=1, description="blocks in a group, of two convolutions each")
    normalisation: Literal["none", "batch", "group", "layer"] = Field(
        "batch", description="what precedes each convolution; group: sixteen channels at a time, layer: all of them"
    )
    dropout: float = Dropout


class Mlp(Settings):
    """Dense layers: over the flattened picture, or over a table's numbers and the embeddings of its categories."""

    serves: ClassVar[tuple[str, ...]] = ("image", "tabular")
    kind: Literal["mlp"] = "mlp"
    hidden: Sequence[int] = Field((128,), description="width of each hidden layer", min_length=1)
    normalisation: Literal["none", "batch", "layer", "rms"] = Field(
        "none", description="what follows each hidden layer, before ReLU"
    )
    embedding: int = Field(16, ge=1, description="largest width of a category's embedding (tables only)")
    dropout: float = Dropout


class Linear(Settings):
    """Multinomial logistic regression, trained by steps."""

    serves: ClassVar[tuple[str, ...]] = ("image", "tabular")
    kind: Literal["linear"] = "linear"


class Recurrent(Settings):
    """A recurrent network over the tokens of a text."""

    serves: ClassVar[tuple[str, ...]] = ("text",)
    embedding: int = Field(64, ge=1, description="width of a token's embedding")
    hidden: int = Field(128, ge=1, description="width of the hidden state")
    layers: int = Field(1, ge=1, description="recurrent layers")
    bidirectional: bool = Field(False, description="read the text in both directions")
    pooling: Literal["last", "mean", "max"] = Field(
        "max", description="what becomes of the states: the last one, their mean, or their largest values"
    )
    dropout: float = Dropout


class Rnn(Recurrent):
    """The plain recurrent network (Elman 1990)."""

    kind: Literal["rnn"] = "rnn"


class Lstm(Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber 1997)."""

    kind: Literal["lstm"] = "lstm"


class Gru(Recurrent):
    """The gated recurrent unit (Cho et al. 2014)."""

    kind: Literal["gru"] = "gru"


class Transformer(Settings):
    """A Transformer encoder (Vaswani et al. 2017) with normalisation before each block."""

    serves: ClassVar[tuple[str, ...]] = ("text",)
    block_list: ClassVar[str] = "blocks"
    kind: Literal["transformer"] = "transformer"
    width: int = Field(128, ge=1, description="width of the residual stream")
    heads: int = Field(4, ge=1, description="attention heads; must divide the width")
    layers: int = Field(2, ge=1, description="blocks")
    widening: int = Field(4, ge=1, description="width of the feed-forward layer, in widths")
    normalisation: Literal["layer", "rms"] = Field(
        "layer", description="layer: mean and deviation (Ba et al. 2016); rms: root mean square only"
    )
    dropout: float = Dropout

    @model_validator(mode="after")
    def _divisible(self) -> Transformer:
        if self.width % self.heads:
            raise ValueError(f"found width {self.width} and {self.heads} heads, expected heads that divide the width")
        return self


class Convolution(Settings):
    """Convolutions of several widths over the tokens, largest values over time (Kim 2014)."""

    serves: ClassVar[tuple[str, ...]] = ("text",)
    kind: Literal["convolution"] = "convolution"
    embedding: int = Field(128, ge=1, description="width of a token's embedding")
    widths: Sequence[int] = Field(
        (3, 4, 5), min_length=1, description="tokens that each kind of convolution sees at once"
    )
    channels: int = Field(100, ge=1, description="output channels of each kind of convolution")
    dropout: float = Dropout


class Bag(Settings):
    """The mean embedding of all n-grams of a text, then one dense layer (Joulin et al. 2016)."""

    serves: ClassVar[tuple[str, ...]] = ("text",)
    kind: Literal["bag"] = "bag"
    embedding: int = Field(64, ge=1, description="width of an n-gram's embedding")
    ngrams: int = Field(2, ge=1, le=5, description="longest n-gram, in tokens")
    buckets: int = Field(
        100_000, ge=1, description="n-grams of two and more tokens share this many embeddings by their hash"
    )
    dropout: float = Dropout
