"""The steps of compression, as a recipe may list them. Torch-free."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from modelwright.core.settings import Choice, Length, Settings
from modelwright.core.units import Span

Batch = Field(64, ge=1, description="examples per optimiser step of the training that belongs to this step")
Rate = Field(1e-3, gt=0, description="largest learning rate of that training (Adam, falling linearly to zero)")
FineTune = Field(
    Span(0, "epochs"), description="training on the training part afterwards, '1 epochs' or '200 steps'; 0: none"
)


class Quantise(Settings):
    """Eight bits in the place of thirty-two."""

    kind: Literal["quantise"] = "quantise"
    how: Literal["dynamic", "weight_only", "static"] = Field(
        "dynamic",
        description="dynamic: linear layers compute in int8, inputs are scaled as they come; weight_only: they are stored in int8 and "
        "compute in float32; static: an ONNX file that computes in int8 throughout, scales learnt on training examples",
    )
    calibration: int = Field(256, ge=1, description="training examples from which static scales are learnt")


class Prune(Settings):
    """Weights or channels are taken out."""

    kind: Literal["prune"] = "prune"
    how: Literal["unstructured", "structured"] = Field(
        "unstructured",
        description="unstructured: the smallest weights become zero and are not stored; structured: the weakest channels are removed",
    )
    amount: float = Field(
        0.5, gt=0, lt=1, description="share of all weights of matrices, or of the channels of each layer, that goes"
    )
    fine_tune: Length = FineTune
    batch: int = Batch
    rate: float = Rate


class LowRank(Settings):
    """Each linear layer becomes two thin ones, where that is smaller."""

    kind: Literal["low_rank"] = "low_rank"
    rank: Annotated[int, Field(ge=1)] | Annotated[float, Field(gt=0, lt=1)] = Field(
        0.9,
        description="a whole number: that rank; a fraction: the least rank that keeps this share of the squared singular values",
    )
    fine_tune: Length = FineTune
    batch: int = Batch
    rate: float = Rate


class Distil(Settings):
    """A smaller model learns from the answers of the model."""

    kind: Literal["distil"] = "distil"
    student: Annotated[Any, Choice("model")] = Field(
        description="the smaller model, as in the section model; trained by steps, from first weights of its own"
    )
    temperature: float = Field(
        2.0, gt=0, description="by how much the answers of both are softened before they are compared"
    )
    weight: float = Field(0.5, ge=0, le=1, description="share of the teacher in the loss; the rest is the labels'")
    length: Length = Field(Span(2, "epochs"), description="how long the student learns")
    batch: int = Batch
    rate: float = Rate


class Export(Settings):
    """The model becomes a file that other runtimes read."""

    kind: Literal["export"] = "export"
    format: Literal["onnx"] = Field("onnx", description="onnx: one file, any number of examples at once")
