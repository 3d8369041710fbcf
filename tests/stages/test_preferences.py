"""Pairs of answers: the loss is that of a plain formula, what is learnt shows in the pairs, and nothing is silently left out."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from edited_recipe import digest, path_of, run_edited
from safetensors.torch import load_file

from modelwright.core.errors import DataError, Interrupted, RecipeError
from modelwright.core.recipe import recipe_from
from modelwright.core.run import Run
from modelwright.core.stage import Progress
from modelwright.engine.dataset import read_part
from modelwright.engine.predictor import build_task, likelihoods_in_batches, losses_in_batches, open_predictor
from modelwright.methods.preference.dpo import build_dpo
from modelwright.methods.preference.settings import Dpo
from modelwright.models.decoder import DecoderModel
from modelwright.models.decoder_settings import Decoder
from modelwright.sources.rows import Rows
from modelwright.stages.release.predict import predict
from modelwright.tasks.pairs import with_reference
from modelwright.tasks.preferences import prefer
from modelwright.tasks.settings import Language
from modelwright.tasks.task import Examples, Task
from modelwright.tasks.vocabulary import Vocabulary

transformers = pytest.importorskip("transformers")
sys.path.insert(0, str(Path(__file__).parent))
from open_folder import TEMPLATE, write_open_model, write_pairs  # noqa: E402

LORA = {"kind": "lora", "rank": 4, "targets": ["query", "value"], "full": "^$"}
RECIPE: dict[str, Any] = {
    "version": 1,
    "name": "pairs",
    "seed": 1,
    "task": {"kind": "language", "tokens": "hf:open", "length": 48},
    "data": {"kind": "jsonl", "path": "pairs.jsonl"},
    "model": {"kind": "open_weights", "path": "open"},
    "prepare": {"split": {"test": 0.3, "validation": 0.2}},
    "train": {
        "length": "30 steps",
        "batch": 16,
        "threads": 1,
        "preference": {"kind": "dpo", "beta": 0.5},
        "optimiser": {"kind": "adamw", "lr": 0.02},
        "low_rank": LORA,
    },
    "evaluate": {"resamples": 100, "floor": "none", "samples": {"count": 1, "tokens": 4}},
    "release": {"owner": "Ada", "purpose": "Tests.", "approver": "Grace"},
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    write_open_model(folder / "open")
    write_pairs(folder / "pairs.jsonl")
    return folder


def run_in(place: Path, name: str, until: str | None = None, **edits: Any) -> Run:
    return run_edited(RECIPE, place, place / "runs" / name, until, **edits)


@pytest.fixture(scope="module")
def whole(place: Path) -> Run:
    """The recipe, run once to its end; nobody may change it."""
    return run_in(place, "whole")


SAID = [
    {"prompt": "what is red", "chosen": "a rose", "rejected": "the sea, I think"},
    {"prompt": "what is blue and wide", "chosen": "the sea", "rejected": "no"},
    {"prompt": "and green", "chosen": "a tree in the wood", "rejected": "a rose"},
    {"prompt": "x", "chosen": "y", "rejected": "z"},
]


def rows_of(said: list[dict[str, Any]]) -> Rows:
    names = dict.fromkeys(name for row in said for name in row)
    columns = {
        name: [cell if isinstance(cell := row.get(name), str | None) else json.dumps(cell) for row in said]
        for name in names
    }
    return Rows(columns, [f"made:{row}" for row in range(len(said))], (), {})


def made_from(said: list[dict[str, Any]], **stated: Any) -> tuple[Task, Examples]:
    settings = Language.model_validate({"kind": "language", "tokens": "characters", "length": 60, **stated})
    task = build_task(settings)
    return task, task.examples(rows_of(said), None)


def small(examples: Examples) -> DecoderModel:
    torch.manual_seed(1)
    shape = Decoder(layers=2, width=16, heads=2, hidden=24)
    return DecoderModel(shape, examples.learnt["size"], examples.learnt["length"])


def plain_likelihood(network: Any, tokens: np.ndarray, counted: np.ndarray) -> torch.Tensor:
    """One sequence alone, token by token, as the paper writes it."""
    logprobs = network(torch.from_numpy(tokens[:-1].astype(np.int64))[None])[0].log_softmax(dim=-1)
    return sum(logprobs[at - 1, int(tokens[at])] for at in range(1, len(tokens)) if counted[at])


@pytest.mark.parametrize(
    "stated", [{"beta": 0.3}, {"beta": 0.2, "label_smoothing": 0.1}, {"beta": 0.4, "loss": "ipo"}], ids=str
)
@pytest.mark.parametrize("template", ["", TEMPLATE], ids=["texts", "conversations"])
def test_losses_and_gradients_are_those_of_a_plain_formula(stated: dict[str, Any], template: str) -> None:
    task, examples = made_from(SAID, template=template)
    network, reference = small(examples), small(examples)
    with torch.no_grad():
        network.embedding.weight.add_(torch.randn(network.embedding.weight.shape), alpha=0.3)
    settings = Dpo.model_validate({"kind": "dpo", **stated})
    pairs = with_reference(examples, likelihoods_in_batches(reference, task, examples))
    batch = prefer(task, build_dpo(settings)).collate(pairs, np.arange(4))
    ours = prefer(task, build_dpo(settings)).losses(network, batch)
    ours.sum().backward()
    gradients = [parameter.grad.clone() for parameter in network.parameters() if parameter.grad is not None]
    network.zero_grad()
    columns, theirs = examples.columns, []
    for row in range(4):
        sides = [(columns["tokens"], columns["counted"]), (columns["rejected"], columns["rejected_counted"])]
        gained = []
        for tokens, counted in sides:
            own = plain_likelihood(network, tokens.row(row), counted.row(row))
            with torch.no_grad():
                before = plain_likelihood(reference, tokens.row(row), counted.row(row))
            gained.append(own - before)
        margin = gained[0] - gained[1]
        if settings.loss == "ipo":
            theirs.append((margin - 1 / (2 * settings.beta)) ** 2)
        else:
            right = torch.sigmoid(settings.beta * margin)
            theirs.append(
                -(1 - settings.label_smoothing) * torch.log(right) - settings.label_smoothing * torch.log(1 - right)
            )
    torch.testing.assert_close(ours, torch.stack(theirs), atol=1e-4, rtol=1e-5)
    torch.stack(theirs).sum().backward()
    for mine, parameter in zip(gradients, network.parameters(), strict=True):
        torch.testing.assert_close(mine, parameter.grad, atol=1e-4, rtol=1e-4)
    assert prefer(task, build_dpo(settings)).sizes(batch).tolist() == [1.0] * 4
    # Parts of a batch, and frames with room to spare, change nothing of a pair.
    again = torch.cat([prefer(task, build_dpo(settings)).losses(network, batch.part(at, at + 2)) for at in (0, 2)])
    torch.testing.assert_close(again, ours, atol=1e-4, rtol=1e-5)
    framed = batch.pick(np.asarray([2, 0]), (4, 60))
    torch.testing.assert_close(
        prefer(task, build_dpo(settings)).losses(network, framed), ours[[2, 0]], atol=1e-4, rtol=1e-5
    )


def test_who_has_learnt_nothing_has_the_loss_of_a_coin() -> None:
    task, examples = made_from(SAID)
    network = small(examples)
    pairs = with_reference(examples, likelihoods_in_batches(network, task, examples))
    losses, sizes = losses_in_batches(network, prefer(task, build_dpo(Dpo(beta=0.7))), pairs)
    assert losses == pytest.approx([math.log(2)] * 4, abs=1e-6)
    assert sizes.sum() == 4


def test_without_a_reference_a_pair_is_its_better_answer() -> None:
    task, examples = made_from(SAID, template=TEMPLATE)
    asked = [
        {"messages": [{"role": "user", "content": row["prompt"]}, {"role": "assistant", "content": row["chosen"]}]}
        for row in SAID
    ]
    alone = task.examples(rows_of(asked), examples.learnt)
    network = small(examples)
    for part in (np.arange(4), np.asarray([2, 1])):
        one, other = (task.collate(some, part) for some in (examples, alone))
        torch.testing.assert_close(task.losses(network, one), task.losses(network, other), atol=0, rtol=0)
        assert torch.equal(one.inputs["tokens"], other.inputs["tokens"])


def message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


FORMS: dict[str, dict[str, Any]] = {
    "messages": {
        "prompt": [message("user", "what is red")],
        "chosen": [message("assistant", "a rose")],
        "rejected": [message("assistant", "the sea")],
    },
    "one message": {
        "messages": [message("user", "what is red")],
        "chosen": message("assistant", "a rose"),
        "rejected": message("assistant", "the sea"),
    },
    "texts after messages": {"prompt": [message("user", "what is red")], "chosen": "a rose", "rejected": "the sea"},
    "no prompt": {
        "chosen": [message("user", "what is red"), message("assistant", "a rose")],
        "rejected": [message("user", "what is red"), message("assistant", "the sea")],
    },
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_pair_is_the_same_pair(form: str) -> None:
    _, plain = made_from([{"prompt": "what is red", "chosen": "a rose", "rejected": "the sea"}], template=TEMPLATE)
    task, _ = made_from(SAID, template=TEMPLATE)
    other = task.examples(rows_of([FORMS[form]]), plain.learnt)
    for name in ("tokens", "counted", "rejected", "rejected_counted"):
        assert other.columns[name].row(0).tolist() == plain.columns[name].row(0).tolist(), name


def test_answers_before_the_last_question_do_not_count() -> None:
    said = [message("user", "hi"), message("assistant", "hello there"), message("user", "what is red")]
    _, examples = made_from([{"prompt": said, "chosen": "a rose", "rejected": "no"}], template=TEMPLATE, length=160)
    tokens, counted = (examples.columns[name].row(0) for name in ("tokens", "counted"))
    assert Vocabulary(examples.learnt).decode(tokens[counted == 1].tolist()).removesuffix("\n") == "a rose<|im_end|>"
    assert examples.columns["characters"].tolist() == [len("a rose")]


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "same": ({"prompt": "a", "chosen": "b", "rejected": "b"}, "both answers are the same"),
    "missing": ({"prompt": "a", "chosen": "b", "rejected": None}, "an answer is missing"),
    "no prompt": ({"prompt": None, "chosen": "b", "rejected": "c"}, "there is no prompt"),
    "unlike": (
        {
            "chosen": [message("user", "a"), message("assistant", "b")],
            "rejected": [message("user", "c"), message("assistant", "b")],
        },
        "do not begin alike",
    ),
    "nobody": ({"prompt": "a", "chosen": [message("user", "b")], "rejected": "c"}, "nobody answers"),
    "role": ({"prompt": "a", "chosen": [{"role": "robot", "content": "b"}], "rejected": "c"}, "message 1"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_pair_is_named_with_its_row(name: str) -> None:
    row, said = BAD[name]
    with pytest.raises(DataError, match=said) as caught:
        made_from([SAID[0], row], template=TEMPLATE)
    assert "made:1" in str(caught.value)


def test_messages_without_a_template_are_refused() -> None:
    with pytest.raises(DataError, match="no template"):
        made_from([FORMS["messages"]])


def test_answers_that_are_numbers_ask_for_their_type(place: Path) -> None:
    rows = [{"prompt": "one", "chosen": "1", "rejected": "2"}, {"prompt": "two", "chosen": "2", "rejected": "1"}] * 10
    (place / "numbers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(DataError, match="data.types"):
        run_in(place, "numbers", "prepare", data__path="numbers.jsonl")
    types = {"chosen": "text", "rejected": "text"}
    run_in(place, "numbers-texts", "prepare", data__path="numbers.jsonl", data__types=types)


def test_what_is_learnt_shows_in_the_pairs(place: Path, whole: Run) -> None:
    claims = {item.name: item for item in whole.evidence()}
    for name in ("preference_accuracy", "preference_margin", "reward_accuracy", "reward_margin"):
        item = claims[name]
        assert item.status == "measured"
        assert item.low is not None
        assert item.high is not None
        assert item.low <= item.value <= item.high
    assert claims["preference_margin"].value > claims["before[preference_margin]"].value
    assert claims["reward_accuracy"].value >= 0.8
    assert claims["validation_loss"].value < math.log(2) - 0.1
    record = json.loads((path_of(whole, "model") / "training.json").read_text())
    assert record["diagnosis"]["fit"]["guessing"] == pytest.approx(math.log(2))
    assert predict(path_of(whole, "release"), ["win cash"])[0]["text"]


def test_the_reference_is_the_model_that_transformers_opens(place: Path, whole: Run) -> None:
    test = read_part(path_of(whole, "dataset"), "test")
    base = transformers.AutoModelForCausalLM.from_pretrained(place / "open").eval()
    before = np.load(path_of(whole, "predictions") / "preferred_before.npy")
    after = np.load(path_of(whole, "predictions") / "preferred.npy")
    for index in range(len(test)):
        sides = (("tokens", "counted"), ("rejected", "rejected_counted"))
        for side, (tokens, counted) in enumerate(sides):
            row, marks = test.columns[tokens].row(index), test.columns[counted].row(index)
            with torch.inference_mode():
                theirs = plain_likelihood(lambda asked: base(asked).logits, row, marks)
            assert before[index, side] == pytest.approx(float(theirs), abs=1e-3)
    claims = {item.name: item.value for item in whole.evidence()}
    gained = after - before
    assert claims["reward_margin"] == pytest.approx(0.5 * float((gained[:, 0] - gained[:, 1]).mean()))


@pytest.mark.parametrize("low_rank", [LORA, pytest.param("none", marks=pytest.mark.full)], ids=["lora", "full"])
def test_a_training_that_was_stopped_ends_in_the_same_bytes(place: Path, whole: Run, low_rank: Any) -> None:
    name = "lora" if low_rank == LORA else "full"
    edits = {"train__low_rank": low_rank, "train__save__every": "3 steps"}
    twin = run_in(place, f"{name}-twin", "train", **edits)
    # Once while the reference is measured, once in the middle.
    for moment in ("find of the validation", 7):
        with pytest.raises(Interrupted):
            run_edited(RECIPE, place, place / "runs" / f"{name}-stopped", "train", until(moment, []), **edits)
    seen: list[str] = []
    gone_on = run_edited(RECIPE, place, place / "runs" / f"{name}-stopped", "train", until("never", seen), **edits)
    assert not any("find of" in message for message in seen), "the reference was measured once"
    assert digest(gone_on, "model") == digest(twin, "model")


def until(moment: str | int, seen: list[str]) -> Any:
    """Return what asks to stop at a step of training, or when some words are said."""

    def hear(progress: Progress) -> Any:
        seen.append(progress.message)
        asked = progress.step == moment if isinstance(moment, int) else moment in progress.message
        return "interrupt" if progress.stage == "train" and asked else "go"

    return hear


CHANGES: list[dict[str, Any]] = [
    {"train__preference": {"kind": "dpo", "beta": 0.1}},
    {"train__preference": {"kind": "dpo", "beta": 0.5, "label_smoothing": 0.2}},
    {"train__preference": {"kind": "dpo", "beta": 0.5, "loss": "ipo"}},
    {"train__preference": "none"},
]
# What learns, and in which parts: not of preferences alone, so in the longer proofs.
LONGER: list[dict[str, Any]] = [
    {"train__low_rank": {**LORA, "base": "int4"}},
    {"train__low_rank": "none"},
    {"train__micro_batch": 3},
]


@pytest.mark.full
@pytest.mark.parametrize("changes", [CHANGES, LONGER], ids=["keys", "longer"])
def test_a_changed_key_changes_what_is_learnt(place: Path, changes: list[dict[str, Any]]) -> None:
    short = {"train__length": "3 steps"}
    digests = [digest(run_in(place, "unchanged", "train", **short), "model")]
    for number, edits in enumerate(changes):
        made = run_in(place, f"changed-{number}", "train", **short, **edits)
        assert all(
            tensor.isfinite().all() for tensor in load_file(path_of(made, "model") / "model.safetensors").values()
        )
        digests.append(digest(made, "model"))
    assert len(set(digests)) == len(digests)


REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"model": {"kind": "decoder", "layers": 1, "width": 16, "heads": 2}}, RecipeError, "no weights from outside"),
    (
        {"train.preference": {"kind": "dpo", "loss": "ipo", "label_smoothing": 0.1}},
        RecipeError,
        "ipo with label_smoothing",
    ),
    ({"train.preference": {"kind": "dpo", "beta": 0.0}}, RecipeError, "beta"),
    ({"train.privacy": "dp_sgd"}, RecipeError, "privacy"),
    ({"train.objective": "focal"}, RecipeError, "objective"),
    ({"data.path": "said.jsonl"}, DataError, "holds no pairs"),
]


@pytest.mark.parametrize(("edits", "family", "said"), REFUSED, ids=lambda item: str(item)[:40])
def test_what_does_not_go_with_pairs_is_refused(
    place: Path, edits: dict[str, Any], family: type[Exception], said: str
) -> None:
    talk = {"messages": [message("user", "a"), message("assistant", "b")]}
    (place / "said.jsonl").write_text((json.dumps(talk) + "\n") * 20)
    with pytest.raises(family, match=said):
        run_in(place, "refused", "train", **{name.replace(".", "__"): item for name, item in edits.items()})


def test_pictures_know_no_preference(tmp_path: Path) -> None:
    data = {"version": 1, "name": "x", "task": {"kind": "image"}, "data": {"kind": "sample", "name": "digits"}}
    with pytest.raises(RecipeError, match="is for language"):
        recipe_from({**data, "model": {"kind": "mlp"}, "train": {"preference": "dpo"}}, tmp_path)
    assert open_predictor
