"""Messages as one text, by the template that came with the model, which may read them and nothing else."""

from __future__ import annotations

from .refusal import bad


def render_chat(template: str, messages: list[dict[str, str]]) -> str:
    """Return the text that a model is asked to go on from.

    Raises:
        Refused: 400, the template does not take these messages.
    """
    from jinja2 import TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def refuse(said: str) -> None:
        raise bad("messages", said[:200], "messages that the model's template takes")

    # A template is a program of somebody else's: in the sandbox it reaches no attribute that could do anything.
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.globals["raise_exception"] = refuse
    try:
        return environment.from_string(template).render(messages=messages, add_generation_prompt=True)
    except TemplateError as error:
        raise bad("messages", f"the model's template fails: {error}"[:200], "messages that it takes") from None
