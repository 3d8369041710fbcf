"""Mixing: what happens to a training batch after it was put together, with randomness that is handed in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from ..core.errors import RecipeError
from ..methods.augmentation.mixing import cutmix, mixup, smooth_labels
from ..methods.augmentation.settings import CutmixSettings, LabelSmoothingSettings, MixupSettings
from ..tasks.task import Batch

# batch, number of classes, randomness -> batch
Mix = Callable[[Batch, int, torch.Generator], Batch]


def build_label_smoothing(settings: LabelSmoothingSettings) -> Mix:
    """Return the mixing that spreads a little of every label over all classes."""

    def mix(batch: Batch, classes: int, generator: torch.Generator) -> Batch:
        targets = _soft(batch, classes)
        return replace(batch, targets=targets * (1 - settings.amount) + settings.amount / classes)

    return mix


def build_mixup(settings: MixupSettings) -> Mix:
    """Return the mixing that blends pairs of pictures and their labels."""

    def mix(batch: Batch, classes: int, generator: torch.Generator) -> Batch:
        image, targets = mixup(_pictures(batch, "mixup"), _soft(batch, classes), settings.alpha, generator)
        return replace(batch, inputs={**batch.inputs, "image": image}, targets=targets)

    return mix


def build_cutmix(settings: CutmixSettings) -> Mix:
    """Return the mixing that puts a box of one picture into another."""

    def mix(batch: Batch, classes: int, generator: torch.Generator) -> Batch:
        image, targets = cutmix(_pictures(batch, "cutmix"), _soft(batch, classes), settings.alpha, generator)
        return replace(batch, inputs={**batch.inputs, "image": image}, targets=targets)

    return mix


def _pictures(batch: Batch, mixing: str) -> torch.Tensor:
    if "image" not in batch.inputs:
        raise RecipeError(
            f"'{mixing}' mixes pictures, and there are none",
            where="train.mixing",
            expected="the task image, or label_smoothing, which serves every task",
        )
    return batch.inputs["image"]


def _soft(batch: Batch, classes: int) -> torch.Tensor:
    return batch.targets if batch.targets.dim() == 2 else smooth_labels(batch.targets, classes)
