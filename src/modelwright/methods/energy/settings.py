"""Where the electricity comes from, and what a busy core draws where nothing can be read. Torch-free."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ...core.settings import AUTO, Auto, Joules, Settings


class Energy(Settings):
    """How the energy of every stage is turned into numbers; none of this changes a result."""

    method: Literal["auto", "rapl", "table", "constant"] = Field(
        "auto",
        description="rapl: the processor's own counter; table: the design power of this processor in CodeCarbon's table, by load; "
        "constant: so many watts a busy core; auto: the first of these that this machine has",
    )
    watts: Annotated[float, Field(gt=0)] | Auto = Field(
        AUTO,
        description="watts of one busy core for method constant, for who has measured it; auto: an average of data centres",
    )
    country: str = Field(
        "",
        pattern="^([A-Z]{3})?$",
        description="three-letter code of the country whose grid is used, such as CHN; empty: the world's average",
    )
    grid: Annotated[float, Field(ge=0)] | Auto = Field(
        AUTO,
        description="grams of CO2 equivalent per kWh of the electricity used, for who knows better than the country's average",
    )
    budget: Joules = Field(
        0.0,
        ge=0,
        description="most energy that the stages of a run may draw together, such as '50 Wh'; a training that comes to it saves a "
        "checkpoint and stops, and goes on when this is raised; 0: no budget",
    )
