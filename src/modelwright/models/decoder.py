"""A decoder-only Transformer in the shape of Llama and Qwen.

Dimensions: R rows, T tokens, W width, H heads, K heads of keys and values, D width of a head, V vocabulary, N tokens of all
rows.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy, linear, rms_norm, scaled_dot_product_attention, silu
from torch.utils.checkpoint import checkpoint

from .cache import Cache, Slots
from .decoder_settings import Decoder, Shape, shape_of
from .dropout import Dropout

# Logits of more entries than this are never there at once: the loss of so many tokens is computed at a time, and again for
# the gradient.
ENTRIES = 1 << 23
NOTHING = -100
Rotation = tuple[torch.Tensor, torch.Tensor]


class Norm(nn.Module):
    """State: one gain per feature. Divides each vector by its root mean square.

    Source: Zhang and Sennrich 2019, equation 4.
    """

    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, values_RTW: torch.Tensor) -> torch.Tensor:
        """Return the vectors, divided and multiplied by the gain.

        Shapes: values (..., width) float -> (..., width) float
        """
        return rms_norm(values_RTW, self.weight.shape, self.weight.to(values_RTW.dtype), self.epsilon)


class Attention(nn.Module):
    """State: the four projections of causal attention with grouped queries, and the gains of their norms, if any.

    Source: Vaswani et al. 2017, section 3.2; Ainslie et al. 2023, section 2.2 (grouped queries); Su et al. 2021, equation 34
        (rotary positions); Dehghani et al. 2023, section 2 (norms of queries and keys).
    """

    def __init__(self, settings: Decoder, shape: Shape) -> None:
        super().__init__()
        self.settings, self.shape = settings, shape
        inner, outer = shape.heads * shape.head_width, shape.key_value_heads * shape.head_width
        self.query = nn.Linear(shape.width, inner, bias=settings.attention_bias)
        self.key = nn.Linear(shape.width, outer, bias=settings.attention_bias)
        self.value = nn.Linear(shape.width, outer, bias=settings.attention_bias)
        self.output = nn.Linear(inner, shape.width, bias=False)
        normed = settings.query_key_norm
        self.query_norm = Norm(shape.head_width, settings.epsilon) if normed else nn.Identity()
        self.key_norm = Norm(shape.head_width, settings.epsilon) if normed else nn.Identity()

    def forward(
        self,
        stream_RTW: torch.Tensor,
        rotation: Rotation,
        mask: torch.Tensor | None,
        cache: Cache | Slots | None = None,
        layer: int = 0,
    ) -> torch.Tensor:
        """Return what each token takes from those before it.

        Shapes: stream (r, t, width) float -> (r, t, width) float
        """
        rows, tokens, _ = stream_RTW.shape
        split = (rows, tokens, -1, self.shape.head_width)
        query = rotate(self.query_norm(self.query(stream_RTW).view(split)).transpose(1, 2), rotation)
        key = rotate(self.key_norm(self.key(stream_RTW).view(split)).transpose(1, 2), rotation)
        value = self.value(stream_RTW).view(split).transpose(1, 2)
        if cache is not None:
            key, value = cache.add(layer, key, value)
        mixed = scaled_dot_product_attention(
            query,
            key,
            value.to(key.dtype),
            attn_mask=mask,
            is_causal=mask is None and tokens > 1,
            enable_gqa=self.shape.heads != self.shape.key_value_heads,
        )
        return self.output(mixed.transpose(1, 2).reshape(rows, tokens, -1))


class Feed(nn.Module):
    """State: the three matrices of a gated feed-forward layer.

    Source: Shazeer 2020, equation 6 (SwiGLU).
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.gate = nn.Linear(width, hidden, bias=False)
        self.up = nn.Linear(width, hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, stream_RTW: torch.Tensor) -> torch.Tensor:
        """Apply the layer to each token by itself.

        Shapes: stream (..., width) float -> (..., width) float
        """
        return self.down(silu(self.gate(stream_RTW)) * self.up(stream_RTW))


