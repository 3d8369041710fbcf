"""Texts changed a little: only tokens that are there, in the share asked for, by the generator alone."""

from __future__ import annotations

import pytest
import torch

from modelwright.methods.augmentation.words import delete_tokens, hide_tokens, replace_tokens, swap_tokens

LENGTHS = torch.tensor([1, 5, 40, 40] * 50)
PLACES = torch.arange(40)
TOKENS = torch.where(LENGTHS[:, None] > PLACES, PLACES + 2, 0)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_deleted_tokens_leave_no_hole_and_never_nothing() -> None:
    tokens, lengths = delete_tokens(TOKENS, LENGTHS, 0.3, generator())
    assert lengths.min() == 1
    for row, length in zip(tokens, lengths.tolist(), strict=True):
        assert (row[:length] > 1).all()
        assert (row[length:] == 0).all()
        assert (row[:length].diff() > 0).all(), "the order stays"
    assert 0.25 < 1 - lengths[LENGTHS == 40].float().mean() / 40 < 0.35
    assert delete_tokens(TOKENS, LENGTHS, 0.99, generator())[1].min() == 1
    assert (delete_tokens(TOKENS, LENGTHS, 0.5, generator(), padding=9)[0] == 9).any()


def test_hidden_tokens_become_unknown_and_padding_stays() -> None:
    hidden = hide_tokens(TOKENS, LENGTHS, 0.2, 1, generator())
    assert torch.equal(hidden[TOKENS == 0], TOKENS[TOKENS == 0])
    share = (hidden[TOKENS > 0] == 1).float().mean()
    assert 0.17 < share < 0.23
    kept = (hidden != 1) & (TOKENS > 0)
    assert torch.equal(hidden[kept], TOKENS[kept])


def test_swapped_tokens_are_the_same_tokens() -> None:
    swapped = swap_tokens(TOKENS, LENGTHS, 0.2, generator())
    assert torch.equal(swapped.sort(dim=1).values, TOKENS.sort(dim=1).values)
    assert torch.equal(swapped[TOKENS == 0], TOKENS[TOKENS == 0])
    moved = swapped != TOKENS
    assert (swapped - TOKENS)[moved].abs().unique().tolist() == [1]
    assert 0.12 < moved[LENGTHS == 40].float().mean() < 0.22
    assert torch.equal(swapped, swap_tokens(TOKENS, LENGTHS, 0.2, generator()))
    assert torch.equal(swap_tokens(TOKENS, LENGTHS, 0.0, generator()), TOKENS)


def test_only_tokens_with_synonyms_are_replaced_and_each_as_often() -> None:
    others = torch.arange(6)[:, None].repeat(1, 2)
    others[3] = torch.tensor([4, 5])
    tokens = torch.tensor([[2, 3, 3, 0]]).repeat(4000, 1)
    made = replace_tokens(tokens, torch.full((4000,), 3), 0.5, others, torch.Generator().manual_seed(1))
    assert made[:, 0].eq(2).all()
    assert made[:, 3].eq(0).all()
    shares = made[:, 1:3].flatten().bincount(minlength=6) / 8000
    assert shares[[3, 4, 5]].tolist() == pytest.approx([0.5, 0.25, 0.25], abs=0.03)
