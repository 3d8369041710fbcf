"""The Transformer encoder as a text classifier.

Dimensions: B batch, T tokens, W width.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

from .normalisation import normalise_features
from .pooling import mask_of, mean_pool
from .settings import Transformer


class Block(nn.Module):
    """State: the weights of one attention and one feed-forward layer, each behind a normalisation."""

    def __init__(self, width: int, heads: int, widening: int, normalisation: str, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = normalise_features(normalisation, width)
        self.feed_norm = normalise_features(normalisation, width)
        self.queries_keys_values = nn.Linear(width, 3 * width)
        self.mix = nn.Linear(width, width)
        self.feed = nn.Sequential(nn.Linear(width, widening * width), nn.GELU(), nn.Linear(widening * width, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, stream_BTW: torch.Tensor, mask_B11T: torch.Tensor) -> torch.Tensor:
        """Return the residual stream after this block.

        Shapes: stream (batch, t, width) float, mask (batch, 1, 1, t) bool -> (batch, t, width) float
        """
        stream_BTW = stream_BTW + self.dropout(self._attend(self.attention_norm(stream_BTW), mask_B11T))
        return stream_BTW + self.dropout(self.feed(self.feed_norm(stream_BTW)))

    def _attend(self, stream_BTW: torch.Tensor, mask_B11T: torch.Tensor) -> torch.Tensor:
        batch, tokens, width = stream_BTW.shape
        split = self.queries_keys_values(stream_BTW).view(batch, tokens, 3, self.heads, width // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = scaled_dot_product_attention(query, key, value, attn_mask=mask_B11T)
        return self.mix(mixed.transpose(1, 2).reshape(batch, tokens, width))


class TransformerClassifier(nn.Module):
    """State: token and position embeddings, the blocks, a last normalisation, one dense layer."""

    def __init__(self, settings: Transformer, size: int, length: int, classes: int, padding: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(size, settings.width, padding_idx=padding)
        self.positions = nn.Embedding(length, settings.width)
        self.blocks = nn.ModuleList(
            Block(settings.width, settings.heads, settings.widening, settings.normalisation, settings.dropout)
            for _ in range(settings.layers)
        )
        self.norm = normalise_features(settings.normalisation, settings.width)
        self.dropout = nn.Dropout(settings.dropout)
        self.head = nn.Linear(settings.width, classes)
        for embedding in (self.tokens, self.positions):
            nn.init.normal_(embedding.weight, std=0.02)

    def forward(self, tokens: torch.Tensor, length: torch.Tensor) -> torch.Tensor:
        """Return the logits.

        Shapes: tokens (batch, t) int64, length (batch,) int64 -> (batch, classes) float
        """
        mask_BT = mask_of(length, tokens.shape[1])
        stream_BTW = self.dropout(self.tokens(tokens) + self.positions.weight[: tokens.shape[1]])
        for block in self.blocks:
            stream_BTW = block(stream_BTW, mask_BT[:, None, None, :])
        return self.head(self.dropout(mean_pool(self.norm(stream_BTW), mask_BT)))


def build(settings: Transformer, learnt: dict[str, Any]) -> TransformerClassifier:
    """Build the classifier for the vocabulary and length that preparation learnt."""
    return TransformerClassifier(
        settings, learnt["size"], learnt["length"], len(learnt["classes"]), learnt.get("padding", 0)
    )


@torch.no_grad()
def attention_of(network: TransformerClassifier, tokens: torch.Tensor, length: torch.Tensor) -> list[torch.Tensor]:
    """Return how much each token attends to each, block by block; the fused kernel never makes these numbers.

    Shapes: tokens (batch, t) int64, length (batch,) int64 -> (batch, heads, t, t) float, for each block
    """
    projected: list[torch.Tensor] = []
    blocks = [block for block in network.blocks if isinstance(block, Block)]
    hooks = [
        block.queries_keys_values.register_forward_hook(lambda _module, _given, answer: projected.append(answer))
        for block in blocks
    ]
    try:
        network(tokens, length)
    finally:
        for hook in hooks:
            hook.remove()
    hidden_B11T = ~mask_of(length, tokens.shape[1])[:, None, None, :]
    found = []
    for block, answer in zip(blocks, projected, strict=True):
        split = answer.view(*answer.shape[:2], 3, block.heads, -1)
        query, key, _ = split.permute(2, 0, 3, 1, 4).unbind(0)
        scores = query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5
        found.append(scores.masked_fill(hidden_B11T, float("-inf")).softmax(dim=-1))
    return found
