"""What a recipe may say about its task. Torch-free."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from ..core.settings import Sequence, Settings
from ..methods.cleaning.settings import CleanText


class Image(Settings):
    """Image classification: one picture, one label."""

    kind: Literal["image"] = "image"
    normalise: Literal["zscore", "unit", "symmetric"] = Field(
        "zscore",
        description="zscore: mean 0 and deviation 1 per channel, learnt on the training part; unit: [0, 1]; symmetric: [-1, 1]",
    )


class Text(Settings):
    """Text classification: one text, one label."""

    kind: Literal["text"] = "text"
    tokens: Literal["auto", "words", "characters", "bpe"] | str = Field(
        "auto",
        pattern="^(auto|words|characters|bpe|hf:.+)$",
        description="how text becomes tokens; auto: characters where most letters are Chinese, Japanese or Korean, else words; "
        "hf:PATH takes the tokeniser of a Hugging Face folder, relative to the recipe",
    )
    vocabulary: int = Field(20_000, ge=10, description="largest number of distinct tokens, learnt on the training part")
    least: int = Field(1, ge=1, description="a token must occur this often in the training part")
    length: int = Field(
        0, ge=0, description="tokens kept of a text; 0: what 99 % of the training texts need, at most 512"
    )
    clean: CleanText = CleanText()


class Tabular(Settings):
    """Classification of the rows of a table."""

    kind: Literal["tabular"] = "tabular"
    ignore: Sequence[str] = Field((), description="columns that are not features")
    categories: int = Field(
        1000, ge=2, description="largest number of categories of one column; rarer ones are taken together as unknown"
    )
    scale: Literal["zscore", "robust", "unit", "symmetric", "quantile"] = Field(
        "zscore",
        description="zscore: mean 0 and deviation 1; robust: median 0, and the quartiles as far apart as in a normal distribution; "
        "unit: [0, 1]; symmetric: [-1, 1]; quantile: each number's normal score. Learnt on the training part",
    )


class Language(Settings):
    """Language modelling: each token of a document from those before it."""

    # Nobody labels the rows: a text is its own label.
    labelled: ClassVar[bool] = False
    kind: Literal["language"] = "language"
    tokens: Literal["characters", "bpe"] | str = Field(
        "bpe",
        pattern="^(characters|bpe|hf:.+)$",
        description="how text becomes tokens: bpe learns byte-level pairs; hf:PATH takes the tokeniser of a Hugging Face folder, "
        "relative to the recipe",
    )
    vocabulary: int = Field(8192, ge=10, description="largest number of distinct tokens, learnt on the training part")
    least: int = Field(
        1, ge=1, description="a character must occur this often in the training part (tokens: characters only)"
    )
    length: int = Field(
        256, ge=2, description="tokens that the model sees at once; longer documents are cut into windows"
    )
    stride: int = Field(
        0,
        ge=0,
        description="tokens from the beginning of one training window to that of the next; 0: the length, so that none overlap",
    )
    longest: int = Field(0, ge=0, description="characters kept of each document, from its beginning; 0: all")
    template: str = Field(
        "",
        description="Jinja template that makes one text of the messages of a conversation, for /v1/chat/completions; empty: that of "
        "the tokeniser's folder, if it has one",
    )

    @model_validator(mode="after")
    def _covering(self) -> Language:
        if self.stride > self.length:
            raise ValueError(
                f"found stride {self.stride} and length {self.length}, expected a stride of at most the length"
            )
        return self


class Style(Settings):
    """Style transfer: the content of a picture in the style of others."""

    # Nobody labels pictures: those of style stand beside those of content.
    labelled: ClassVar[bool] = False
    kind: Literal["style"] = "style"
    pairs: bool = Field(
        False, description="true: the picture of style of the same name is the right answer, and is learnt from as such"
    )
