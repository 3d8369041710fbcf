"""Augmentation: what happens to the pictures of a training batch before anything is mixed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from ..core.errors import RecipeError
from ..methods.augmentation.pictures import crop_padded, cut_out, flip_horizontally, jitter_colours, warp
from ..methods.augmentation.settings import Augment
from ..tasks.task import Batch

# batch, randomness -> batch
Change = Callable[[Batch, torch.Generator], Batch]


def build_augment(settings: Augment, modality: str, learnt: dict[str, Any]) -> Change | None:
    """Return the change of a training batch of pictures; None where the recipe asks for none.

    Places that come into view are filled with 0: the mean colour where pictures are normalised by zscore.

    Raises:
        RecipeError: the examples are no pictures, or have no colour to change.
    """
    if settings == Augment():
        return None
    if modality != "image":
        raise RecipeError(
            f"the task is {modality}",
            where="train.augment",
            expected="task: image",
            next_step="leave train.augment out",
        )
    if settings.saturation and len(learnt["mean"]) == 1:
        raise RecipeError(
            "there is no saturation of grey pictures",
            where="train.augment.saturation",
            expected="colour pictures",
            next_step="leave train.augment.saturation out",
        )

    def change(batch: Batch, generator: torch.Generator) -> Batch:
        image_BCHW = _move(settings, _recolour(settings, batch.inputs["image"], learnt, generator), generator)
        return replace(
            batch, inputs={**batch.inputs, "image": image_BCHW.contiguous(memory_format=torch.channels_last)}
        )

    return change


def _recolour(
    settings: Augment, image_BCHW: torch.Tensor, learnt: dict[str, Any], generator: torch.Generator
) -> torch.Tensor:
    if not (settings.brightness or settings.contrast or settings.saturation):
        return image_BCHW
    # Colours are those of the picture as it was, so the normalisation is taken off and put back.
    mean, deviation = (torch.tensor(learnt[name]).view(1, -1, 1, 1) for name in ("mean", "deviation"))
    changed_BCHW = jitter_colours(
        image_BCHW * deviation + mean,
        generator,
        brightness=settings.brightness,
        contrast=settings.contrast,
        saturation=settings.saturation,
        white=255.0,
    )
    return (changed_BCHW - mean) / deviation


def _move(settings: Augment, image_BCHW: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    if settings.flip:
        image_BCHW = flip_horizontally(image_BCHW, settings.flip, generator)
    if settings.crop:
        image_BCHW = crop_padded(image_BCHW, settings.crop, generator)
    if settings.rotation or settings.zoom or settings.shear or settings.shift:
        image_BCHW = warp(
            image_BCHW,
            generator,
            degrees=settings.rotation,
            zoom=settings.zoom,
            shear=settings.shear,
            shift=settings.shift,
        )
    if settings.cutout:
        image_BCHW = cut_out(image_BCHW, settings.cutout, generator)
    return image_BCHW
