"""The stage `plan`. Torch-free."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from ...core.settings import Bytes, Fraction, Joules, Seconds, Sequence, Settings
from ...core.stage import Stage

HERE = "here"
Count = Annotated[int, Field(ge=1, le=4096)]
Devices = Count | Annotated[Sequence[Count], Field(min_length=1)]


class Budget(Settings):
    """What the run may cost. What the recipe leaves to `auto` is chosen so that it fits; where nothing does, nothing is run."""

    memory: Bytes = Field(0.0, ge=0, description="most memory of PyTorch's allocator, such as 2 GiB; 0: no limit")
    time: Seconds = Field(0.0, ge=0, description="longest training, such as 2 h; 0: no limit")
    energy: Joules = Field(0.0, ge=0, description="most energy of the training, such as 0.5 kWh; 0: no limit")
    cost: float = Field(
        0.0, ge=0, description="most money for the training, in the currency of plan.price; 0: no limit"
    )


class Plan(Settings):
    """What a run will cost, said before it runs."""

    budget: Budget = Budget()
    margin: Fraction = Field(
        0.01, ge=0, le=1, description="by how much the bound of the peak memory lies above the estimate"
    )
    price: float = Field(
        0.0,
        ge=0,
        description="what an hour of this machine costs, of another one an hour of a device; 0: what is known",
    )
    machine: str = Field(
        "here",
        description="here: the machine at hand, measured; else what constants are known of: h100, h200, a100, l40s, rtx4090, "
        "ascend910b",
    )
    devices: Devices = Field(
        1,
        description="how many of the named machine's devices train together, one process each; a list: as many of these as are "
        "best within the budget",
    )

    @model_validator(mode="after")
    def _elsewhere(self) -> Plan:
        if self.machine == HERE and self.devices != 1:
            raise ValueError(
                f"found devices: {self.devices} and machine: here, expected the name of a machine, such as h200, as only this "
                "process is planned here"
            )
        return self

    @property
    def counts(self) -> tuple[int, ...]:
        """Every number of devices that is to be tried."""
        return (self.devices,) if isinstance(self.devices, int) else tuple(sorted(set(self.devices)))


STAGE = Stage(
    name="plan",
    settings="modelwright.stages.plan.settings:Plan",
    function="modelwright.stages.plan.run:run",
    reads=("task", "data", "model", "prepare", "train"),
    needs=("dataset",),
    gives=("plan",),
    edits=("train",),
    claims=(
        "planned_peak",
        "planned_seconds",
        "planned_energy",
        "planned_carbon",
        "planned_cost",
    ),
)
