"""What the OpenAI routes answer: the objects that clients of that interface expect, and their pieces as they come."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from ...tasks.vocabulary import Vocabulary
from .openai_requests import Asked
from .refusal import Refused

DONE = b"data: [DONE]\n\n"


@dataclass
class Text:
    """State: one text as it grows: its tokens, the part of it that may be told, and why it ended."""

    vocabulary: Vocabulary
    stop: tuple[str, ...]
    tokens: list[int] = field(default_factory=list)
    logprobs: list[Any] = field(default_factory=list)
    text: str = ""
    told: int = 0
    reason: str | None = None

    def add(self, token: int, likely: Any) -> str:
        """Take one more token; return what may now be told: no half character, and nothing that may begin an end."""
        self.logprobs.append(likely)
        if token == self.vocabulary.end:
            # How likely it was is told; it is no part of the text.
            return ""
        self.tokens.append(token)
        self.text = self.vocabulary.decode(self.tokens)
        ends = [at for stop in self.stop if (at := self.text.find(stop)) >= 0]
        if ends:
            self.text, self.reason = self.text[: min(ends)], "stop"
            return self._tell(len(self.text))
        held = max((_overlap(self.text, stop) for stop in self.stop), default=0)
        if self.text.endswith("\ufffd"):
            held = max(held, 1)
        return self._tell(len(self.text) - held)

    def finish(self, reason: str) -> str:
        """End the text; return what has not been told yet."""
        self.reason = self.reason or reason
        return self._tell(len(self.text))

    def _tell(self, until: int) -> str:
        piece = self.text[self.told : max(self.told, until)]
        self.told = max(self.told, until)
        return piece


def _overlap(text: str, stop: str) -> int:
    """Return how many characters at the end of a text may be the beginning of a stop."""
    return next((size for size in range(min(len(text), len(stop) - 1), 0, -1) if stop.startswith(text[-size:])), 0)


def usage(prompt: int, written: int) -> dict[str, int]:
    """Return the counts of tokens."""
    return {"prompt_tokens": prompt, "completion_tokens": written, "total_tokens": prompt + written}


def completion_logprobs(vocabulary: Vocabulary, likely: list[Any], offset: int = 0) -> dict[str, Any]:
    """Return log-probabilities in the form of `/v1/completions`; None stands for a token that nothing stood before."""
    names = [vocabulary.name(item[0] if isinstance(item, tuple) else item.token) for item in likely]
    offsets = []
    for name in names:
        offsets.append(offset)
        offset += len(name)
    return {
        "tokens": names,
        "token_logprobs": [None if isinstance(item, tuple) else item.logprob for item in likely],
        "top_logprobs": [
            None if isinstance(item, tuple) else {vocabulary.name(token): value for token, value in item.best}
            for item in likely
        ],
        "text_offset": offsets,
    }


def chat_logprobs(vocabulary: Vocabulary, likely: list[Any]) -> dict[str, Any]:
    """Return log-probabilities in the form of `/v1/chat/completions`."""

    def one(token: int, logprob: float) -> dict[str, Any]:
        name = vocabulary.name(token)
        return {"token": name, "logprob": logprob, "bytes": list(name.encode())}

    return {
        "content": [
            {**one(item.token, item.logprob), "top_logprobs": [one(*pair) for pair in item.best]} for item in likely
        ],
        "refusal": None,
    }


def choice(chat: bool, index: int, text: Text, echoed: str, before: list[Any], asked: Asked) -> dict[str, Any]:
    """Return one whole answer."""
    written = text.logprobs if asked.logprobs >= 0 else []
    if chat:
        content = {"role": "assistant", "content": text.text, "refusal": None}
        logprobs = chat_logprobs(text.vocabulary, written) if asked.logprobs >= 0 else None
        return {"index": index, "message": content, "logprobs": logprobs, "finish_reason": text.reason}
    logprobs = completion_logprobs(text.vocabulary, [*before, *written]) if asked.logprobs >= 0 else None
    return {"index": index, "text": echoed + text.text, "logprobs": logprobs, "finish_reason": text.reason}


def piece(chat: bool, index: int, said: str, text: Text, since: int, asked: Asked, first: bool) -> dict[str, Any]:
    """Return a piece of an answer; `since` is the number of tokens that were told before."""
    likely = text.logprobs[since:]
    if chat:
        delta = {"role": "assistant", "content": said} if first else {"content": said} if said else {}
        logprobs = chat_logprobs(text.vocabulary, likely) if asked.logprobs >= 0 and likely else None
        return {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": text.reason}
    logprobs = completion_logprobs(text.vocabulary, likely) if asked.logprobs >= 0 and likely else None
    return {"index": index, "text": said, "logprobs": logprobs, "finish_reason": text.reason}


def event(data: dict[str, Any]) -> bytes:
    """Return one server-sent event."""
    return b"data: " + json.dumps(data, ensure_ascii=False, allow_nan=False).encode() + b"\n\n"


def failure(error: Refused) -> dict[str, Any]:
    """Return a refusal in the form that clients of this interface read."""
    kind = "invalid_request_error" if error.status < 500 else "server_error"
    return {"error": {"message": str(error), "type": kind, "param": error.field or None, "code": None}}
