"""AdamW with moments of 8 bits is the optimiser of that name."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from modelwright.methods.optimisation.optimisers import build_adamw, build_adamw8bit
from modelwright.methods.optimisation.settings import AdamW8bitSettings, AdamWSettings


def test_eight_bits_are_those_of_adamw8bit() -> None:
    pytest.importorskip("torchao")
    found = []
    for build, settings in (
        (build_adamw, AdamWSettings(bits=8, lr=0.1)),
        (build_adamw8bit, AdamW8bitSettings(lr=0.1)),
        (build_adamw, AdamWSettings(lr=0.1)),
    ):
        weight = torch.nn.Parameter(torch.linspace(-1, 1, 4096).view(64, 64).clone())
        optimiser = build(settings, [("weight", weight)])  # type: ignore[operator]
        for _ in range(3):
            (weight**2).sum().backward()
            optimiser.step()
        found.append(weight.detach())
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_eight_bits_know_no_largest_moment() -> None:
    with pytest.raises(ValidationError, match="found bits 8 with amsgrad"):
        AdamWSettings(bits=8, amsgrad=True)
