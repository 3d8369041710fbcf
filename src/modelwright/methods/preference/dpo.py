"""Direct preference optimisation: what a pair of answers costs, from what the chosen one gains over the other.

Dimensions: B pairs.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch.nn.functional import logsigmoid

from .settings import Dpo, NoPreference


def build_none(settings: NoPreference) -> None:
    """Return nothing: no pair is compared.

    Source: none; the choice that changes nothing.
    """


def build_dpo(settings: Dpo) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return what turns the gains of pairs into their losses.

    Source: Rafailov et al. 2023, equation 7.
    """
    return partial(losses_of_pairs, settings)


def losses_of_pairs(settings: Dpo, gains_B: torch.Tensor) -> torch.Tensor:
    """Return the loss of each pair.

    A gain is how much more the log-likelihood of the chosen answer has risen, over the reference, than that of the other.

    Shapes: gains (b,) float -> (b,) float
    Units: nats
    Source: Rafailov et al. 2023, equation 7 (sigmoid); Mitchell 2023, A note on DPO with noisy preferences, equation 3
        (label smoothing); Azar et al. 2023, equation 17 (ipo).
    """
    if settings.loss == "ipo":
        return (gains_B - 1 / (2 * settings.beta)).square()
    odds_B, share = settings.beta * gains_B, settings.label_smoothing
    return -(1 - share) * logsigmoid(odds_B) - share * logsigmoid(-odds_B)
