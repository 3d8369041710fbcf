"""Keys and values of the tokens that a decoder has read, in room that is taken once.

Dimensions: R rows, K heads of keys and values, S places, T tokens, D width of a head.
"""

from __future__ import annotations

import torch


class Cache:
    """State: keys and values of every layer, and how many tokens each row has been given so far.

    All rows are given equally many tokens at a time. A row that begins with less than the others is padded on its left: `padding`
    says by how much, and no token sees that.
    """

    def __init__(
        self,
        layers: int,
        rows: int,
        heads: int,
        places: int,
        head_width: int,
        padding: torch.Tensor | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        shape = (layers, rows, heads, places, head_width)
        self.keys, self.values = torch.zeros(shape, dtype=dtype), torch.zeros(shape, dtype=dtype)
        self.padding = padding
        self.length = 0

    def add(self, layer: int, key_RKTD: torch.Tensor, value_RKTD: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Put the newest tokens behind those that are there; return all, as views.

        Shapes: key, value (r, k, t, d) float -> (r, k, s, d) float, twice
        """
        stop = self.length + key_RKTD.shape[2]
        self.keys[layer, :, :, self.length : stop] = key_RKTD
        self.values[layer, :, :, self.length : stop] = value_RKTD
        return self.keys[layer, :, :, :stop], self.values[layer, :, :, :stop]

    def advance(self, tokens: int) -> None:
        """Count tokens that every layer has been given."""
        self.length += tokens

    def places(self, tokens: int) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return the positions of the next tokens and which places they see; no mask where causal order is mask enough.

        Shapes: -> (1 or r, t) int64, (r, 1, t, s) bool
        """
        where = torch.arange(self.length, self.length + tokens)[None]
        if self.padding is None:
            if self.length == 0 or tokens == 1:
                return where, None
            seen = torch.arange(self.length + tokens)[None, :] <= where[0][:, None]
            return where, seen[None, None]
        places = torch.arange(self.length + tokens)
        seen = (places[None, None, :] <= where[:, :, None]) & (places[None, None, :] >= self.padding[:, None, None])
        # A place of the padding sees itself, or its softmax would be over nothing.
        seen = seen | (places[None, None, :] == where[:, :, None])
        return (where - self.padding[:, None]).clamp(min=0), seen[:, None]
