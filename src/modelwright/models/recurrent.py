"""Recurrent text classifiers: RNN, LSTM, GRU. Padding never reaches a state, so an example ignores its neighbours."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from .pooling import mask_of, max_pool, mean_pool
from .settings import Recurrent


class RecurrentClassifier(nn.Module):
    """State: token embeddings, the recurrent layers, one dense layer."""

    def __init__(
        self, embedding: nn.Embedding, recurrent: nn.RNNBase, pooling: str, dropout: float, classes: int
    ) -> None:
        super().__init__()
        self.embedding, self.recurrent, self.pooling = embedding, recurrent, pooling
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(recurrent.hidden_size * (2 if recurrent.bidirectional else 1), classes)

    def forward(self, tokens: torch.Tensor, length: torch.Tensor) -> torch.Tensor:
        """Return the logits.

        Shapes: tokens (batch, t) int64, length (batch,) int64 -> (batch, classes) float
        """
        embedded_BTE = self.dropout(self.embedding(tokens))
        states_BTH = self._forward_states(embedded_BTE, length)
        return self.head(self.dropout(self._pool(states_BTH, length)))

    def _forward_states(self, embedded_BTE: torch.Tensor, length: torch.Tensor) -> torch.Tensor:
        if not self.recurrent.bidirectional:
            # Read forwards, the padding comes after every real token and cannot change its state: no need to pack.
            return self.recurrent(embedded_BTE)[0]
        packed = nn.utils.rnn.pack_padded_sequence(embedded_BTE, length.cpu(), batch_first=True, enforce_sorted=False)
        states, _ = self.recurrent(packed)
        return nn.utils.rnn.pad_packed_sequence(states, batch_first=True, total_length=embedded_BTE.shape[1])[0]

    def _pool(self, states_BTH: torch.Tensor, length: torch.Tensor) -> torch.Tensor:
        mask_BT = mask_of(length, states_BTH.shape[1])
        if self.pooling == "mean":
            return mean_pool(states_BTH, mask_BT)
        if self.pooling == "max":
            return max_pool(states_BTH, mask_BT)
        rows = torch.arange(len(length), device=length.device)
        last_BH = states_BTH[rows, length - 1]
        if not self.recurrent.bidirectional:
            return last_BH
        half = self.recurrent.hidden_size
        return torch.cat([last_BH[:, :half], states_BTH[:, 0, half:]], dim=1)


def build(settings: Recurrent, learnt: dict[str, Any]) -> RecurrentClassifier:
    """Build an RNN, LSTM or GRU classifier, as the settings' kind says."""
    layer = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[settings.kind]  # type: ignore[attr-defined]
    embedding = nn.Embedding(learnt["size"], settings.embedding, padding_idx=learnt.get("padding", 0))
    recurrent = layer(
        settings.embedding,
        settings.hidden,
        settings.layers,
        batch_first=True,
        bidirectional=settings.bidirectional,
        dropout=settings.dropout if settings.layers > 1 else 0.0,
    )
    return RecurrentClassifier(embedding, recurrent, settings.pooling, settings.dropout, len(learnt["classes"]))
