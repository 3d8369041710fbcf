"""What may say which parts of an input an answer rests on, as a recipe may list it. Torch-free."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from modelwright.core.settings import Settings


class Occlusion(Settings):
    """Hide one part after the other; how far the probability falls is the part's weight. For any model."""

    kind: Literal["occlusion"] = "occlusion"


class Shapley(Settings):
    """Each part's mean share in the probability, over the orders in which parts may be added. For any model."""

    kind: Literal["shapley"] = "shapley"
    how: Literal["sampling", "kernel"] = Field(
        "sampling",
        description="sampling: parts are added in random orders; kernel: a weighted regression over random subsets (Kernel SHAP)",
    )
    samples: int = Field(25, ge=1, description="sampling: orders; kernel: subsets, as many times as there are parts")


class Permutation(Settings):
    """How far accuracy falls when one column of a table is dealt out anew: one answer for the whole model."""

    serves: ClassVar[tuple[str, ...]] = ("tabular",)
    kind: Literal["permutation"] = "permutation"
    repeats: int = Field(5, ge=1, description="how often each column is dealt out anew")


class IntegratedGradients(Settings):
    """The gradient, summed along the straight way from a neutral input to the input. For networks."""

    gradients: ClassVar[bool] = True
    kind: Literal["integrated_gradients"] = "integrated_gradients"
    steps: int = Field(50, ge=2, description="points on the way at which the gradient is computed")
    tolerance: float = Field(
        0.05,
        gt=0,
        description="largest share by which the weights may miss the change of the score that they add up to",
    )


class GradCam(Settings):
    """Where the last convolution speaks for the class. For networks with convolutions, over pictures."""

    serves: ClassVar[tuple[str, ...]] = ("image",)
    gradients: ClassVar[bool] = True
    kind: Literal["grad_cam"] = "grad_cam"
    layer: str = Field("auto", description="the convolution to look at; auto: the last one whose map is 4 x 4 at least")


class AttentionRollout(Settings):
    """How attention mixes the tokens, all layers together. It knows no class and shows no cause. For Transformers."""

    serves: ClassVar[tuple[str, ...]] = ("text",)
    network: ClassVar[bool] = True
    kind: Literal["attention_rollout"] = "attention_rollout"
