"""Where the trace of a training goes beside the run folder. Torch-free; nothing here changes a result."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from ..core.settings import Choice, Sequence, Settings


class Tensorboard(Settings):
    """Event files that TensorBoard shows."""

    needs: ClassVar[tuple[str, ...]] = ("tensorboard",)

    kind: Literal["tensorboard"] = "tensorboard"
    folder: str = Field("tensorboard", min_length=1, description="the folder, relative to the run folder")


class Mlflow(Settings):
    """A run in an MLflow store on SQLite: parameters, metrics by step, evidence and digests."""

    needs: ClassVar[tuple[str, ...]] = ("mlflow", "sqlalchemy", "alembic", "sqlparse")

    kind: Literal["mlflow"] = "mlflow"
    store: str = Field("mlflow.db", min_length=1, description="the SQLite file, relative to the recipe")
    experiment: str = Field("", description="the experiment; empty: the name of the recipe")


class Track(Settings):
    """Who else is told how a training went."""

    to: Sequence[Annotated[Any, Choice("tracker")]] = Field(
        (), description="tensorboard, mlflow, or both; written when the run has ended"
    )