class Block(nn.Module):
    """State: one attention and one feed-forward layer, each behind a norm."""

    def __init__(self, settings: Decoder, shape: Shape) -> None:
        super().__init__()
        self.attention_norm = Norm(shape.width, settings.epsilon)
        self.attention = Attention(settings, shape)
        self.feed_norm = Norm(shape.width, settings.epsilon)
        self.feed = Feed(shape.width, shape.hidden)
        self.dropout = Dropout(settings.dropout)

    def forward(
        self,
        stream_RTW: torch.Tensor,
        rotation: Rotation,
        mask: torch.Tensor | None,
        cache: Cache | Slots | None = None,
        layer: int = 0,
    ) -> torch.Tensor:
        """Return the residual stream after this block.

        Shapes: stream (r, t, width) float -> (r, t, width) float
        """
        taken = self.attention(self.attention_norm(stream_RTW), rotation, mask, cache, layer)
        stream_RTW = stream_RTW + self.dropout(taken)
        return stream_RTW + self.dropout(self.feed(self.feed_norm(stream_RTW)))


class Head(nn.Linear):
    """State: the weights of the output layer, which are read and never called: losses take them some tokens at a time."""


class DecoderModel(nn.Module):
    """State: the token embedding, the blocks, a last norm and the output layer, which may share the embedding's weights."""

    def __init__(self, settings: Decoder, vocabulary: int, length: int) -> None:
        super().__init__()
        shape = shape_of(settings)
        self.settings, self.shape, self.length = settings, shape, length
        self.embedding = nn.Embedding(vocabulary, shape.width)
        self.dropout = Dropout(settings.dropout)
        self.blocks = nn.ModuleList(Block(settings, shape) for _ in range(shape.layers))
        self.norm = Norm(shape.width, settings.epsilon)
        self.head = None if settings.tied else Head(shape.width, vocabulary, bias=False)
        cosine, sine = rotation_table(length, shape.head_width, settings.rotary_base)
        # Made anew from the settings, so no file need hold them.
        self.cosine: torch.Tensor
        self.sine: torch.Tensor
        self.register_buffer("cosine", cosine, persistent=False)
        self.register_buffer("sine", sine, persistent=False)
        begin(self, shape)

    def forward(
        self,
        tokens: torch.Tensor,
        document: torch.Tensor | None = None,
        position: torch.Tensor | None = None,
        targets: torch.Tensor | None = None,
        only: tuple[torch.Tensor, torch.Tensor] | None = None,
        cache: Cache | Slots | None = None,
    ) -> torch.Tensor:
        """Return the logits of the next token; with `targets` the loss of each token instead, in nats.

        `document` says which document of its row each token belongs to, and `position` its place there: no token sees
        another document. `only` names the rows and columns whose logits are wanted, as (n, vocabulary).

        Shapes: tokens (r, t) int64 -> (r, t, vocabulary) float; with targets (r, t) int64 -> (r, t) float
        """
        stream_RTW = self.read(tokens, document, position, cache)
        weight_VW = self.embedding.weight if self.head is None else self.head.weight
        if targets is not None:
            return token_losses(stream_RTW.flatten(0, 1), weight_VW, targets.flatten()).view(targets.shape)
        return linear(stream_RTW if only is None else stream_RTW[only], weight_VW)

    def read(
        self,
        tokens: torch.Tensor,
        document: torch.Tensor | None = None,
        position: torch.Tensor | None = None,
        cache: Cache | Slots | None = None,
    ) -> torch.Tensor:
        """Return the last states of the tokens, from which the logits are made.

        Shapes: tokens (r, t) int64 -> (r, t, width) float
        """
        rotation, mask = self._places(tokens, document, position, cache)
        stream_RTW = self.dropout(self.embedding(tokens))
        for layer, block in enumerate(self.blocks):
            stream_RTW = block(stream_RTW, rotation, mask, cache, layer)
        if cache is not None:
            cache.advance(tokens.shape[1])
        return self.norm(stream_RTW)

    def _places(
        self,
        tokens: torch.Tensor,
        document: torch.Tensor | None,
        position: torch.Tensor | None,
        cache: Cache | Slots | None,
    ) -> tuple[Rotation, torch.Tensor | None]:
        """Return how each token is rotated, and which others it sees; no mask where all before it are seen."""
        count = tokens.shape[1]
        if cache is not None:
            where, mask = cache.places(count)
            return (self.cosine[where][:, None], self.sine[where][:, None]), mask
        if document is None or position is None:
            return (self.cosine[:count], self.sine[:count]), None
        same = document[:, :, None] == document[:, None, :]
        earlier = torch.ones(count, count, dtype=torch.bool, device=tokens.device).tril()
        return (self.cosine[position][:, None], self.sine[position][:, None]), (same & earlier)[:, None]


