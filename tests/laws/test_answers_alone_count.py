"""Of a conversation the answers are predicted, and no token of what was asked carries loss or gradient of its own."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch

from modelwright.core import registry
from modelwright.sources.rows import Rows
from modelwright.tasks.language import NOTHING
from modelwright.tasks.task import Batch, Examples, Task
from modelwright.tasks.vocabulary import Vocabulary

TEMPLATE = "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
SAID = [
    [("user", "what is red"), ("assistant", "a rose")],
    [("system", "be short"), ("user", "what is blue"), ("assistant", "sea"), ("user", "and"), ("assistant", "sky")],
    [("user", "what is green"), ("assistant", "a tree"), ("user", "thank you")],
    [("user", "what"), ("assistant", "n")],
]


def made(**settings: Any) -> tuple[Task, Examples, torch.nn.Module]:
    """Return the task, the examples and a small decoder for them."""
    stated = {"kind": "language", "tokens": "characters", "length": 160, "template": TEMPLATE, **settings}
    task: Task = registry.function_of("task", "language")(
        registry.settings_of("task", "language").model_validate(stated)
    )
    cells = [json.dumps([{"role": role, "content": content} for role, content in said]) for said in SAID]
    examples = task.examples(Rows({"messages": cells}, [f"made:{row}" for row in range(len(cells))], (), {}), None)
    model = {"kind": "decoder", "layers": 2, "width": 16, "heads": 2, "hidden": 24}
    torch.manual_seed(1)
    built = registry.function_of("model", "decoder")(
        registry.settings_of("model", "decoder").model_validate(model), examples.learnt
    )
    return task, examples, built


def gradient_of_logits(task: Task, network: Any, batch: Batch) -> torch.Tensor:
    """Return the gradient of the sum of all losses with respect to every logit of the batch."""
    kept: list[torch.Tensor] = []
    forward = network.forward

    def through_logits(targets: torch.Tensor | None = None, **inputs: Any) -> torch.Tensor:
        logits = forward(**inputs).detach().requires_grad_()
        kept.append(logits)
        assert targets is not None
        nats = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), targets.flatten(), reduction="none", ignore_index=NOTHING
        )
        return nats.view(targets.shape)

    network.forward = through_logits
    try:
        task.losses(network, batch).sum().backward()
    finally:
        network.forward = forward
    assert kept[0].grad is not None
    return kept[0].grad


@pytest.mark.parametrize("indices", [[0, 1, 2, 3], [1], [3, 0]])
def test_the_logits_of_a_prompt_have_no_gradient_and_those_of_an_answer_have(indices: list[int]) -> None:
    task, examples, network = made()
    batch = task.collate(examples, np.asarray(indices))
    touched = (gradient_of_logits(task, network, batch) != 0).any(dim=-1)
    vocabulary = Vocabulary(examples.learnt)
    found = []
    for example in range(len(indices)):
        own = batch.inputs["document"] == example if "document" in batch.inputs else torch.ones_like(touched)
        predicted = [int(token) for token, here in zip(batch.targets[own], touched[own], strict=True) if here]
        assert (batch.targets[own & ~touched] == NOTHING).all()
        found.append(vocabulary.decode(predicted))
    answers = ["".join(f"{text}\n" if role == "assistant" else "" for role, text in SAID[index]) for index in indices]
    # The template ends an answer with a line's end only; the last one is ended by the token that ends a text.
    assert [text.rstrip("\n") for text in found] == [text.rstrip("\n") for text in answers]
    assert task.sizes(batch).sum() == touched.sum()


def test_packing_changes_no_loss_of_an_answer() -> None:
    task, examples, network = made()
    together = task.losses(network, task.collate(examples, np.arange(4)))
    for index in range(4):
        alone = task.losses(network, task.collate(examples, np.asarray([index])))
        torch.testing.assert_close(together[index], alone[0], atol=2e-6, rtol=1e-5)


def test_each_answer_is_ended() -> None:
    task, examples, _ = made()
    end = examples.learnt["end"]
    tokens, counted = examples.columns["tokens"], examples.columns["counted"]
    for index in range(len(SAID)):
        assert tokens.row(index)[-1] == end, "nothing that is read after the last answer is of any use"
        assert counted.row(index)[-1] == 1
        assert examples.columns["predicted"][index] == counted.row(index).sum()
    assert task.render(examples, 0)["text"].startswith("user>what is red\n<assistant>a rose")


def test_the_law_notices_a_prompt_that_counts() -> None:
    task, examples, network = made()
    examples.columns["counted"].values[:] = 1
    batch = task.collate(examples, np.asarray([0]))
    assert bool((gradient_of_logits(task, network, batch) != 0).any(dim=-1)[0, 0])
