"""The stage `prove_resume`. Torch-free."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ...core.settings import Sequence, Settings
from ...core.stage import Stage


class ProveResume(Settings):
    """How it is proved that a training which is killed and resumed ends in the same bytes as an undisturbed one."""

    kills: int = Field(3, ge=1, description="how often the training is killed, at random moments")
    workers: Sequence[Annotated[int, Field(ge=0, le=64)]] = Field(
        (0, 1, 2), min_length=1, description="loader workers, another number after each kill, in turn"
    )
    seed: int = Field(0, ge=0, description="another number, other moments")


STAGE = Stage(
    name="prove_resume",
    settings="modelwright.stages.prove_resume.settings:ProveResume",
    function="modelwright.stages.prove_resume.run:run",
    reads=("task", "data", "model", "prepare", "train"),
    needs=("dataset", "model"),
    # What is proved is the training, and not what was made of its model later.
    needs_first=("model",),
    claims=("resume_bit_equal", "resume_accountant_equal", "resume_kills"),
)
