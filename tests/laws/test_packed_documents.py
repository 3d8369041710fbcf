"""No document of a packed row is felt by another: not in attention, not in the loss, not in the gradient; to the last bit of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from cases import COUNT, Case, make_case
from torch import nn

from modelwright.core import registry
from modelwright.sources.rows import Rows
from modelwright.tasks.language import NOTHING, collate, pack
from modelwright.tasks.vocabulary import END

ALL = np.arange(COUNT)


@pytest.fixture(
    params=[{}, {"query_key_norm": False, "tied": False, "attention_bias": True}], ids=["qk-norm", "untied"]
)
def case(request: pytest.FixtureRequest) -> Case:
    return make_case("decoder", "language", **request.param)


def gradient_by_document(case: Case, wanted: int) -> np.ndarray:
    """Return which documents of one batch have a token whose embedding moves the loss of the wanted document."""
    batch = case.batch(ALL)
    kept: dict[str, torch.Tensor] = {}

    def keep(module: nn.Module, inputs: Any, output: torch.Tensor) -> torch.Tensor:
        kept["embedded"] = output.detach().requires_grad_()
        return kept["embedded"]

    hook = case.network.embedding.register_forward_hook(keep)  # type: ignore[union-attr, operator]
    case.task.losses(case.network, batch)[wanted].backward()
    hook.remove()
    gradient = kept["embedded"].grad
    assert gradient is not None
    touched = batch.inputs["document"][(gradient != 0).any(dim=-1)]
    return np.unique(touched.numpy())


def test_the_batch_is_packed(case: Case) -> None:
    batch = case.batch(ALL)
    assert len(batch.targets) < COUNT, "a batch that is not packed proves nothing"
    assert len(np.unique(batch.inputs["document"][0])) > 1


def test_the_loss_of_a_document_has_no_gradient_in_another(case: Case) -> None:
    for wanted in range(COUNT):
        assert gradient_by_document(case, wanted).tolist() == [wanted]


def test_the_law_notices_a_mask_that_is_only_causal(case: Case) -> None:
    forward = case.network._places

    def leaky(tokens: torch.Tensor, document: Any, position: Any, cache: Any) -> Any:
        rotation, mask = forward(tokens, document, position, cache)
        assert mask is not None
        return rotation, torch.ones_like(mask).tril()

    case.network._places = leaky  # type: ignore[assignment, method-assign]
    assert any(gradient_by_document(case, wanted).tolist() != [wanted] for wanted in range(COUNT))


def test_packing_changes_no_loss(case: Case) -> None:
    """Against the plain way: each document in a batch of its own, its tokens' cross entropies averaged by torch."""
    together = case.losses(ALL)
    for index in range(COUNT):
        batch = case.batch([index])
        assert set(batch.inputs) == {"tokens"}
        with torch.no_grad():
            logits = case.network(**batch.inputs)
        alone = nn.functional.cross_entropy(logits.flatten(0, 1), batch.targets.flatten(), ignore_index=NOTHING)
        torch.testing.assert_close(together[index], alone, atol=2e-6, rtol=1e-5)


def test_a_step_minimises_the_mean_over_tokens(case: Case) -> None:
    batch = case.batch(ALL)
    losses, sizes = case.task.losses(case.network, batch), case.task.sizes(batch)
    assert sizes.sum() == (batch.targets != NOTHING).sum()
    nats = case.network(**batch.inputs, targets=batch.targets)
    torch.testing.assert_close((losses * sizes).sum() / sizes.sum(), nats.sum() / sizes.sum())


def test_the_answer_is_the_probability_of_what_comes_last(case: Case) -> None:
    with torch.inference_mode():
        together = case.task.predict(case.network, case.batch(ALL))
        for index in range(COUNT):
            batch = case.batch([index])
            last = case.network(**batch.inputs)[0, int(case.task.sizes(batch)) - 1].softmax(dim=-1)
            torch.testing.assert_close(together[index], last, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(together.sum(dim=1), torch.ones(COUNT))


def words(texts: list[str], **settings: Any) -> Any:
    """Return the examples of some texts, each character a token."""
    stated = registry.settings_of("task", "language").model_validate(
        {"kind": "language", "tokens": "characters", **settings}
    )
    rows = Rows({"text": texts}, [f"made:{row}" for row in range(len(texts))], (), {})
    return registry.function_of("task", "language")(stated).examples, rows


def test_windows_predict_every_token_of_a_document_once() -> None:
    examples, rows = words(["abcabcabcab", "b", "cab" * 10], length=7)
    found = examples(rows, None)
    tokens = found.columns["tokens"]
    predicted = [tokens.row(index)[1:] for index in range(len(found))]
    for number, text in enumerate(rows.columns["text"]):
        own = np.concatenate(
            [row for row, owner in zip(predicted, found.columns["document"], strict=True) if owner == number]
        )
        assert len(own) == len(text) + 1
        assert own[-1] == END
    assert found.columns["characters"].sum() == sum(map(len, rows.columns["text"]))
    assert max(map(len, predicted)) == 7


def test_windows_overlap_in_training_alone() -> None:
    examples, rows = words(["abcdefghijklmnopqrst"], length=8, stride=2)
    training = examples(rows, None)
    other = examples(rows, training.learnt)
    assert len(training) == 8
    assert len(other) == 3
    starts = training.columns["tokens"].start
    assert (np.diff(starts) == 2).all()


def test_first_fit_decreasing_overfills_no_row_and_overlaps_nowhere() -> None:
    lengths = np.random.default_rng(1).integers(1, 33, size=200).tolist()
    places, filled = pack(lengths, 32)
    assert max(filled) <= 32
    assert len(filled) <= 1.3 * sum(lengths) / 32
    taken = np.zeros((len(filled), 32), dtype=int)
    for length, (row, column) in zip(lengths, places, strict=True):
        taken[row, column : column + length] += 1
    assert taken.max() == 1
    assert taken.sum() == sum(lengths)


def test_documents_of_which_no_two_fit_stand_in_the_order_of_the_batch() -> None:
    assert pack([20, 32, 13], 32) == ([(0, 0), (1, 0), (2, 0)], [20, 32, 13])


def test_bytes_and_characters_of_chinese() -> None:
    examples, rows = words(["床前明月光,é😀"], length=4)
    found = examples(rows, None)
    assert found.columns["bytes"].sum() == len(rows.columns["text"][0].encode())
    assert found.columns["characters"].sum() == len(rows.columns["text"][0])


def test_a_part_of_a_batch_is_packed_anew() -> None:
    case = make_case("decoder", "language")
    part = case.batch(ALL).part(3, 7)
    whole = collate(case.examples, np.arange(3, 7))
    assert torch.equal(part.targets, whole.targets)
    assert len(part) == 4
