"""Parts of tensors in files: they come back whole, and a missing one is noticed."""

from __future__ import annotations

import pytest
import torch

from modelwright.engine.sharded_tensors import held_parts, joined, like, owners_of, whole


def test_parts_come_back_whole() -> None:
    matrix = torch.arange(35.0).view(7, 5)
    parts = {"m@0,0": matrix[:3, :2], "m@3,0": matrix[3:, :2], "m@0,2": matrix[:3, 2:], "m@3,2": matrix[3:, 2:]}
    found = joined({"plain": torch.ones(2), **parts})
    assert torch.equal(found["m"], matrix)
    assert found["plain"].tolist() == [1.0, 1.0]


@pytest.mark.parametrize("left_out", ["m@0,0", "m@0,2", "m@3,0", "m@3,2"])
def test_a_missing_part_is_noticed(left_out: str) -> None:
    """A whole row of them would not be: then the tensor is smaller than the model's, and the list of files is not whole."""
    matrix = torch.arange(35.0).view(7, 5)
    parts = {"m@0,0": matrix[:3, :2], "m@3,0": matrix[3:, :2], "m@0,2": matrix[:3, 2:], "m@3,2": matrix[3:, 2:]}
    del parts[left_out]
    with pytest.raises(ValueError, match="do not make up a whole"):
        joined(parts)


def test_what_is_not_sharded_is_left_as_it_is() -> None:
    plain = {"a": torch.ones(3), "b": torch.zeros(2, 2)}
    assert held_parts(plain) == plain
    assert whole(plain["a"]) is plain["a"]
    channels_last = torch.zeros(1, 2, 3, 4).to(memory_format=torch.channels_last)
    assert like(channels_last, torch.ones(1, 2, 3, 4)).is_contiguous(memory_format=torch.channels_last)


def test_the_first_that_has_a_part_answers_for_it() -> None:
    assert owners_of([["a", "b"], ["b", "c"], ["c"]]) == {"a": 0, "b": 0, "c": 1}
