"""What two players minimise. Legend: B batch, N places or patches of a picture, D features."""

from __future__ import annotations

import torch
from torch.nn import functional

# How sharply the right place must stand out from the others.
TEMPERATURE = 0.07


def judge_generated(logits: torch.Tensor, loss: str) -> torch.Tensor:
    """Return what the generator minimises for each picture, from what the discriminator says of its patches.

    Shapes: logits (batch, ...) float -> (batch,) float

    Source: Goodfellow et al. 2014, section 3 (non-saturating); Mao et al. 2017, equation 9; Lim and Ye 2017 (hinge).
    """
    logits_BN = logits.float().flatten(1)
    if loss == "non_saturating":
        return functional.softplus(-logits_BN).mean(dim=1)
    if loss == "hinge":
        return -logits_BN.mean(dim=1)
    return (logits_BN - 1).square().mean(dim=1)


def tell_apart(real: torch.Tensor, generated: torch.Tensor, loss: str) -> torch.Tensor:
    """Return what the discriminator minimises for each pair of a real and a generated picture.

    Shapes: real (batch, ...) float, generated (batch, ...) float -> (batch,) float

    Source: the works named at `judge_generated`.
    """
    real_BN, generated_BN = real.float().flatten(1), generated.float().flatten(1)
    if loss == "non_saturating":
        halves = functional.softplus(-real_BN), functional.softplus(generated_BN)
    elif loss == "hinge":
        halves = functional.relu(1 - real_BN), functional.relu(1 + generated_BN)
    else:
        halves = (real_BN - 1).square(), generated_BN.square()
    return (halves[0].mean(dim=1) + halves[1].mean(dim=1)) / 2


def middle(loss: str) -> float:
    """Return the answer of a discriminator that cannot tell.

    Source: Mao et al. 2017, section 3.2: real pictures are to be answered by 1 and generated ones by 0.
    """
    return 0.5 if loss == "least_squares" else 0.0


def gradient_penalty(logits: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    """Return half the squared norm of the discriminator's gradient at each real picture.

    Shapes: logits (batch, ...) float, real (batch, ...) float -> (batch,) float

    Source: Mescheder, Geiger and Nowozin 2018, equation 9 (R1).
    """
    answers = logits.float().flatten(1).mean(dim=1).sum()
    (gradient,) = torch.autograd.grad(answers, real, create_graph=True)
    return gradient.float().flatten(1).square().sum(dim=1) / 2


def contrast(output: torch.Tensor, content: torch.Tensor) -> torch.Tensor:
    """Return the cross entropy of finding, for each place of the output, the same place of the content.

    Shapes: output (batch, places, features) float, content (batch, places, features) float -> (batch,) float

    Source: Park et al. 2020 (CUT), equation 3; negatives come from the same picture.
    """
    output_BND, content_BND = (functional.normalize(side.float(), dim=2) for side in (output, content))
    logits_BNN = output_BND @ content_BND.detach().transpose(1, 2) / TEMPERATURE
    places = torch.arange(logits_BNN.shape[1], device=logits_BNN.device).expand(len(logits_BNN), -1)
    return functional.cross_entropy(logits_BNN.transpose(1, 2), places, reduction="none").mean(dim=1)


def apart(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Return the mean absolute difference of each pair of pictures.

    Shapes: one (batch, ...) float, other (batch, ...) float -> (batch,) float

    Source: Isola et al. 2017 (pix2pix), equation 3.
    """
    return (one.float() - other.float()).abs().flatten(1).mean(dim=1)
