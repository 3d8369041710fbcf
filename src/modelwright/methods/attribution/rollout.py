"""Attention rollout: how all layers of attention together mix the tokens.

What it shows is a way that information may take, the same for every class. It is not what caused an answer.
"""

from __future__ import annotations

import numpy as np


def roll_out(attentions: list[np.ndarray]) -> np.ndarray:
    """Return how much of each token is in the mean of the last states, if every layer passed on half of what it got as it was.

    Shapes: attentions (heads, t, t) float each, first layer first -> (t,) float, adding up to 1

    Source: Abnar and Zuidema 2020, Quantifying attention flow in transformers, section 3, equation 1.
    """
    tokens = attentions[0].shape[-1]
    mixed = np.eye(tokens)
    for attention in attentions:
        half = 0.5 * attention.mean(axis=0) + 0.5 * np.eye(tokens)
        mixed = half / half.sum(axis=1, keepdims=True) @ mixed
    return np.asarray(mixed.mean(axis=0))
