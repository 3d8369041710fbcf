"""What a recipe says of itself to a queue. Torch-free; nothing here changes a result."""

from __future__ import annotations

from pydantic import Field, model_validator

from ..core.settings import Bytes, Settings


class Submit(Settings):
    """How a job of this recipe stands in a queue (`modelwright submit`)."""

    priority: int = Field(0, description="higher ones are started first; nobody begins while a higher one waits")
    workers: int = Field(1, ge=1, description="processes at most; see train.layout")
    least: int = Field(0, ge=0, description="processes at least, where others need some of them; 0: as many as workers")
    cpus: int = Field(1, ge=1, description="cores of each process; where train.threads is auto, its threads")
    gpus: float = Field(0.0, ge=0, description="accelerators of each process")
    memory: Bytes = Field(
        0.0,
        ge=0,
        description="memory of each process, such as 4 GiB; 0: the bound of the plan and what a process takes",
    )

    @model_validator(mode="after")
    def _ordered(self) -> Submit:
        if self.least > self.workers:
            raise ValueError(
                f"found least {self.least} and workers {self.workers}, expected at most as many as workers"
            )
        return self
