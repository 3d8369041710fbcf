"""Checkpoints: complete or absent, and every damage is noticed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from checkpoints import copied, make, names, same
from safetensors.torch import load_file

from modelwright.core import registry
from modelwright.core.errors import DamagedArtifact, MissingExtra, RecipeError
from modelwright.engine.checkpoint import (
    MANIFEST,
    STATE,
    Checkpoint,
    load_newest,
    save_checkpoint,
    tensors_to_turns,
    turns_to_tensors,
)
from modelwright.engine.turn import Turn


def test_what_was_saved_comes_back(two: Path) -> None:
    found, complaints = load_newest(two)
    assert complaints == []
    assert found is not None
    assert same(found, make(6))


def test_an_empty_folder_has_none(tmp_path: Path) -> None:
    assert load_newest(tmp_path) == (None, [])


def test_only_the_newest_stay(tmp_path: Path) -> None:
    for step in (1, 2, 10):
        save_checkpoint(tmp_path, make(step), keep=2)
    assert names(tmp_path) == ["step-000000002", "step-000000010"]
    assert load_newest(tmp_path)[0].step == 10


@pytest.mark.parametrize("keep", [1, 2])
def test_checkpoints_of_later_steps_were_given_up(tmp_path: Path, keep: int) -> None:
    """Whoever went back before a damaged checkpoint saves again; what is newly saved must not be the one to go."""
    for step in (1, 2, 10):
        save_checkpoint(tmp_path, make(step), keep=2)
    (tmp_path / "step-000000010" / STATE).write_bytes(b"")
    save_checkpoint(tmp_path, make(3), keep=keep)
    assert names(tmp_path) == ["step-000000002", "step-000000003"][-keep:]
    assert same(load_newest(tmp_path)[0], make(3))


def test_saving_a_step_again_replaces_it(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, Checkpoint(3, {"a": torch.zeros(2)}, {"old": True}), keep=2)
    save_checkpoint(tmp_path, make(3), keep=2)
    assert same(load_newest(tmp_path)[0], make(3))


def test_what_a_killed_process_left_half_written_is_ignored_and_cleared(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, make(3), keep=2)
    half = tmp_path / ".unfinished-77-step-000000006"
    half.mkdir()
    (half / "tensors-00001-of-00003.safetensors").write_bytes(b"half")
    found, complaints = load_newest(tmp_path)
    assert (found.step, complaints) == (3, [])
    assert not half.exists()


def test_all_damaged_is_an_error_that_names_each(two: Path, tmp_path: Path) -> None:
    folder = copied(two, tmp_path / "copy")
    for step in (3, 6):
        (folder / f"step-00000000{step}" / STATE).write_text("{}")
    with pytest.raises(DamagedArtifact, match="every checkpoint is damaged") as caught:
        load_newest(folder)
    assert "step-000000003" in str(caught.value)
    assert "step-000000006" in str(caught.value)


def test_tensors_are_dealt_out_over_files_and_nothing_in_them_can_execute(two: Path) -> None:
    place = two / "step-000000006"
    shards = [f"tensors-0000{number}-of-00003.safetensors" for number in (1, 2, 3)]
    assert names(place) == [MANIFEST, STATE, *shards]
    # The first tensor alone is larger than a shard may be; of the others two fit together.
    assert [sorted(load_file(place / name)) for name in shards] == [["a"], ["b", "c"], ["count"]]
    manifest = json.loads((place / MANIFEST).read_text())
    assert {name: stated["bytes"] for name, stated in manifest["files"].items()} == {
        name: (place / name).stat().st_size for name in [*shards, STATE]
    }
    json.loads((place / STATE).read_text())


def test_one_file_when_all_fits(tmp_path: Path) -> None:
    place = save_checkpoint(tmp_path, make(1), keep=1)
    assert names(place) == [MANIFEST, STATE, "tensors-00001-of-00001.safetensors"]
    save_checkpoint(tmp_path, Checkpoint(2, {}, {"only": "numbers"}), keep=1)
    assert load_newest(tmp_path)[0] == Checkpoint(2, {}, {"only": "numbers"})


def test_tied_weights_and_views_come_back(tmp_path: Path) -> None:
    whole = torch.arange(12.0).reshape(3, 4)
    tensors = {"one": whole, "tied": whole, "row": whole[1], "turned": whole.t(), "empty": torch.zeros(0, 3)}
    save_checkpoint(tmp_path, Checkpoint(1, tensors, {}), keep=1)
    found = load_newest(tmp_path)[0]
    for name, tensor in tensors.items():
        assert torch.equal(found.tensors[name], tensor), name


def make_turn(kind: str, lr: float, **more: Any) -> Turn:
    """Build a small turn with one optimiser; the convolution makes memory layouts matter."""
    torch.manual_seed(1)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten(), torch.nn.Linear(16, 8), torch.nn.Linear(8, 3)
    )
    network = network.to(memory_format=torch.channels_last)
    chosen = registry.settings_of("optimiser", kind).model_validate(
        {"kind": kind, **({"lr": lr} if lr else {}), **more}
    )
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


def misfit(saved: Turn, other: Turn, tmp_path: Path) -> str:
    """Return what is said when one turn's checkpoint is put into another."""
    go(saved, 0, 2)
    tensors, numbers = turns_to_tensors([saved])
    save_checkpoint(tmp_path, Checkpoint(2, tensors, {"turns": numbers}), keep=1)
    found = load_newest(tmp_path)[0]
    before = {name: tensor.clone() for name, tensor in other.model.state_dict().items()}
    with pytest.raises(RecipeError, match="the checkpoint does not fit") as caught:
        tensors_to_turns([other], found.tensors, found.state["turns"])
    assert all(torch.equal(tensor, before[name]) for name, tensor in other.model.state_dict().items())
    assert "--from-scratch" in str(caught.value)
    return str(caught.value)


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    other = make_turn("adam", 0.01)
    other.model[3] = torch.nn.Linear(8, 5)
    said = misfit(make_turn("adam", 0.01), other, tmp_path)
    assert "3.weight is (3, 8), the model's is (5, 8); 3.bias is (3,), the model's is (5,)" in said


def test_a_checkpoint_of_another_optimiser_is_refused(tmp_path: Path) -> None:
    said = misfit(make_turn("sgd", 0.1), make_turn("adam", 0.01), tmp_path)
    assert "it was trained by SGD, and is to go on with Adam" in said
    said = misfit(make_turn("adam", 0.01), make_turn("adam", 0.01, amsgrad=True), tmp_path)
    assert "it was trained by Adam, and is to go on with Adam with amsgrad" in said


def test_what_is_remembered_of_a_parameter_finds_it_again(tmp_path: Path) -> None:
    """Weight decay sorts the parameters into groups, and so changes their order in the optimiser."""
    before, after = make_turn("adam", 0.01), make_turn("adam", 0.01, weight_decay=0.1)
    go(before, 0, 2)
    tensors, numbers = turns_to_tensors([before])
    tensors_to_turns([after], {name: tensor.clone() for name, tensor in tensors.items()}, numbers)
    for turn in (before, after):
        names_of = {id(parameter): name for name, parameter in turn.model.named_parameters()}
        turn_state = {names_of[id(parameter)]: values for parameter, values in turn.optimiser.state.items()}
        for name, values in turn_state.items():
            assert torch.equal(values["exp_avg"], tensors[f"model/optimiser/{name}/exp_avg"]), name


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
