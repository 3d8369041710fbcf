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
        # Nothing is seen that was not written, so what stands there before does not matter.
        self.keys, self.values = torch.empty(shape, dtype=dtype), torch.empty(shape, dtype=dtype)
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


class Slots:
    """State: keys and values of rows that each have a length of their own, and how many rows there are, from the front."""

    def __init__(
        self, layers: int, rows: int, heads: int, places: int, head_width: int, dtype: torch.dtype = torch.float32
    ) -> None:
        shape = (layers, rows, heads, places, head_width)
        self.keys, self.values = torch.zeros(shape, dtype=dtype), torch.zeros(shape, dtype=dtype)
        self.lengths = torch.zeros(rows, dtype=torch.int64)
        self.rows = self._longest = 0

    def add_row(self) -> int:
        """Take one more row, empty; return its number."""
        self.lengths[self.rows] = 0
        self.rows += 1
        return self.rows - 1

    def first_read(self, row: int) -> Cache:
        """Return the cache through which a row reads its first tokens."""
        layers, _, heads, _, head_width = self.keys.shape
        cache = Cache(layers, 0, heads, 0, head_width)
        cache.keys, cache.values = self.keys[:, row : row + 1], self.values[:, row : row + 1]
        return cache

    def set_length(self, row: int, length: int) -> None:
        """Say how many tokens a row has read."""
        self.lengths[row] = length
        self._longest = int(self.lengths[: self.rows].max())

    def drop_row(self, row: int) -> None:
        """Take a row away; the last one moves into its place."""
        last = self.rows - 1
        if row != last:
            length = int(self.lengths[last])
            for held in (self.keys, self.values):
                held[:, row, :, :length] = held[:, last, :, :length]
            self.lengths[row] = length
        self.rows = last
        self._longest = int(self.lengths[:last].max()) if last else 0

    def clear(self) -> None:
        """Take all rows away."""
        self.rows = self._longest = 0

    def add(self, layer: int, key_RK1D: torch.Tensor, value_RK1D: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Put the newest token of each row behind those that are there; return all, as views.

        Shapes: key, value (r, k, 1, d) float -> (r, k, s, d) float, twice
        """
        rows, at = torch.arange(self.rows), self.lengths[: self.rows]
        self.keys[layer, rows, :, at] = key_RK1D[:, :, 0]
        self.values[layer, rows, :, at] = value_RK1D[:, :, 0]
        stop = self._longest + 1
        return self.keys[layer, : self.rows, :, :stop], self.values[layer, : self.rows, :, :stop]

    def advance(self, tokens: int) -> None:
        """Count the token that every layer has been given for each row."""
        self.lengths[: self.rows] += tokens
        self._longest += tokens

    def places(self, tokens: int) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return the position of each row's next token and which places it sees.

        Shapes: -> (r, 1) int64, (r, 1, 1, s) bool
        """
        where = self.lengths[: self.rows, None]
        return where, (torch.arange(self._longest + 1) <= where)[:, None, None, :]
