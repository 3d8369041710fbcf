"""The stage `plan`. Torch-free."""

from __future__ import annotations

from pydantic import Field

from ...core.settings import Bytes, Fraction, Joules, Seconds, Settings
from ...core.stage import Stage


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
    price: float = Field(0.0, ge=0, description="what an hour of this machine costs; 0: nothing")
    machine: str = Field(
        "here",
        description="here: the machine at hand, measured; else the name of a machine whose constants are known, for time and money",
    )


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
