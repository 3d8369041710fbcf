"""Checkpoints: complete or absent, and every damage is noticed."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelwright.core import registry
from modelwright.core.errors import BudgetError, DamagedArtifact, MissingExtra
from modelwright.engine.checkpoint import (
    MANIFEST,
    STATE,
    TENSORS,
    Checkpoint,
    load_newest,
    save_checkpoint,
    tensors_to_turns,
    turns_to_tensors,
)
from modelwright.engine.turn import Turn


def make(step: int) -> Checkpoint:
    """Make a checkpoint whose content depends on its step; the tensors fill more than one page."""
    torch.manual_seed(step)
    tensors = {"a": torch.randn(50, 60), "b": torch.randn(3), "count": torch.tensor(float(step))}
    return Checkpoint(step, tensors, {"turns": {"x": step * 1.5}, "note": "é", "none": None})


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the checkpoints of steps 3 and 6."""
    folder = tmp_path_factory.mktemp("two")
    for step in (3, 6):
        save_checkpoint(folder, make(step), keep=2)
    return folder


def same(one: Checkpoint, other: Checkpoint) -> bool:
    return (
        one.step == other.step
        and one.state == other.state
        and set(one.tensors) == set(other.tensors)
        and all(torch.equal(tensor, other.tensors[name]) for name, tensor in one.tensors.items())
    )


def test_what_was_saved_comes_back(two: Path) -> None:
    found, complaints = load_newest(two)
    assert complaints == []
    assert found is not None
    assert same(found, make(6))


def test_an_empty_folder_has_none(tmp_path: Path) -> None:
    assert load_newest(tmp_path) == (None, [])


