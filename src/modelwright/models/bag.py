"""A bag of n-grams as a text classifier.

Source: Joulin et al. 2016, Bag of tricks for efficient text classification.
Dimensions: B batch, T tokens, N n-grams.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from .pooling import mask_of
from .settings import Bag

# A prime that spreads the numbers of neighbouring tokens over the buckets.
SPREAD = 1_000_003


class BagClassifier(nn.Module):
    """State: one table of embeddings for tokens and hashed n-grams, one dense layer."""

    def __init__(self, settings: Bag, size: int, classes: int) -> None:
        super().__init__()
        self.size, self.ngrams, self.buckets = size, settings.ngrams, settings.buckets
        self.embedding = nn.EmbeddingBag(
            size + (settings.buckets if settings.ngrams > 1 else 0), settings.embedding, mode="sum"
        )
        self.dropout = nn.Dropout(settings.dropout)
        self.head = nn.Linear(settings.embedding, classes)
        nn.init.uniform_(self.embedding.weight, -1 / settings.embedding, 1 / settings.embedding)

    def forward(self, tokens: torch.Tensor, length: torch.Tensor) -> torch.Tensor:
        """Return the logits.

        Shapes: tokens (batch, t) int64, length (batch,) int64 -> (batch, classes) float
        """
        mask_BT = mask_of(length, tokens.shape[1])
        found, masks = [tokens], [mask_BT]
        hashed = tokens
        for width in range(2, min(self.ngrams, tokens.shape[1]) + 1):
            hashed = hashed[:, :-1] * SPREAD + tokens[:, width - 1 :]
            found.append(self.size + hashed.remainder(self.buckets))
            masks.append(mask_BT[:, width - 1 :])
        numbers_BN, present_BN = torch.cat(found, dim=1), torch.cat(masks, dim=1)
        weights_BN = present_BN.to(self.embedding.weight.dtype)
        mean_BE = self.embedding(numbers_BN, per_sample_weights=weights_BN) / weights_BN.sum(dim=1, keepdim=True)
        return self.head(self.dropout(mean_BE))


def build(settings: Bag, learnt: dict[str, Any]) -> BagClassifier:
    """Build the classifier for the vocabulary that preparation learnt."""
    return BagClassifier(settings, learnt["size"], len(learnt["classes"]))
