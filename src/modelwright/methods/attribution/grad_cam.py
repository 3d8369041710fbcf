"""Grad-CAM: the maps of a convolution, weighted by how their means move the score, by Captum."""

from __future__ import annotations

import torch
from torch import nn

from .shapley import captum

# A coarser map says little about where.
LEAST_SIDE = 4


def grad_cam(network: nn.Module, layer: nn.Module, image: torch.Tensor, target: int) -> torch.Tensor:
    """Return where the layer speaks for a class, enlarged to the size of the picture.

    Shapes: image (1, channels, height, width) float -> (height, width) float, at least 0

    Raises:
        MissingExtra: captum is not installed.
    Source: Selvaraju et al. 2017, Grad-CAM: visual explanations from deep networks, equations 1 and 2.
    """
    attr = captum()
    found = attr.LayerGradCam(network, layer).attribute(image, target=target, relu_attributions=True)
    enlarged = attr.LayerAttribution.interpolate(found, tuple(image.shape[-2:]), interpolate_mode="bilinear")
    return enlarged[0, 0].detach()


def last_convolution(network: nn.Module, inputs: dict[str, torch.Tensor]) -> str:
    """Return the name of the convolution that is called last and whose map is not too coarse, else of the last one; empty: none.

    Source: Selvaraju et al. 2017, Grad-CAM: visual explanations from deep networks, section 3.
    """
    called: list[tuple[str, int]] = []
    hooks = [
        module.register_forward_hook(lambda _, given, answer, name=name: called.append((name, min(answer.shape[-2:]))))
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d)
    ]
    try:
        with torch.no_grad():
            network(**inputs)
    finally:
        for hook in hooks:
            hook.remove()
    fine = [name for name, side in called if side >= LEAST_SIDE] or [name for name, _ in called]
    return fine[-1] if fine else ""
