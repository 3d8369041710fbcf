"""Texts changed a little: tokens left out, hidden, or put in each other's place. Texts are numbers of tokens, filled up at the end.

Legend: B batch, T tokens.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor


def delete_tokens(
    tokens: Tensor, lengths: Tensor, share: float, generator: Generator, padding: int = 0
) -> tuple[Tensor, Tensor]:
    """Leave out about `share` of the tokens of each text; at least one stays.

    Shapes: tokens (batch, t) int64, lengths (batch,) int64 -> the same two
    Source: Wei and Zou 2019, EDA, section 2 (random deletion).
    """
    there_BT = _there(tokens, lengths)
    kept_BT = there_BT & (_draw(tokens, generator) >= share)
    kept_BT[:, 0] |= ~kept_BT.any(dim=1) & there_BT[:, 0]
    # A stable sort by "left out" brings what stays to the front, in its order.
    order_BT = (~kept_BT).to(torch.int8).argsort(dim=1, stable=True)
    counts_B = kept_BT.sum(dim=1)
    moved_BT = tokens.gather(1, order_BT)
    return moved_BT.masked_fill(~_there(moved_BT, counts_B), padding), counts_B


def hide_tokens(tokens: Tensor, lengths: Tensor, share: float, unknown: int, generator: Generator) -> Tensor:
    """Put the token for unknown words in the place of about `share` of the tokens of each text.

    Shapes: tokens (batch, t) int64, lengths (batch,) int64 -> tokens (batch, t) int64
    Source: Devlin et al. 2019, BERT, section 3.1 (masking); Iyyer et al. 2015, section 3.2 (word dropout).
    """
    hidden_BT = _there(tokens, lengths) & (_draw(tokens, generator) < share)
    return tokens.masked_fill(hidden_BT, unknown)


def swap_tokens(tokens: Tensor, lengths: Tensor, share: float, generator: Generator) -> Tensor:
    """Exchange about `share` of the tokens of each text with their right neighbours.

    Shapes: tokens (batch, t) int64, lengths (batch,) int64 -> tokens (batch, t) int64
    Source: Artetxe et al. 2018, Unsupervised neural machine translation, section 3.2 (local swaps).
    """
    there_BT = _there(tokens, lengths)
    wanted_BT = there_BT & (_draw(tokens, generator) < share / 2)
    # Nobody without a right neighbour, and nobody whose left neighbour has taken its place already.
    wanted_BT[:, :-1] &= there_BT[:, 1:]
    wanted_BT[:, -1] = False
    wanted_BT[:, 1:] &= ~wanted_BT[:, :-1]
    from_left_BT = torch.zeros_like(wanted_BT)
    from_left_BT[:, 1:] = wanted_BT[:, :-1]
    shifted_left_BT, shifted_right_BT = tokens.roll(-1, dims=1), tokens.roll(1, dims=1)
    return torch.where(wanted_BT, shifted_left_BT, torch.where(from_left_BT, shifted_right_BT, tokens))


def replace_tokens(tokens: Tensor, lengths: Tensor, share: float, others: Tensor, generator: Generator) -> Tensor:
    """Put one of its synonyms, drawn at random, in the place of about `share` of the tokens that have any.

    Row t of `others` holds the synonyms of token t, repeated to the width of the table; t alone where it has none.

    Shapes: tokens (batch, t) int64, lengths (batch,) int64, others (vocabulary, width) int64 -> tokens (batch, t) int64
    Source: Wei and Zou 2019, EDA, section 2 (synonym replacement); Zhang, Zhao and LeCun 2015, section 2.4.
    """
    there_BT = _there(tokens, lengths)
    replaced_BT = there_BT & (_draw(tokens, generator) < share)
    which_BT = (_draw(tokens, generator) * others.shape[1]).long()
    return torch.where(replaced_BT, others[tokens, which_BT], tokens)


def _there(tokens: Tensor, lengths: Tensor) -> Tensor:
    return torch.arange(tokens.shape[1], device=tokens.device) < lengths[:, None]


def _draw(tokens: Tensor, generator: Generator) -> Tensor:
    return torch.rand(tokens.shape, generator=generator, device=generator.device).to(tokens.device)
