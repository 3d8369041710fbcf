"""A decoder that only reads: the numbers of its forward pass, from fewer and faster products.

What takes the same input lies side by side in memory and is one product; the parameters keep their names and values and are
views of it, so nothing is there twice.

Dimensions: R rows, T tokens, N tokens of all rows, W width, H heads, K heads of keys and values, D width of a head, O outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn.functional import embedding, linear, rms_norm, scaled_dot_product_attention, silu

from .cache import Cache, Slots
from .decoder import DecoderModel

# Up to so many tokens a product waits for the weights, and what reads them in the order of memory is the fastest.
FEW = 2


def reader_of(network: Any) -> Any:
    """Return what reads as the network does: a Reader where it is a plain decoder in float32 on a CPU, else the network."""
    return Reader(network) if is_plain(network) else network


def is_plain(network: Any) -> bool:
    """Say whether every layer of a decoder is as it was built, in float32, and on a CPU."""
    if type(network) is not DecoderModel:
        return False
    parts = [part for block in network.blocks for part in _linears(block)]
    return all(type(part) is nn.Linear for part in parts) and all(
        weight.dtype is torch.float32 and weight.device.type == "cpu" for weight in network.parameters()
    )


def _linears(block: Any) -> list[nn.Module]:
    attention, feed = block.attention, block.feed
    return [attention.query, attention.key, attention.value, attention.output, feed.gate, feed.up, feed.down]


class Reader:
    """State: none but views of the weights of a decoder, which it lays out anew where they do not lie side by side."""

    def __init__(self, network: DecoderModel) -> None:
        self.network, self.length = network, network.length
        # Weights made here are used in training later, too, so they must not be those of inference mode.
        with torch.inference_mode(False), torch.no_grad():
            self.layers = [_Layer(block) for block in network.blocks]
            outer: Any = network.embedding if network.head is None else network.head
            self.head_VW = side_by_side([outer.weight])
        # A feature is turned by the angle of its pair; the first of a pair takes the second with the opposite sign.
        self.cosine_LD = torch.cat([network.cosine, network.cosine], dim=1)
        self.sine_LD = torch.cat([-network.sine, network.sine], dim=1)

    def __call__(
        self, tokens: torch.Tensor, cache: Cache | Slots, only: tuple[torch.Tensor, torch.Tensor] | None = None
    ) -> torch.Tensor:
        """Return the logits of the next token as the decoder does; `only` names the rows and columns that are wanted.

        Shapes: tokens (r, t) int64 -> (r, t, vocabulary) float, or (n, vocabulary) float
        """
        network = self.network
        where, mask = cache.places(tokens.shape[1])
        rotation = self.cosine_LD[where][:, :, None], self.sine_LD[where][:, :, None]
        stream_RTW = embedding(tokens, network.embedding.weight)
        for number, layer in enumerate(self.layers):
            stream_RTW = layer.read(stream_RTW, rotation, mask, cache, number)
        cache.advance(tokens.shape[1])
        wanted = stream_RTW if only is None else stream_RTW[only]
        return product(normed(wanted, network.norm), self.head_VW)


class _Layer:
    """State: views of the weights of one block."""

    def __init__(self, block: Any) -> None:
        attention, feed = block.attention, block.feed
        inward = [attention.query, attention.key, attention.value]
        self.block, self.shape = block, attention.shape
        self.attend_OW = side_by_side([layer.weight for layer in inward])
        self.attend_O = None if attention.query.bias is None else torch.cat([layer.bias for layer in inward])
        self.feed_OW = side_by_side([feed.gate.weight, feed.up.weight])

    def read(
        self,
        stream_RTW: torch.Tensor,
        rotation: tuple[torch.Tensor, torch.Tensor],
        mask: torch.Tensor | None,
        cache: Cache | Slots,
        number: int,
    ) -> torch.Tensor:
        """Return the residual stream after this block.

        Shapes: stream (r, t, width) float -> (r, t, width) float
        """
        block = self.block
        mixed = self._attend(normed(stream_RTW, block.attention_norm), rotation, mask, cache, number)
        stream_RTW = stream_RTW + product(mixed, block.attention.output.weight)
        gate, up = product(normed(stream_RTW, block.feed_norm), self.feed_OW).chunk(2, dim=-1)
        return stream_RTW + product(silu(gate) * up, block.feed.down.weight)

    def _attend(
        self,
        stream_RTW: torch.Tensor,
        rotation: tuple[torch.Tensor, torch.Tensor],
        mask: torch.Tensor | None,
        cache: Cache | Slots,
        number: int,
    ) -> torch.Tensor:
        rows, tokens, _ = stream_RTW.shape
        heads, pairs, width = self.shape.heads, self.shape.key_value_heads, self.shape.head_width
        all_RTOD = product(stream_RTW, self.attend_OW, self.attend_O).view(rows, tokens, -1, width)
        turned_RTOD = all_RTOD[:, :, : heads + pairs]
        if self.block.attention.settings.query_key_norm:
            attention = self.block.attention
            both = (turned_RTOD[:, :, :heads], attention.query_norm), (turned_RTOD[:, :, heads:], attention.key_norm)
            turned_RTOD = torch.cat([normed(part, norm) for part, norm in both], dim=2)
        cosine, sine = rotation
        turned_RTOD = torch.addcmul(turned_RTOD * cosine, turned_RTOD.roll(width // 2, -1), sine)
        query_RHTD = turned_RTOD[:, :, :heads].transpose(1, 2)
        key, value = (part.transpose(1, 2) for part in (turned_RTOD[:, :, heads:], all_RTOD[:, :, heads + pairs :]))
        key, value = cache.add(number, key, value)
        if tokens == 1:
            # Heads that share keys stand as if they were tokens, so nothing is repeated.
            query_RKGD = query_RHTD.reshape(rows, pairs, -1, width)
            return scaled_dot_product_attention(query_RKGD, key, value, attn_mask=mask).reshape(rows, 1, -1)
        mixed = scaled_dot_product_attention(
            query_RHTD, key, value, attn_mask=mask, is_causal=mask is None, enable_gqa=heads != pairs
        )
        return mixed.transpose(1, 2).reshape(rows, tokens, -1)


def normed(values: torch.Tensor, norm: Any) -> torch.Tensor:
    """Return the vectors as a norm of the decoder leaves them.

    Shapes: values (..., width) float -> (..., width) float
    """
    return rms_norm(values, norm.weight.shape, norm.weight, norm.epsilon)


def product(values: torch.Tensor, weight_OW: torch.Tensor, bias_O: torch.Tensor | None = None) -> torch.Tensor:
    """Return what a linear layer makes of its input, by the library that is the faster one for so many tokens.

    Shapes: values (..., w) float32, weight (o, w) float32 -> (..., o) float32
    """
    tokens = values.numel() // values.shape[-1]
    if tokens <= FEW or not torch.backends.mkldnn.is_available():
        return linear(values, weight_OW, bias_O)
    found: torch.Tensor = torch.ops.mkldnn._linear_pointwise(values, weight_OW, bias_O, "none", [], "")
    return found


def side_by_side(weights: Sequence[nn.Parameter]) -> torch.Tensor:
    """Return weights of the same input as one; they become views of it, input by input, unless they are already.

    Shapes: weights (o_i, w) float -> (sum of o_i, w) float
    """
    width, outputs = weights[0].shape[1], [len(weight) for weight in weights]
    first, total = weights[0].data, sum(outputs)
    start = first.storage_offset()
    for weight, count in zip(weights, outputs, strict=True):
        there = weight.untyped_storage().data_ptr(), weight.stride(), weight.storage_offset()
        if there != (first.untyped_storage().data_ptr(), (1, total), start):
            break
        start += count
    else:
        return first.as_strided((total, width), (1, total))
    room_WO = first.new_empty(width, total)
    for weight, part_WO in zip(weights, room_WO.split(outputs, dim=1), strict=True):
        part_WO.copy_(weight.data.t())
        weight.data = part_WO.t()
    return room_WO.t()
