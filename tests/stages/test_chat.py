"""A small open-weights model of transformers, fine-tuned on conversations: in PEFT's layout, judged by choices, and served."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from edited_recipe import digest, path_of, run_edited

from modelwright.core.errors import DamagedArtifact, DataError, RecipeError
from modelwright.core.recipe import recipe_from
from modelwright.core.run import Run
from modelwright.engine.choosing import score_choices
from modelwright.engine.dataset import read_part
from modelwright.engine.predictor import open_predictor
from modelwright.stages.release.predict import predict
from modelwright.stages.release.verify import verify
from modelwright.tasks.vocabulary import Vocabulary

transformers = pytest.importorskip("transformers")
sys.path.insert(0, str(Path(__file__).parent))
from open_folder import TEMPLATE, write_conversations, write_open_model  # noqa: E402

# PEFT asks for what transformers no longer likes to be asked for.
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")

RECIPE: dict[str, Any] = {
    "version": 1,
    "name": "chat",
    "seed": 1,
    "task": {"kind": "language", "tokens": "hf:open", "length": 64},
    "data": {"kind": "jsonl", "path": "said.jsonl"},
    "model": {"kind": "open_weights", "path": "open"},
    "prepare": {"split": {"test": 0.2, "validation": 0.2, "by": "grouped", "column": "group"}},
    "train": {
        "length": "6 steps",
        "batch": 8,
        "threads": 1,
        "optimiser": {"kind": "adamw", "lr": 0.01},
        "low_rank": {"kind": "lora", "rank": 4, "targets": ["query", "value"], "full": "^$"},
    },
    "evaluate": {
        "resamples": 100,
        "floor": "none",
        "samples": {"count": 1, "tokens": 4},
        "choices": {"answers": ["ham", "spam"], "before": True},
    },
    "release": {"owner": "Ada", "purpose": "Tests.", "approver": "Grace"},
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chat")
    write_open_model(folder / "open")
    write_open_model(folder / "untied", seed=4, tie_word_embeddings=False)
    write_open_model(folder / "narrow", vocab_size=270)
    write_conversations(folder / "said.jsonl")
    return folder


def run_in(place: Path, name: str, until: str | None = None, **edits: Any) -> Run:
    return run_edited(RECIPE, place, place / "runs" / name, until, **edits)


@pytest.fixture(scope="module")
def whole(place: Path) -> Run:
    """The recipe, run once to its end; nobody may change it."""
    return run_in(place, "whole")


def ours(folder: Path) -> torch.nn.Module:
    network: torch.nn.Module = open_predictor(folder).network
    return network.eval()


TOKENS = torch.randint(0, 320, (3, 23), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("model", ["open", "untied"])
@pytest.mark.parametrize("full", ["^$", "^(head|norm)"])
def test_the_adapter_opens_in_peft_with_our_logits(place: Path, model: str, full: str) -> None:
    peft = pytest.importorskip("peft")
    low_rank = {"kind": "lora", "rank": 3, "scale": 5.0, "targets": ["query", "down"], "full": full}
    edits = {"model__path": model, "train__low_rank": low_rank}
    made = path_of(run_in(place, f"peft-{model}-{len(full)}", "train", **edits), "model")
    base = transformers.AutoModelForCausalLM.from_pretrained(place / model).eval()
    with torch.inference_mode():
        before = base(TOKENS).logits
        theirs = peft.PeftModel.from_pretrained(base, made / "adapter").eval()
        after = theirs(TOKENS).logits
        assert (after - before).abs().max() > 0.01, "nothing was learnt, so nothing is shown"
        torch.testing.assert_close(ours(made)(TOKENS), after, atol=1e-4, rtol=1e-4)
    said = json.loads((made / "adapter" / "adapter_config.json").read_text())
    assert said["base_model_name_or_path"] == model
    assert (said["r"], said["lora_alpha"]) == (3, 5.0)


def test_training_in_full_begins_with_their_weights(place: Path) -> None:
    made = run_in(place, "full", "train", train__low_rank="none", train__optimiser={"kind": "sgd", "lr": 1e-12})
    base = transformers.AutoModelForCausalLM.from_pretrained(place / "open").eval()
    with torch.inference_mode():
        torch.testing.assert_close(ours(path_of(made, "model"))(TOKENS), base(TOKENS).logits, atol=1e-5, rtol=1e-5)
    assert not (path_of(made, "model") / "adapter").exists()
    moved = run_in(place, "full-moved", "train", train__low_rank="none")
    assert digest(moved, "model") != digest(made, "model")


def test_the_prompt_is_theirs_and_only_answers_are_predicted(place: Path, whole: Run) -> None:
    test = read_part(path_of(whole, "dataset"), "test")
    vocabulary = Vocabulary(test.learnt)
    tokeniser = transformers.AutoTokenizer.from_pretrained(place / "open")
    lines = [json.loads(line) for line in (place / "said.jsonl").read_text().splitlines()]
    origins = (path_of(whole, "dataset") / "test" / "origins.txt").read_text().splitlines()
    several = 0
    for index, origin in enumerate(origins):
        messages = lines[int(origin.rpartition(":")[2]) - 1]["messages"]
        tokens, counted = (test.columns[name].row(index) for name in ("tokens", "counted"))
        text = tokeniser.apply_chat_template(messages, tokenize=False)
        assert vocabulary.decode(tokens[counted == 0].tolist()).count("assistant") == text.count("assistant")
        assert tokeniser.decode(tokens.tolist()) == text.removesuffix("\n")
        prompt = tokeniser.apply_chat_template(messages[:-1], add_generation_prompt=True, return_dict=False)
        assert tokens[: len(prompt)].tolist() == prompt
        answers = [item["content"] for item in messages if item["role"] == "assistant"]
        assert tokeniser.decode(tokens[counted == 1].tolist()) == "".join(f"{text}<|im_end|>" for text in answers)
        several += len(answers) > 1
    assert several


def test_choices_are_claimed_before_and_after(place: Path, whole: Run) -> None:
    claims = {item.name: item for item in whole.evidence()}
    for name in ("choice_accuracy", "choice_f1[spam]", "before[choice_accuracy]", "before[choice_f1[spam]]"):
        assert claims[name].status == "measured"
        assert claims[name].about["model"] == digest(whole, "model")
    test = read_part(path_of(whole, "dataset"), "test")
    base = transformers.AutoModelForCausalLM.from_pretrained(place / "open").eval()
    vocabulary = Vocabulary(test.learnt)
    choices = [vocabulary.encode(text).tokens.tolist() for text in ("ham", "spam")]
    predictions = path_of(whole, "predictions")
    theirs = np.load(predictions / "chosen_before.npy")
    for index in range(len(test)):
        tokens, counted = (test.columns[name].row(index).tolist() for name in ("tokens", "counted"))
        prompt = tokens[: max(place for place in range(1, len(counted)) if counted[place] > counted[place - 1])]
        for number, choice in enumerate(choices):
            with torch.inference_mode():
                logprobs = base(torch.tensor([[*prompt, *choice]])).logits[0].log_softmax(dim=-1)
            plain = sum(float(logprobs[len(prompt) - 1 + at, token]) for at, token in enumerate(choice))
            assert theirs[index, number] == pytest.approx(plain, abs=1e-4)
    right = np.load(predictions / "right.npy")
    share = float((theirs.argmax(axis=1) == right).mean())
    assert claims["before[choice_accuracy]"].value == pytest.approx(share)


def test_what_is_scored_here_is_what_a_harness_reads_over_http(whole: Run, tmp_path: Path) -> None:
    """A harness asks for `echo` and `logprobs` with token numbers and sums those of the continuation."""
    pytest.importorskip("fastapi")
    httpx = pytest.importorskip("httpx")
    sys.path.insert(0, str(Path(__file__).parent / "serve"))
    from served_release import served

    release = path_of(whole, "release")
    predictor = open_predictor(release)
    vocabulary = Vocabulary(predictor.learnt)
    prompt = vocabulary.encode("<|im_start|>user\nwin cash now<|im_end|>\n<|im_start|>assistant\n").tokens.tolist()
    choices = [vocabulary.encode(text).tokens.tolist() for text in ("ham", "spam", "see you tonight")]
    here = score_choices(predictor.network, [prompt], choices)[0]

    async def ask() -> list[Any]:
        async with served(release, tmp_path / "state", deadline_ms=120_000) as client:
            told = []
            for choice in choices:
                body = {"model": "chat", "prompt": [[*prompt, *choice]], "max_tokens": 0, "echo": True, "logprobs": 1}
                answer = await client.http.post("http://localhost/v1/completions", json=body)
                assert answer.status_code == 200, answer.text
                told.append(answer.json()["choices"][0]["logprobs"]["token_logprobs"])
            said = [{"role": "user", "content": "win cash now"}]
            body = {"model": "chat", "messages": said, "max_tokens": 5, "temperature": 0}
            told.append((await client.http.post("http://localhost/v1/chat/completions", json=body)).json())
            return told

    assert httpx
    *there, chat = asyncio.run(ask())
    for number, choice in enumerate(choices):
        assert sum(there[number][len(prompt) :]) == pytest.approx(here[number], abs=1e-4), choice
    # A conversation is the template's tokens and no others, here as in `predict`.
    assert chat["usage"]["prompt_tokens"] == len(prompt)
    (told,) = predict(release, ["win cash now"])
    assert told["text"].startswith(chat["choices"][0]["message"]["content"])


def test_the_release_verifies(whole: Run) -> None:
    release = path_of(whole, "release")
    assert verify(release)["golden_difference"] <= 1e-5
    assert (release / "adapter" / "adapter_model.safetensors").exists()


CHANGES: list[tuple[str, Any, str]] = [
    ("model.path", "untied", "model"),
    ("model.dropout", 0.3, "model"),
    ("train.low_rank.base", "int8", "model"),
    ("train.low_rank.base", "int4", "model"),
    ("train.low_rank.targets", ["query"], "model"),
    ("train.low_rank.full", "norm", "model"),
    ("task.length", 20, "dataset"),
    ("task.template", TEMPLATE.replace("user", "asker").replace("im_start|>assistant", "im_start|>teller"), "dataset"),
    ("evaluate.choices.before", False, "predictions"),
    ("evaluate.choices.answers", ["spam", "ham"], "predictions"),
    ("evaluate.choices.answers", [], "predictions"),
]


@pytest.mark.parametrize(("key", "value", "kind"), CHANGES, ids=lambda item: json.dumps(item)[:30].strip('"'))
def test_a_changed_key_changes_what_is_made(place: Path, whole: Run, key: str, value: Any, kind: str) -> None:
    if key == "task.template":
        value = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"
    until = {"dataset": "prepare", "model": "train", "predictions": "evaluate"}[kind]
    edits = {key: value}
    if key == "evaluate.choices.answers" and not value:
        edits["evaluate.choices.before"] = False
    made = run_in(place, "changed", until, **{name.replace(".", "__"): item for name, item in edits.items()})
    assert digest(made, kind) != digest(whole, kind)


def test_a_long_conversation_keeps_its_answer(place: Path) -> None:
    made = run_in(place, "short", "prepare", task__length=12)
    train = read_part(path_of(made, "dataset"), "train")
    assert max(len(train.columns["tokens"].row(index)) for index in range(len(train))) == 13
    assert all(train.columns["counted"].row(index)[-1] == 1 for index in range(len(train)))
    assert (train.columns["predicted"] >= 2).all()


REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"task.length": 100}, RecipeError, "the model was made for 96"),
    ({"model.path": "narrow"}, RecipeError, "and the model knows 270"),
    ({"evaluate.choices.answers": ["ham", "eggs"]}, DataError, "the answer is 'spam'"),
    ({"task.template": "{{ messages | length }}"}, DataError, "answers cannot be told apart"),
    ({"task.template": "{{ raise_exception('no system here') }}"}, DataError, "no system here"),
    ({"task.template": "{{ ''.__class__.__mro__ }}"}, DataError, "template fails"),
    ({"model.path": "nowhere"}, RecipeError, "nothing is there"),
]


@pytest.mark.parametrize(("edits", "family", "said"), REFUSED, ids=lambda item: str(item)[:30])
def test_what_does_not_fit_is_refused(place: Path, edits: dict[str, Any], family: type[Exception], said: str) -> None:
    with pytest.raises(family, match=said):
        run_in(place, "refused", **{name.replace(".", "__"): item for name, item in edits.items()})


def test_bad_conversations_are_named(place: Path) -> None:
    for bad, said in (
        ('{"messages": "hello"}', "this is no conversation"),
        ('{"messages": [{"role": "robot", "content": "x"}]}', "message 1"),
        ('{"messages": [{"role": "user", "content": "x"}]}', "nobody answers"),
    ):
        (place / "bad.jsonl").write_text(
            "".join(bad.replace("x", str(row)).replace("hello", str(row)) + "\n" for row in range(9))
        )
        with pytest.raises(DataError, match=said) as caught:
            run_in(place, "bad", "prepare", data__path="bad.jsonl", prepare__split={"test": 0.0, "by": "random"})
        assert "bad.jsonl:" in str(caught.value)


def test_before_needs_weights_from_outside(place: Path) -> None:
    with pytest.raises(RecipeError, match="begins with no weights from outside"):
        recipe_from(RECIPE, place).edited({"model": "decoder"})


def test_a_file_that_is_no_gguf_is_refused(place: Path) -> None:
    (place / "false.gguf").write_bytes(b"PK\x03\x04 and more")
    with pytest.raises(DamagedArtifact, match="begins with"):
        run_in(place, "false", "prepare", task__tokens="hf:false.gguf")


def test_a_model_that_knows_no_conversations_is_not_asked_for_choices(place: Path) -> None:
    rows = [json.dumps({"text": f"win cash {number}"}) for number in range(40)]
    (place / "texts.jsonl").write_text("\n".join(rows) + "\n")
    with pytest.raises(DataError, match="texts and no conversations"):
        run_in(place, "texts", data__path="texts.jsonl", prepare__split={"test": 0.2, "by": "random"})
