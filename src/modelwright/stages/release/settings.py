"""The stage `release`. Torch-free."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from ...core.gates import parse_gate
from ...core.settings import Sequence, Settings
from ...core.stage import Stage

# At least two letters or signs of any script; not only blanks and dashes.
SAID = r"\w.*\w"


def _checked(text: str) -> str:
    parse_gate(text)
    return text


class Override(Settings):
    """A gate that does not hold, and who answers for a release all the same."""

    gate: Annotated[str, AfterValidator(_checked)] = Field(description="the gate, as it stands in release.gates")
    by: str = Field(description="the person who takes the responsibility, by name", pattern=SAID)
    reason: str = Field(description="why the model is released although this gate does not hold", pattern=SAID)


class Release(Settings):
    """What a model must show to be released, and what its card says."""

    gates: Sequence[Annotated[str, AfterValidator(_checked)]] = Field(
        (), description="conditions over evidence, such as 'accuracy.lower_bound >= 0.95'"
    )
    key: str = Field(
        "",
        description="path of the private key (PEM, elliptic curve) that signs; empty: a key made for this release only",
    )
    overrides: Sequence[Override] = Field(
        (),
        description="gates that may fail, each with the person who answers for it and the reason; both are logged and shown",
    )
    owner: str = Field("", description="the person or team who answers for the model; no release without one")
    purpose: str = Field("", description="what the model is for; no release without one")
    approver: str = Field("", description="the person who allows this model to be released; no release without one")
    limits: str = Field("", description="what the model is not for, and where it is known to fail")
    licence: str = Field("other", description="licence identifier, as on model cards")
    languages: Sequence[str] = Field((), description="language codes, as on model cards")

    @model_validator(mode="after")
    def _overrides_of_gates(self) -> Release:
        known = [str(parse_gate(gate)) for gate in self.gates]
        for override in self.overrides:
            if str(parse_gate(override.gate)) not in known:
                raise ValueError(
                    f"found an override of '{override.gate}', expected one of the gates: {', '.join(known) or 'none'}"
                )
        return self


STAGE = Stage(
    name="release",
    settings="modelwright.stages.release.settings:Release",
    function="modelwright.stages.release.run:run",
    # `serve` changes nothing that is judged, but how the release is served is written into it; `energy` decides about carbon.
    reads=("task", "data", "model", "prepare", "train", "evaluate", "serve", "energy"),
    needs=("dataset", "model", "evaluation"),
    gives=("release",),
    claims=("cpu_seconds", "energy", "carbon", "overridden_gates", "release_scan", "audit_age"),
    gathers=True,
    demands="modelwright.stages.release.answerable:demands",
)
