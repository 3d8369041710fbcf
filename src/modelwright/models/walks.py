"""The way through a model block by block, so that neighbouring blocks can stand in processes of their own.

Each function takes the part of a model that is here, under the model's own names.

Dimensions: B batch, T tokens, W width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from .decoder import DecoderModel, token_losses
from .pooling import mask_of, mean_pool

Inputs = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Walk:
    """What stands before the first block and behind the last, and how each is gone through.

    `tied`: parameters that stand on both ends and are the same.
    """

    front: Sequence[str]
    back: Sequence[str]
    everywhere: Sequence[str]
    tied: Sequence[str]
    enter: Callable[[Any, Inputs], torch.Tensor]
    through: Callable[[Any, Sequence[nn.Module], torch.Tensor, Inputs], torch.Tensor]
    leave: Callable[[Any, torch.Tensor, Inputs], torch.Tensor]
    # Of a batch whose tokens have this shape: that of the stream between blocks, and of the answer.
    shapes: Callable[[tuple[int, ...]], tuple[tuple[int, ...], tuple[int, ...]]]


def walk_decoder(model: Any) -> Walk:
    """Return the way through a decoder, which answers with the loss of each token."""
    tied = model.head is None

    def enter(here: Any, inputs: Inputs) -> torch.Tensor:
        return here.dropout(here.embedding(inputs["tokens"]))

    def through(here: Any, blocks: Sequence[nn.Module], stream_BTW: torch.Tensor, inputs: Inputs) -> torch.Tensor:
        rotation, mask = DecoderModel._places(
            here, inputs["tokens"], inputs.get("document"), inputs.get("position"), None
        )
        for block in blocks:
            stream_BTW = block(stream_BTW, rotation, mask)
        return stream_BTW

    def leave(here: Any, stream_BTW: torch.Tensor, inputs: Inputs) -> torch.Tensor:
        weight = here.embedding.weight if tied else here.head.weight
        targets = inputs["targets"]
        return token_losses(here.norm(stream_BTW).flatten(0, 1), weight, targets.flatten()).view(targets.shape)

    return Walk(
        front=("embedding", "dropout"),
        back=("norm", "embedding") if tied else ("norm", "head"),
        everywhere=("cosine", "sine"),
        tied=("embedding.weight",) if tied else (),
        enter=enter,
        through=through,
        leave=leave,
        shapes=lambda tokens: ((*tokens, model.shape.width), tokens),
    )


def walk_transformer(model: Any) -> Walk:
    """Return the way through a classifier of texts, which answers with logits."""

    def enter(here: Any, inputs: Inputs) -> torch.Tensor:
        tokens = inputs["tokens"]
        return here.dropout(here.tokens(tokens) + here.positions.weight[: tokens.shape[1]])

    def through(here: Any, blocks: Sequence[nn.Module], stream_BTW: torch.Tensor, inputs: Inputs) -> torch.Tensor:
        mask_BT = mask_of(inputs["length"], inputs["tokens"].shape[1])
        for block in blocks:
            stream_BTW = block(stream_BTW, mask_BT[:, None, None, :])
        return stream_BTW

    def leave(here: Any, stream_BTW: torch.Tensor, inputs: Inputs) -> torch.Tensor:
        mask_BT = mask_of(inputs["length"], inputs["tokens"].shape[1])
        return here.head(here.dropout(mean_pool(here.norm(stream_BTW), mask_BT)))

    width, classes = model.tokens.weight.shape[1], model.head.out_features
    return Walk(
        front=("tokens", "positions", "dropout"),
        back=("norm", "dropout", "head"),
        everywhere=(),
        tied=(),
        enter=enter,
        through=through,
        leave=leave,
        shapes=lambda tokens: ((*tokens, width), (tokens[0], classes)),
    )
