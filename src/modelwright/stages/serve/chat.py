"""Messages as one text, for a request: what the model's template does not take is refused."""

from __future__ import annotations

from collections.abc import Mapping

from ...tasks.conversation import TemplateRefuses, render
from .refusal import bad


def render_chat(template: str, messages: list[dict[str, str]], specials: Mapping[str, str] | None = None) -> str:
    """Return the text that a model is asked to go on from.

    Raises:
        Refused: 400, the template does not take these messages.
    """
    try:
        return render(template, messages, specials)
    except TemplateRefuses as error:
        raise bad("messages", str(error)[:200], "messages that the model's template takes") from None
