"""Augmentation: what happens to a training batch before anything is mixed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from ..core.errors import RecipeError
from ..methods.augmentation.disturbance import add_noise, blur, erase
from ..methods.augmentation.pictures import crop_padded, cut_out, flip_horizontally, jitter_colours, warp
from ..methods.augmentation.policies import rand_augment, trivial_augment
from ..methods.augmentation.settings import Augment, AugmentTable, AugmentText
from ..methods.augmentation.words import delete_tokens, hide_tokens, replace_tokens, swap_tokens
from ..tasks.task import Batch
from ..tasks.tokens import PADDING, RESERVED, UNKNOWN

WIDEST = 420
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
        # By planes, which is several times faster for all that changes colours or cuts; then as convolutions like it.
        image_BCHW = batch.inputs["image"].contiguous()
        image_BCHW = _move(settings, _recolour(settings, image_BCHW, learnt, generator), generator)
        return replace(
            batch, inputs={**batch.inputs, "image": image_BCHW.contiguous(memory_format=torch.channels_last)}
        )

    return change


def build_augment_text(settings: AugmentText, learnt: dict[str, Any]) -> Change | None:
    """Return the change of a training batch of texts; None where the recipe asks for none."""
    if settings == AugmentText():
        return None

    others = _synonyms(settings, learnt) if settings.synonyms else None

    def change(batch: Batch, generator: torch.Generator) -> Batch:
        tokens, lengths = batch.inputs["tokens"], batch.inputs["length"]
        if others is not None:
            tokens = replace_tokens(tokens, lengths, settings.replace, others, generator)
        if settings.swap:
            tokens = swap_tokens(tokens, lengths, settings.swap, generator)
        if settings.hide:
            tokens = hide_tokens(tokens, lengths, settings.hide, UNKNOWN, generator)
        if settings.delete:
            padding = learnt.get("padding", PADDING)
            tokens, lengths = delete_tokens(tokens, lengths, settings.delete, generator, padding)
        return replace(batch, inputs={**batch.inputs, "tokens": tokens, "length": lengths})

    return change


def _synonyms(settings: AugmentText, learnt: dict[str, Any]) -> torch.Tensor:
    """Return the table of synonyms: a row for each token, which holds the token itself where there are none.

    Raises:
        RecipeError: tokens are no words here, or no list has two that the vocabulary knows.
    """
    numbers = {token: number for number, token in enumerate(learnt.get("vocabulary", ()), RESERVED)}
    known = [[numbers[word] for word in words if word in numbers] for words in settings.synonyms]
    others = {
        number: [other for other in group if other != number] for group in known if len(group) > 1 for number in group
    }
    if not others:
        raise RecipeError(
            "no list holds two words of the vocabulary",
            where="train.augment_text.synonyms",
            expected="words that stand in the training texts, and task.tokens: words or characters",
        )
    # Where all counts divide the width every synonym is as likely; a table of thousands of columns is not worth the rest.
    width = min(WIDEST, math.lcm(*(len(found) for found in others.values())))
    table = torch.arange(learnt["size"])[:, None].repeat(1, width)
    for number, found in others.items():
        table[number] = torch.tensor(found).repeat(-(-width // len(found)))[:width]
    return table


def build_augment_table(settings: AugmentTable) -> Change | None:
    """Return the change of a training batch of rows; None where the recipe asks for none."""
    if settings == AugmentTable():
        return None

    def change(batch: Batch, generator: torch.Generator) -> Batch:
        numbers = add_noise(batch.inputs["numbers"], settings.noise, generator)
        # A number that is missing stands at the median, which says nothing and must go on doing so.
        numbers = torch.where(batch.inputs["missing"] > 0, batch.inputs["numbers"], numbers)
        return replace(batch, inputs={**batch.inputs, "numbers": numbers})

    return change


def _recolour(
    settings: Augment, image_BCHW: torch.Tensor, learnt: dict[str, Any], generator: torch.Generator
) -> torch.Tensor:
    colours = settings.brightness or settings.contrast or settings.saturation
    if not colours and not settings.noise and settings.policy == "none":
        return image_BCHW
    # Colours are those of the picture as it was, so the normalisation is taken off and put back.
    mean, deviation = (torch.tensor(learnt[name]).view(1, -1, 1, 1) for name in ("mean", "deviation"))
    changed_BCHW = (image_BCHW * deviation).add_(mean)
    if settings.policy == "trivial":
        changed_BCHW = trivial_augment(changed_BCHW, generator, settings.border, mean)
    elif settings.policy == "rand":
        changed_BCHW = rand_augment(changed_BCHW, generator, settings.changes, settings.strength, settings.border, mean)
    if settings.noise:
        changed_BCHW = add_noise(changed_BCHW, settings.noise * 255.0, generator).clamp(0, 255)
    changed_BCHW = jitter_colours(
        changed_BCHW,
        generator,
        brightness=settings.brightness,
        contrast=settings.contrast,
        saturation=settings.saturation,
        white=255.0,
    )
    return changed_BCHW.sub_(mean).div_(deviation)


def _move(settings: Augment, image_BCHW: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    warped = settings.rotation or settings.zoom or settings.shear or settings.shift
    if settings.flip and (settings.crop or not warped):
        image_BCHW = flip_horizontally(image_BCHW, settings.flip, generator)
    if settings.crop:
        image_BCHW = crop_padded(image_BCHW, settings.crop, generator, border=settings.border)
    if warped:
        image_BCHW = warp(
            image_BCHW,
            generator,
            degrees=settings.rotation,
            zoom=settings.zoom,
            shear=settings.shear,
            shift=settings.shift,
            flip=0.0 if settings.crop else settings.flip,
            border=settings.border,
        )
    if settings.blur:
        image_BCHW = blur(image_BCHW, settings.blur, generator)
    if settings.cutout:
        image_BCHW = cut_out(image_BCHW, settings.cutout, generator)
    if settings.erasing:
        image_BCHW = erase(image_BCHW, settings.erasing, generator)
    return image_BCHW