def test_only_the_newest_stay(tmp_path: Path) -> None:
    for step in (1, 2, 10, 3):
        save_checkpoint(tmp_path, make(step), keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-000000003", "step-000000010"]
    assert load_newest(tmp_path)[0].step == 10


def test_saving_a_step_again_replaces_it(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, Checkpoint(3, {"a": torch.zeros(2)}, {"old": True}), keep=2)
    save_checkpoint(tmp_path, make(3), keep=2)
    assert same(load_newest(tmp_path)[0], make(3))


def test_what_a_killed_process_left_half_written_is_ignored_and_cleared(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, make(3), keep=2)
    half = tmp_path / ".unfinished-77-step-000000006"
    half.mkdir()
    (half / TENSORS).write_bytes(b"half")
    found, complaints = load_newest(tmp_path)
    assert (found.step, complaints) == (3, [])
    assert not half.exists()


def at(position: float, change: Callable[[bytearray, int], Any]) -> Callable[[Path], None]:
    """Return a damage at a share of the file's length."""

    def damage(path: Path) -> None:
        content = bytearray(path.read_bytes())
        change(content, min(len(content) - 1, int(position * len(content))))
        path.write_bytes(content)

    return damage


def flip(content: bytearray, place: int) -> None:
    content[place] ^= 1 << (place % 8)


def cut(content: bytearray, place: int) -> None:
    del content[place:]


def zero_page(content: bytearray, place: int) -> None:
    start = place // 4096 * 4096
    content[start : start + 4096] = bytes(len(content[start : start + 4096]))


def insert(content: bytearray, place: int) -> None:
    content.insert(place, 0x41)


def from_the_older(path: Path) -> None:
    path.write_bytes((path.parent.parent / "step-000000003" / path.name).read_bytes())


DAMAGES: dict[str, Callable[[Path], None]] = {
    **{f"flip at {position}": at(position, flip) for position in (0.0, 0.01, 0.5, 0.999)},
    **{f"cut at {position}": at(position, cut) for position in (0.0, 0.5, 0.98)},
    **{f"zero page at {position}": at(position, zero_page) for position in (0.0, 0.9)},
    "insert": at(0.5, insert),
    "append": lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    "missing": lambda path: path.unlink(),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("name", [TENSORS, STATE, MANIFEST])
@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_noticed_and_the_one_before_taken(two: Path, tmp_path: Path, name: str, damage: str) -> None:
    folder = shutil.copytree(two, tmp_path / "copy")
    DAMAGES[damage](folder / "step-000000006" / name)
    found, complaints = load_newest(folder)
    assert found is not None
    assert same(found, make(3))
    assert len(complaints) == 1
    assert str(folder / "step-000000006") in complaints[0]


@pytest.mark.parametrize("name", [TENSORS, STATE])
def test_a_file_of_another_checkpoint_is_noticed(two: Path, tmp_path: Path, name: str) -> None:
    folder = shutil.copytree(two, tmp_path / "copy")
    from_the_older(folder / "step-000000006" / name)
    assert load_newest(folder)[0].step == 3


@pytest.mark.parametrize(
    "text", ["[]", "{}", '{"state.json": "x"}', '{"tensors.safetensors": 1, "state.json": null}', "null"]
)
def test_a_manifest_of_another_shape_is_noticed(two: Path, tmp_path: Path, text: str) -> None:
    folder = shutil.copytree(two, tmp_path / "copy")
    (folder / "step-000000006" / MANIFEST).write_text(text)
    assert load_newest(folder)[0].step == 3


@given(place=st.integers(0, 10**6), bit=st.integers(0, 7), name=st.sampled_from([TENSORS, STATE, MANIFEST]))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_flipped_bit_is_noticed(two: Path, place: int, bit: int, name: str) -> None:
    path = two / "step-000000006" / name
    content = path.read_bytes()
    spoilt = bytearray(content)
    spoilt[place % len(content)] ^= 1 << bit
    path.write_bytes(spoilt)
    try:
        found, complaints = load_newest(two)
    finally:
        path.write_bytes(content)
    assert found is not None
    assert (found.step, len(complaints)) == (3, 1)


def test_all_damaged_is_an_error_that_names_each(two: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(two, tmp_path / "copy")
    for step in (3, 6):
        (folder / f"step-00000000{step}" / STATE).write_text("{}")
    with pytest.raises(DamagedArtifact, match="every checkpoint is damaged") as caught:
        load_newest(folder)
    assert "step-000000003" in str(caught.value)
    assert "step-000000006" in str(caught.value)


def test_a_full_disk_leaves_the_older_ones_alone(two: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = shutil.copytree(two, tmp_path / "copy")

    def full(self: Path, text: str, **more: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(BudgetError, match="the disk is full"):
        save_checkpoint(folder, make(9), keep=1)
    monkeypatch.undo()
    assert sorted(path.name for path in folder.iterdir()) == ["step-000000003", "step-000000006"]
    assert same(load_newest(folder)[0], make(6))


def test_nothing_in_a_checkpoint_can_execute(two: Path) -> None:
    names = sorted(path.name for path in (two / "step-000000006").iterdir())
    assert names == sorted([TENSORS, STATE, MANIFEST])
    json.loads((two / "step-000000006" / STATE).read_text())


def make_turn(kind: str, lr: float) -> Turn:
    """Build a small turn with one optimiser; the convolution makes memory layouts matter."""
    torch.manual_seed(1)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten(), torch.nn.Linear(16, 8), torch.nn.Linear(8, 3)
    )
    network = network.to(memory_format=torch.channels_last)
    chosen = registry.settings_of("optimiser", kind).model_validate({"kind": kind, **({"lr": lr} if lr else {})})
    optimiser = registry.function_of("optimiser", kind)(chosen, network.named_parameters())
    losses = lambda batch: torch.nn.functional.cross_entropy(network(batch[0]), batch[1], reduction="none")
    return Turn(
        "model", network, losses, lambda batch: torch.ones(len(batch[1])), optimiser, lambda step: 1 / (1 + step)
    )


def go(turn: Turn, start: int, stop: int) -> None:
    """Train some steps; the batch of a step depends on nothing but its number."""
    for step in range(start, stop):
        torch.manual_seed(100 + step)
        turn.set_rate(step)
        turn.losses((torch.randn(6, 3, 4, 4), torch.randint(0, 3, (6,)))).mean().backward()
        turn.optimiser.step()
        turn.optimiser.zero_grad()


@pytest.mark.parametrize("kind", registry.names("optimiser"))
def test_every_optimiser_goes_on_bit_for_bit(tmp_path: Path, kind: str) -> None:
    """All that an optimiser remembers must be in the checkpoint."""
    try:
        undisturbed, before, after = (make_turn(kind, 0.01) for _ in range(3))
    except MissingExtra as error:
        pytest.skip(str(error))
    go(undisturbed, 0, 7)
    go(before, 0, 4)
    tensors, numbers = turns_to_tensors([before])
    save_checkpoint(tmp_path, Checkpoint(4, tensors, {"turns": numbers}), keep=1)
    go(after, 0, 1)
    found = load_newest(tmp_path)[0]
    tensors_to_turns([after], found.tensors, found.state["turns"])
    go(after, 4, 7)
    expected, got = undisturbed.model.state_dict(), after.model.state_dict()
    assert not torch.equal(expected["0.weight"], before.model.state_dict()["0.weight"])
    for name, tensor in expected.items():
        assert torch.equal(tensor, got[name]), name


def test_a_model_in_two_turns_and_two_optimisers(tmp_path: Path) -> None:
    turns = [make_turn("adam", 0.01), Turn(**{**make_turn("sgd", 0.1).__dict__, "name": "other"})]
    for turn in turns:
        go(turn, 0, 2)
    tensors, numbers = turns_to_tensors(turns)
    assert {name.split("/")[0] for name in tensors} == {"model", "other"}
    fresh = [make_turn("adam", 0.01), Turn(**{**make_turn("sgd", 0.1).__dict__, "name": "other"})]
    save_checkpoint(tmp_path, Checkpoint(2, tensors, {"turns": numbers}), keep=1)
    found = load_newest(tmp_path)[0]
    tensors_to_turns(fresh, found.tensors, found.state["turns"])
    for turn, copy in zip(turns, fresh, strict=True):
        go(turn, 2, 4)
        go(copy, 2, 4)
        for name, tensor in turn.model.state_dict().items():
            assert torch.equal(tensor, copy.model.state_dict()[name]), name
