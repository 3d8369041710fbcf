"""The stage `prepare`: raw data to a dataset in parts, with what was learnt from the training part. Torch-free."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from ...core.settings import Choice, Fraction, Sequence, Settings
from ...core.stage import Stage


class Split(Settings):
    """Who is trained on, who decides, who judges. Parts that the data states itself are kept."""

    test: Fraction = Field(0.2, ge=0, lt=1, description="share of all rows for the test part")
    validation: Fraction = Field(
        0.1, gt=0, lt=1, description="share of the rows that are not test for the validation part"
    )
    by: Literal["stratified", "random", "grouped", "time", "position"] = Field(
        "stratified",
        description="how rows are dealt out; stratified: by label, and at random where rows have none; position: every text is cut, "
        "and its beginning is trained on, what follows decides, and its end judges",
    )
    column: str = Field("", description="the column of groups (by: grouped) or of times (by: time)")
    fold: int = Field(0, ge=0, description="which fold is judged, from 0; the stage evaluate sets this")
    folds: int = Field(
        0, ge=0, description="how many folds; 0: no cross-validation. The test part is left out of all folds"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Split:
        if self.by in ("grouped", "time") and not self.column:
            raise ValueError(f"found by: {self.by} without a column, expected split.column")
        if self.folds == 1 or self.fold > max(0, self.folds - 1):
            raise ValueError(
                f"found fold {self.fold} of {self.folds}, expected at least 2 folds and a fold below their number"
            )
        return self


class Prepare(Settings):
    """How raw rows become a dataset."""

    split: Split = Split()
    bad_rows: Fraction = Field(
        0.01, ge=0, le=1, description="largest share of rows that may be quarantined before the run stops"
    )
    overlap: Literal["drop", "keep", "stop"] = Field(
        "drop",
        description="rows of a part whose content stands in another too: drop keeps them on the more careful side only "
        "(test before validation before train), keep only reports them, stop refuses",
    )
    clean: Sequence[Annotated[Any, Choice("cleaning")]] = Field(
        (),
        description="rules that find rows which should not be learnt from, applied in this order; every row found stands in the "
        "ledger with the reason (modelwright prepare RECIPE --explain ROW)",
    )
    forgotten: str = Field(
        "forgotten.json",
        min_length=1,
        description="file of keyed hashes of rows that must not be used, relative to the recipe; modelwright forget writes it, and it "
        "need not be there",
    )
    limit: int = Field(0, ge=0, description="use only so many rows, drawn at random; 0: all")


STAGE = Stage(
    name="prepare",
    settings="modelwright.stages.prepare.settings:Prepare",
    function="modelwright.stages.prepare.run:run",
    fingerprint="modelwright.stages.prepare.fingerprint:fingerprint",
    reads=("data", "task"),
    gives=("dataset", "groups"),
    claims=("rows", "quarantined", "overlap", "cleaned", "tidied", "personal_data", "duplicates", "drift"),
)