def rotation_table(length: int, head_width: int, base: float) -> Rotation:
    """Return cosine and sine of the angle of each position and pair of features.

    Shapes: -> (length, head_width / 2) float, twice
    Source: Su et al. 2021, equation 15.
    """
    frequencies = base ** (-torch.arange(0, head_width, 2, dtype=torch.float32) / head_width)
    angles = torch.arange(length, dtype=torch.float32)[:, None] * frequencies
    return angles.cos(), angles.sin()


def rotate(values: torch.Tensor, rotation: Rotation) -> torch.Tensor:
    """Turn each pair of features, of which one stands in the first half and one in the second, by its angle.

    Shapes: values (r, h, t, d) float, rotation (..., t, d / 2) float -> (r, h, t, d) float
    Source: Su et al. 2021, equation 34, with the pairs as transformers lays them out.
    """
    cosine, sine = (part.to(values.dtype) for part in rotation)
    first, second = values.chunk(2, dim=-1)
    return torch.cat([first * cosine - second * sine, second * cosine + first * sine], dim=-1)


def token_losses(stream_NW: torch.Tensor, weight_VW: torch.Tensor, targets_N: torch.Tensor) -> torch.Tensor:
    """Return the cross entropy of each token, in float32; zero where the target is none. Logits are never whole in memory.

    Shapes: stream (n, w) float, weight (v, w) float, targets (n,) int64 -> (n,) float
    Source: Wijmans et al. 2024 (Cut Your Losses), section 3, by chunks of tokens.
    """
    chunk = max(1, ENTRIES // len(weight_VW))
    if len(targets_N) <= chunk:
        return _losses(stream_NW, weight_VW, targets_N)
    parts = zip(stream_NW.split(chunk), targets_N.split(chunk), strict=True)
    return torch.cat(
        [checkpoint(_losses, stream, weight_VW, targets, use_reentrant=False) for stream, targets in parts]
    )


def _losses(stream_NW: torch.Tensor, weight_VW: torch.Tensor, targets_N: torch.Tensor) -> torch.Tensor:
    # In float32 whatever the precision of the network: eight bits of mantissa are too few for a loss.
    return cross_entropy(linear(stream_NW, weight_VW).float(), targets_N, reduction="none", ignore_index=NOTHING)


@torch.no_grad()
def begin(model: DecoderModel, shape: Shape) -> None:
    """Set the first weights: small, and those that write into the residual stream smaller the more of them there are.

    Source: Nguyen and Salazar 2019, section 2.2 (small init); Radford et al. 2019, section 2.3 (1 / sqrt(residual layers)).
    """
    deviation = math.sqrt(2 / (5 * shape.width))
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1:
            residual = name.endswith(("attention.output.weight", "feed.down.weight"))
            nn.init.normal_(parameter, std=deviation / math.sqrt(2 * shape.layers) if residual else deviation)
        elif name.endswith(".bias"):
            nn.init.zeros_(parameter)


def build(settings: Decoder, learnt: dict[str, Any]) -> DecoderModel:
    """Build the decoder for the vocabulary and length that preparation learnt."""
    return DecoderModel(settings, learnt["size"], learnt["length"])
