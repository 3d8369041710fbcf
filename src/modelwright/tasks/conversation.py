"""Messages as one text, by the template that came with the model, and which pieces of that text are the answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

ROLES = ("system", "user", "assistant")
ANSWERS = "assistant"
Message = dict[str, str]


class TemplateRefuses(ValueError):
    """The template does not take these messages; the text says why."""


def render(
    template: str, messages: list[Message], specials: Mapping[str, str] | None = None, *, to_answer: bool = True
) -> str:
    """Return the messages as one text; `to_answer` ends it where the answer to them begins.

    `specials` are the texts of the tokens that templates ask for by name, such as `bos_token`.

    Raises:
        TemplateRefuses: the template does not take these messages, or is no template.
    """
    from jinja2 import TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def refuse(said: str) -> None:
        raise TemplateRefuses(said)

    # A template is a program of somebody else's: in the sandbox it reaches no attribute that could do anything.
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.globals["raise_exception"] = refuse
    try:
        return environment.from_string(template).render(
            messages=messages, add_generation_prompt=to_answer, **(specials or {})
        )
    except TemplateError as error:
        raise TemplateRefuses(f"the model's template fails: {error}") from None


def pieces(template: str, messages: list[Message], specials: Mapping[str, str] | None = None) -> list[tuple[str, bool]]:
    """Return the text of a conversation in pieces, each with whether it is an answer; joined they are the whole text.

    An answer is what the template adds to the text that asks for it, with whatever ends it.

    Raises:
        TemplateRefuses: the template does not take these messages, or rewrites what was said before an answer.
    """
    whole = render(template, messages, specials, to_answer=False)
    found: list[tuple[str, bool]] = []
    done = 0
    for number, message in enumerate(messages):
        if message["role"] != ANSWERS:
            continue
        asked = render(template, messages[:number], specials)
        answered = render(template, messages[: number + 1], specials, to_answer=False)
        if not (answered.startswith(asked) and whole.startswith(answered) and done <= len(asked)):
            raise TemplateRefuses("it changes earlier messages when later ones come, so answers cannot be told apart")
        found += [(whole[done : len(asked)], False), (whole[len(asked) : len(answered)], True)]
        done = len(answered)
    return [*found, (whole[done:], False)]


def read_messages(cell: Any) -> list[Message]:
    """Return the messages of a cell of a table: JSON, a list of objects with `role` and `content`.

    Raises:
        ValueError: it is something else.
    """
    value = json.loads(cell) if isinstance(cell, str) else cell
    if not isinstance(value, list) or not value:
        raise ValueError("no list of messages")
    for number, item in enumerate(value):
        if not isinstance(item, dict) or item.get("role") not in ROLES or not isinstance(item.get("content"), str):
            raise ValueError(
                f"message {number + 1} is not an object with a role ({', '.join(ROLES)}) and a text as content"
            )
    return [{"role": item["role"], "content": item["content"]} for item in value]
