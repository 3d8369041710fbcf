"""The stage `release`. Torch-free."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from ...core.gates import parse_gate
from ...core.settings import Sequence, Settings
from ...core.stage import Stage


def _checked(text: str) -> str:
    parse_gate(text)
    return text


class Release(Settings):
    """What a model must show to be released, and what its card says."""

    gates: Sequence[Annotated[str, AfterValidator(_checked)]] = Field(
        (), description="conditions over evidence, such as 'accuracy.lower_bound >= 0.95'"
    )
    key: str = Field(
        "",
        description="path of the private key (PEM, elliptic curve) that signs; empty: a key made for this release only",
    )
    owner: str = Field("", description="who answers for the model")
    purpose: str = Field("", description="what the model is for")
    limits: str = Field("", description="what the model is not for, and where it is known to fail")
    licence: str = Field("other", description="licence identifier, as on model cards")
    languages: Sequence[str] = Field((), description="language codes, as on model cards")


STAGE = Stage(
    name="release",
    settings="modelwright.stages.release.settings:Release",
    function="modelwright.stages.release.run:run",
    # `serve` changes nothing that is judged, but how the release is served is written into it; `energy` decides about carbon.
    reads=("task", "data", "model", "prepare", "train", "evaluate", "serve", "energy"),
    needs=("dataset", "model", "evaluation"),
    gives=("release",),
    claims=("cpu_seconds", "energy", "carbon"),
    gathers=True,
)
