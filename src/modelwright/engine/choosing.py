"""Which of some answers a language model finds most likely after each prompt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from ..models.cache import Cache
from ..models.reading import reader_of

# Tokens of prompts that are read at once.
TOKENS = 2048


def score_choices(
    network: Any,
    prompts: Sequence[Sequence[int]],
    choices: Sequence[Sequence[int]],
    heed: Callable[[int], None] = lambda done: None,
) -> np.ndarray:
    """Return the log-likelihood of each choice after each prompt; a prompt that is too long loses its beginning.

    Each prompt is read once. `heed` hears how many prompts are done, and may raise.

    Shapes: n prompts of at least one token, c choices of at least one token -> (n, c) float64
    Units: nats
    Source: Brown et al. 2020, section 2.4, the likelihood of each completion.
    """
    room = network.length - max(map(len, choices)) + 1
    kept = [list(prompt[-room:]) for prompt in prompts]
    found = np.empty((len(prompts), len(choices)))
    was_training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            done = 0
            for rows in _batches([len(prompt) for prompt in kept]):
                heed(done)
                found[rows] = _scores(network, [kept[row] for row in rows], choices)
                done += len(rows)
    finally:
        network.train(was_training)
    return found


def _batches(lengths: list[int]) -> list[list[int]]:
    """Put prompts of much the same length together."""
    order = sorted(range(len(lengths)), key=lambda row: (lengths[row], row))
    batches: list[list[int]] = []
    for row in order:
        if not batches or (len(batches[-1]) + 1) * lengths[row] > TOKENS:
            batches.append([])
        batches[-1].append(row)
    return batches


def _scores(network: Any, prompts: list[list[int]], choices: Sequence[Sequence[int]]) -> np.ndarray:
    longest, shape = max(map(len, prompts)), network.shape
    tokens = torch.zeros(len(prompts), longest, dtype=torch.int64)
    for number, prompt in enumerate(prompts):
        tokens[number, longest - len(prompt) :] = torch.tensor(prompt)
    padding = torch.tensor([longest - len(prompt) for prompt in prompts])
    cache = Cache(
        shape.layers,
        len(prompts),
        shape.key_value_heads,
        longest + max(map(len, choices)),
        shape.head_width,
        padding if padding.any() else None,
        network.embedding.weight.dtype,
    )
    rows, read = torch.arange(len(prompts)), reader_of(network)
    first = read(tokens, cache=cache, only=(rows, torch.full_like(rows, longest - 1))).float().log_softmax(dim=-1)
    found = []
    for choice in choices:
        # Each choice is read where the prompt ends: what another one left there is written over.
        cache.length = longest
        total = first[:, choice[0]].double()
        if len(choice) > 1:
            logits = read(torch.tensor([list(choice[:-1])]).expand(len(prompts), -1), cache=cache)
            after = torch.tensor(choice[1:])
            logprobs = logits.float().log_softmax(dim=-1)
            total = total + logprobs[:, torch.arange(len(after)), after].double().sum(dim=1)
        found.append(total)
    return torch.stack(found, dim=1).numpy()
