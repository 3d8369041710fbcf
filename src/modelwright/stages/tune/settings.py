"""The stage `tune`. Torch-free."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from ...core.settings import CLASSIFICATION, Fraction, Settings
from ...core.stage import Stage
from .space import is_finite, read_space


def _readable(value: Any) -> Any:
    """Refuse a space that cannot be read, each problem at its own place."""
    if not isinstance(value, dict):
        raise ValueError(f"found {value!r}, expected a mapping of keys of the recipe and their domains")
    found = [
        {"loc": path, "type": "value_error", "msg": f"Value error, {found}, expected {expected}", "input": value}
        for path, found, expected in read_space(value)[1]
    ]
    if found:
        raise PydanticCustomError("nested", "the space of the search", {"errors": found})
    return value


class Goal(Settings):
    """What is sought, always on the validation part."""

    measure: Literal["accuracy", "loss"] = Field(
        "accuracy", description="accuracy: the highest one; loss: the lowest one"
    )


class Halving(Settings):
    """When a trial of `asha` is judged: only the best of all that came as far go on."""

    first: Fraction = Field(0.1, gt=0, lt=1, description="the share of its length after which a trial is first judged")
    factor: int = Field(
        3, ge=2, description="one of so many goes on, and is judged again after so many times the length"
    )


class Tune(Settings):
    """How better settings are searched for: trials are edited recipes, judged on the validation part."""

    serves: ClassVar[tuple[str, ...]] = CLASSIFICATION
    space: Annotated[dict[str, Any], BeforeValidator(_readable, json_schema_input_type=dict[str, Any])] = Field(
        min_length=1,
        description="dotted keys of the recipe and their domains: log(1e-4, 1e-1), uniform(0, 0.5), int(8, 256), log_int(16, 512), "
        "or a list of choices, which may be mappings with domains of their own",
    )
    method: Literal["grid", "random", "tpe", "gp", "asha", "hyperopt"] = Field(
        "tpe",
        description="grid, random; tpe: densities of good and of bad values; gp: Gaussian process; asha: random, and the worse ones "
        "are stopped early; hyperopt: the tree of Parzen estimators of that package",
    )
    trials: int = Field(20, ge=1, description="how many trials; a grid ends when it is done")
    goal: Goal = Goal()
    halving: Halving = Halving()
    processes: int = Field(
        1, ge=1, le=256, description="trials at the same time; with more than one, their order is left to chance"
    )
    on: Literal["local", "ray"] = Field(
        "local", description="where trials run: in processes of this machine, or on Ray"
    )
    ray_address: str = Field(
        "",
        description="the address of a Ray cluster that sees the run folder; empty: what RAY_ADDRESS says, or a Ray of this machine",
        json_schema_extra={"x-no-effect": True},
    )
    keep_trials: int = Field(
        3,
        ge=1,
        description="of how many of the best trials the runs, with their models, stay in the run folder",
        json_schema_extra={"x-no-effect": True},
    )

    @model_validator(mode="after")
    def _grid_is_finite(self) -> Tune:
        endless = [key for key, node in read_space(self.space)[0] if not is_finite(node)]
        if self.method == "grid" and endless:
            raise ValueError(f"a grid cannot hold all values of {', '.join(endless)}, expected lists or int(low, high)")
        return self


STAGE = Stage(
    name="tune",
    settings="modelwright.stages.tune.settings:Tune",
    function="modelwright.stages.tune.run:run",
    fingerprint="modelwright.stages.tune.checks:fingerprint",
    problems="modelwright.stages.tune.checks:problems",
    reads=("task", "data", "model", "prepare", "train"),
    edits=("task", "data", "model", "prepare", "train"),
    gives=("tuning",),
    claims=("tuned", "trials", "trials_stopped", "trials_failed", "epochs_used"),
    resumable=True,
)
