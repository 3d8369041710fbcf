"""Which layouts there are, what each provides, and what can be set of it. Torch-free."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from ..core.settings import Settings


class AutoLayout(Settings):
    """One process: local. Several: data."""

    kind: Literal["auto"] = "auto"


class LocalLayout(Settings):
    """One process; several are refused."""

    kind: Literal["local"] = "local"


class DataLayout(Settings):
    """Every process holds the whole model and takes its share of each batch; the gradients are summed."""

    spreads: ClassVar[bool] = True
    provides: ClassVar[frozenset[str]] = frozenset(
        {"whole-losses", "whole-matrices", "whole-parameters", "plain-tensors", "any-model", "short-parameters"}
    )
    kind: Literal["data"] = "data"


class ShardedLayout(Settings):
    """Every process takes its share of each batch and holds its share of all parameters and optimiser states (FSDP2)."""

    spreads: ClassVar[bool] = True
    provides: ClassVar[frozenset[str]] = frozenset({"whole-losses", "any-model", "short-parameters"})
    kind: Literal["sharded"] = "sharded"
    gather_again: bool = Field(
        True,
        description="true: the parameters of a block are let go after its forward pass and gathered again for the gradient; "
        "false: kept between the two, which takes more memory and fewer messages",
    )


class TensorLayout(Settings):
    """Some processes share every example, and each has a part of the large matrices (DTensor); the rest share the examples."""

    spreads: ClassVar[bool] = True
    provides: ClassVar[frozenset[str]] = frozenset({"whole-losses"})
    kind: Literal["tensor"] = "tensor"
    size: int = Field(0, ge=0, description="how many processes share an example; 0: all")

    def misfit(self, processes: int) -> str:
        """Say why so many processes do not fit; nothing where they do."""
        return _no_divisor(processes, self.size, "share an example")


def _no_divisor(processes: int, size: int, what: str) -> str:
    return f"of {processes} processes, {size} at a time cannot {what}" if size and processes % size else ""


class PipelineLayout(Settings):
    """Each process has some neighbouring blocks of the model; micro-batches go from one to the next. The rest share examples."""

    spreads: ClassVar[bool] = True
    provides: ClassVar[frozenset[str]] = frozenset({"whole-matrices"})
    kind: Literal["pipeline"] = "pipeline"
    stages: int = Field(0, ge=0, description="how many processes make up a pipeline; 0: all")
    schedule: Literal["gpipe", "1f1b", "interleaved"] = Field(
        "1f1b",
        description="gpipe: all forward passes, then all backward ones; 1f1b: in turn, which keeps fewer activations; "
        "interleaved: each process has two stretches of blocks, which shortens the waiting",
    )
    micro_batches: int = Field(
        0,
        ge=0,
        description="parts that a share of a batch goes through in; 0: two for each stage, or as train.micro_batch says",
    )

    def misfit(self, processes: int) -> str:
        """Say why so many processes do not fit; nothing where they do."""
        return _no_divisor(processes, self.stages, "make up a pipeline")
