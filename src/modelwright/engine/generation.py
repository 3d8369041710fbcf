"""Text from a decoder, token by token, with the keys and values of what it has read kept in room that is taken once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ..models.cache import Cache
from ..models.reading import reader_of


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen: the most likely one at temperature 0, else drawn from the most likely ones.

    `most` keeps so many tokens (0: all); `nucleus` keeps the most likely ones that together have this probability.
    """

    temperature: float = 0.0
    most: int = 0
    nucleus: float = 1.0


GREEDY = Sampling()


def choose(logits_RV: torch.Tensor, sampling: Sampling, generator: torch.Generator | None) -> torch.Tensor:
    """Return the next token of each row.

    Shapes: logits (r, v) float -> (r,) int64
    Source: Holtzman et al. 2020, section 3.1 (nucleus); Fan et al. 2018, section 5.4 (the k most likely).
    """
    if sampling.temperature == 0:
        return logits_RV.argmax(dim=-1)
    scaled_RV = logits_RV.float() / sampling.temperature
    if sampling.most and sampling.most < scaled_RV.shape[1]:
        least = scaled_RV.topk(sampling.most, dim=-1).values[:, -1:]
        scaled_RV = scaled_RV.masked_fill(scaled_RV < least, -torch.inf)
    if sampling.nucleus < 1:
        ranked, order = scaled_RV.softmax(dim=-1).sort(dim=-1, descending=True)
        # A token stays if those before it do not have the probability yet; so the first one always stays.
        dropped = ranked.cumsum(dim=-1) - ranked >= sampling.nucleus
        scaled_RV = scaled_RV.masked_fill(torch.zeros_like(dropped).scatter(1, order, dropped), -torch.inf)
    return torch.multinomial(scaled_RV.softmax(dim=-1), 1, generator=generator)[:, 0]


class Writer:
    """State: the cache of some rows, and all tokens of each row so far.

    A row that has become as long as the model's length goes on from its second half.
    """

    def __init__(self, network: Any, prompts: Sequence[Sequence[int]], count: int) -> None:
        self.network, self.reader, self.count = network, reader_of(network), count
        self.rows = [list(prompt) for prompt in prompts]
        self._begin([row[-network.length :] for row in self.rows])

    def _begin(self, rows: Sequence[Sequence[int]]) -> None:
        """Read rows from their beginning; shorter ones are padded on the left."""
        shape, longest = self.network.shape, max(map(len, rows))
        padding = torch.tensor([longest - len(row) for row in rows])
        tokens = torch.tensor([[0] * (longest - len(row)) + list(row) for row in rows])
        self.cache = Cache(
            shape.layers,
            len(rows),
            shape.key_value_heads,
            min(self.network.length, longest + self.count),
            shape.head_width,
            padding if padding.any() else None,
            self.network.embedding.weight.dtype,
        )
        self.logits = self._read(tokens)

    def _read(self, tokens_RT: torch.Tensor) -> torch.Tensor:
        last = (torch.arange(len(tokens_RT)), torch.full((len(tokens_RT),), tokens_RT.shape[1] - 1))
        logits: torch.Tensor = self.reader(tokens_RT, cache=self.cache, only=last)
        return logits

    def add(self, tokens_R: torch.Tensor) -> None:
        """Give each row its next token."""
        for row, token in zip(self.rows, tokens_R.tolist(), strict=True):
            row.append(token)
        if self.cache.length < self.network.length:
            self.logits = self._read(tokens_R[:, None])
        else:
            self._begin([row[-(self.network.length // 2) :] for row in self.rows])


def write(
    network: Any,
    prompts: Sequence[Sequence[int]],
    count: int,
    end: int | None,
    sampling: Sampling = GREEDY,
    seed: int = 0,
) -> list[list[int]]:
    """Return up to `count` tokens that follow each prompt; a row ends before the token `end`.

    Shapes: prompts of at least one token each
    """
    found: list[list[int]] = [[] for _ in prompts]
    ended = [False] * len(prompts)
    for tokens in follow(network, prompts, count, sampling, seed):
        for row, token in enumerate(tokens):
            ended[row] = ended[row] or token == end
            if not ended[row]:
                found[row].append(token)
        if all(ended):
            break
    return found


def follow(
    network: Any, prompts: Sequence[Sequence[int]], count: int, sampling: Sampling = GREEDY, seed: int = 0
) -> Iterator[list[int]]:
    """Yield the next token of every row, `count` times."""
    generator = torch.Generator().manual_seed(seed)
    was_training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            writer = Writer(network, prompts, count) if count else None
            for number in range(count):
                assert writer is not None
                tokens = choose(writer.logits, sampling, generator)
                yield tokens.tolist()
                if number + 1 < count:
                    writer.add(tokens)
    finally:
        network.train(was_training)
