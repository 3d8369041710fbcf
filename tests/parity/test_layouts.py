"""Every layout, on several processes, in every manner of training: the losses and weights of one process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from layout_cases import BASES, BATCH, LANGUAGE, MANNERS, OF_TEXT, STEPS, TEXT, train_all, train_one, write_rows
from safetensors.torch import load_file


LOSS, WEIGHT = 1e-6, 1e-5
LAYOUTS: dict[int, dict[str, Any]] = {
    2: {"data": "data", "sharded": "sharded", "tensor": "tensor"},
    4: {"data": "data", "sharded": "sharded", "tensor x data": {"kind": "tensor", "size": 2}},
}
# What a layout refuses, by the name of the part that needs more.
REFUSED: dict[tuple[str, str], str] = {}


def manners_of(base: str) -> list[str]:
    return [manner for manner in MANNERS if base == "text" or manner not in OF_TEXT]


def cases_for(processes: int) -> dict[str, tuple[str, dict[str, Any]]]:
    return {
        f"{base}-{layout}-{manner}".replace(" ", ""): (base, {**MANNERS[manner], "train.layout": chosen})
        for layout, chosen in LAYOUTS[processes].items()
        for base in BASES
        for manner in manners_of(base)
        if (layout.split()[0], manner) not in REFUSED
    }


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Each manner of training in one process."""
    folder = tmp_path_factory.mktemp("twins")
    found = {}
    for base in BASES:
        for manner in manners_of(base):
            place = folder / f"{base}-{manner}"
            place.mkdir()
            write_rows(place)
            found[f"{base}-{manner}"] = train_one(place / "run", base, MANNERS[manner])
    return found


def compare(found: dict[str, dict[str, Any]], twins: dict[str, dict[str, Any]], processes: int) -> None:
    """Compare every case with its twin; all that differ are named."""
    wrong = []
    for name, made in found.items():
        base, _, manner = name.split("-")
        twin = twins[f"{base}-{manner}"]
        assert len(made["losses"]) == len(twin["losses"]) == STEPS
        loss = max(abs(one - other) for one, other in zip(made["losses"], twin["losses"], strict=True))
        loss = max(loss, abs(made["validation_loss"] - twin["validation_loss"]))
        own, other = (load_file(Path(item["model"]) / "model.safetensors") for item in (made, twin))
        assert own.keys() == other.keys()
        weight = max(float((own[key] - other[key]).abs().max()) for key in own)
        if loss > LOSS or weight > WEIGHT or made["processes"] != processes:
            wrong.append(f"{name}: losses differ by {loss:.2g}, weights by {weight:.2g}")
    assert not wrong, "\n" + "\n".join(wrong)


@pytest.mark.parametrize("processes", [2, pytest.param(4, marks=pytest.mark.full)])
def test_every_layout_trains_as_one_process(tmp_path: Path, twins: dict[str, dict[str, Any]], processes: int) -> None:
    compare(train_all(tmp_path, cases_for(processes), processes), twins, processes)


def test_manners_differ_from_each_other(twins: dict[str, dict[str, Any]]) -> None:
    """Otherwise the parity above would say nothing of them."""
    plain = {base: load_file(Path(twins[f"{base}-plain"]["model"]) / "model.safetensors") for base in BASES}
    for name, twin in twins.items():
        base, manner = name.split("-")
        weights = load_file(Path(twin["model"]) / "model.safetensors")
        furthest = max(float((weights[key] - plain[base][key]).abs().max()) for key in weights)
        # Micro-batches change nothing but the order of sums.
        assert (furthest > 10 * WEIGHT) == (manner not in ("plain", "accumulation")), name
    assert BATCH % 2 and TEXT["train"]["batch"] == LANGUAGE["train"]["batch"] == BATCH
