"""What the OpenAI routes are asked, checked before anything is allocated: every field is read, or refused by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...tasks.chat import MESSAGES
from ...tasks.vocabulary import Vocabulary
from .refusal import bad, short
from .strict import number_of, read_object, text_of

# Answers to one prompt, texts that end an answer and their length, likely tokens that are told, prompts in one request.
MOST_ANSWERS, MOST_STOPS, LONGEST_STOP, MOST_LOGPROBS = 8, 4, 64, 5
MOST_CHAT_LOGPROBS = 20
DEFAULT_TOKENS = 16
# What clients send although it is not offered; only a value that changes nothing is let through.
NEUTRAL: dict[str, tuple[Any, ...]] = {
    "presence_penalty": (0, None),
    "frequency_penalty": (0, None),
    "logit_bias": (None, {}),
    "suffix": (None, ""),
    "best_of": (None, 1),
    "parallel_tool_calls": (None, False, True),
    "tools": (None, []),
    "store": (None, False),
}
IGNORED = ("user", "metadata", "safety_identifier")
COMMON = ("model", "max_tokens", "temperature", "top_p", "n", "stream", "stream_options", "stop", "seed")


@dataclass(frozen=True)
class Asked:
    """A request for texts: the tokens of each prompt and all that says how they go on."""

    prompts: tuple[tuple[int, ...], ...]
    count: int
    answers: int
    temperature: float
    nucleus: float
    # How many likely tokens are told at each place; -1: no log-probabilities at all.
    logprobs: int
    echo: bool
    stop: tuple[str, ...]
    stream: bool
    usage: bool
    seed: int | None


@dataclass(frozen=True)
class Limits:
    """How long texts of the model are, how long its longest token is in characters, and how many inputs one request may have."""

    model: str
    length: int
    longest_token: int
    inputs: int


def read_completion(body: bytes, vocabulary: Vocabulary, limits: Limits) -> Asked:
    """Read a request to `/v1/completions`.

    Raises:
        Refused: 400 or 404, naming the field.
    """
    found = _known(body, (*COMMON, "prompt", "logprobs", "echo"), limits)
    echo = _boolean(found, "echo")
    prompts = tuple(_prompts(found.get("prompt"), vocabulary, limits))
    # A prompt may be scored without being gone on from.
    count = _whole(found, "max_tokens", DEFAULT_TOKENS, 0 if echo else 1, limits.length)
    return _asked(found, prompts, count, _whole(found, "logprobs", -1, 0, MOST_LOGPROBS), echo, limits)


def read_chat(body: bytes, vocabulary: Vocabulary, limits: Limits, learnt: dict[str, Any]) -> Asked:
    """Read a request to `/v1/chat/completions`. A model that learnt conversations is given the template's tokens and no others.

    Raises:
        Refused: 400 or 404, naming the field.
    """
    from .chat import render_chat

    extra = ("messages", "logprobs", "top_logprobs", "max_completion_tokens")
    found = _known(body, (*COMMON, *extra), limits)
    if not learnt.get("template"):
        raise bad("model", "a model that was not made for conversations", "POST /v1/completions")
    text = render_chat(learnt["template"], _messages(found.get("messages"), limits), learnt.get("specials"))
    prompt = _encoded(text, "messages", vocabulary, limits, bare=bool(learnt.get(MESSAGES)))
    stated = "max_completion_tokens" if found.get("max_completion_tokens") is not None else "max_tokens"
    count = _whole(found, stated, max(1, limits.length - len(prompt)), 1, limits.length)
    top = _whole(found, "top_logprobs", 0, 0, MOST_CHAT_LOGPROBS)
    wanted = _boolean(found, "logprobs")
    if top and not wanted:
        raise bad("top_logprobs", str(top), "logprobs: true beside it")
    return _asked(found, (prompt,), count, top if wanted else -1, False, limits)


def read_embeddings(body: bytes, vocabulary: Vocabulary, limits: Limits) -> tuple[tuple[int, ...], ...]:
    """Read a request to `/v1/embeddings`; return the tokens of each input.

    Raises:
        Refused: 400 or 404, naming the field.
    """
    found = _known(body, ("model", "input", "encoding_format"), limits)
    if found.get("encoding_format", "float") not in ("float", "base64"):
        raise bad("encoding_format", short(found["encoding_format"]), "float or base64")
    return tuple(_prompts(found.get("input"), vocabulary, limits, field="input"))


def encoding_of(body: bytes) -> str:
    """Return how the numbers of embeddings are wanted."""
    return str(read_object(body).get("encoding_format", "float"))


def _known(body: bytes, known: tuple[str, ...], limits: Limits) -> dict[str, Any]:
    found = read_object(body)
    for name, value in found.items():
        if name in NEUTRAL and value in NEUTRAL[name]:
            continue
        if name in NEUTRAL:
            raise bad(name, short(value), "nothing: this is not offered")
        if name not in known and name not in IGNORED:
            raise bad(short(name)[1:-1], "an unknown field", f"one of {', '.join(known)}")
    model = found.get("model")
    if model != limits.model:
        raise bad("model", short(model) if model is not None else "the field is missing", limits.model)
    return found


def _asked(
    found: dict[str, Any], prompts: tuple[tuple[int, ...], ...], count: int, logprobs: int, echo: bool, limits: Limits
) -> Asked:
    answers = _whole(found, "n", 1, 1, MOST_ANSWERS)
    if answers * len(prompts) > limits.inputs:
        raise bad("n", f"{answers} answers to {len(prompts)} prompts", f"at most {limits.inputs} in all")
    for prompt in prompts:
        if len(prompt) + count > limits.length:
            found_words = f"{len(prompt)} tokens of prompt and {count} to come"
            raise bad("max_tokens", found_words, f"at most {limits.length} together")
    options = found.get("stream_options") or {}
    if not isinstance(options, dict) or set(options) - {"include_usage"}:
        raise bad("stream_options", short(options), "{include_usage: true or false}")
    stream = _boolean(found, "stream")
    if stream and echo:
        raise bad("echo", "true, with stream", "one of them")
    return Asked(
        prompts=prompts,
        count=count,
        answers=answers,
        temperature=_number(found, "temperature", 1.0, 0.0, 2.0),
        nucleus=_number(found, "top_p", 1.0, 0.0, 1.0) or 1e-9,
        logprobs=logprobs,
        echo=echo,
        stop=_stops(found.get("stop")),
        stream=stream,
        usage=bool(options.get("include_usage")),
        seed=_seed(found.get("seed")),
    )


def _prompts(value: Any, vocabulary: Vocabulary, limits: Limits, field: str = "prompt") -> list[tuple[int, ...]]:
    """Return the tokens of each prompt: a text, a list of texts, a list of tokens, or a list of such lists."""
    if isinstance(value, str):
        return [_encoded(value, field, vocabulary, limits)]
    if not isinstance(value, list) or not value:
        raise bad(
            field, "the field is missing" if value is None else short(value), "a text, or a list that is not empty"
        )
    if all(isinstance(item, int) and not isinstance(item, bool) for item in value):
        return [_tokens(value, field, vocabulary, limits)]
    if len(value) > limits.inputs:
        raise bad(field, f"{len(value)} of them", f"at most {limits.inputs}")
    found = []
    for number, item in enumerate(value):
        if isinstance(item, list):
            found.append(_tokens(item, f"{field}[{number}]", vocabulary, limits))
        else:
            found.append(_encoded(item, f"{field}[{number}]", vocabulary, limits))
    return found


def _encoded(value: Any, field: str, vocabulary: Vocabulary, limits: Limits, bare: bool = False) -> tuple[int, ...]:
    """Return the tokens of a text, behind the end that stands before every text that is not `bare`."""
    # What cannot fit however it is cut is refused before it is cut.
    text = text_of(value, field, limits.length * limits.longest_token)
    written = vocabulary.encode(text).tokens.tolist()
    tokens = tuple(written) if bare and written else (vocabulary.end, *written)
    if len(tokens) > limits.length:
        raise bad(field, f"{len(tokens)} tokens", f"at most {limits.length}")
    return tokens


def _tokens(value: list[Any], field: str, vocabulary: Vocabulary, limits: Limits) -> tuple[int, ...]:
    if not value or len(value) > limits.length:
        raise bad(field, f"{len(value)} tokens", f"1 to {limits.length}")
    for number, token in enumerate(value):
        if isinstance(token, bool) or not isinstance(token, int) or not 0 <= token < vocabulary.size:
            raise bad(f"{field}[{number}]", short(token), f"a token, 0 to {vocabulary.size - 1}")
    return tuple(value)


def _messages(value: Any, limits: Limits) -> list[dict[str, str]]:
    if not isinstance(value, list) or not value:
        raise bad("messages", "the field is missing" if value is None else short(value), "a list that is not empty")
    left = limits.length * limits.longest_token
    found = []
    for number, item in enumerate(value):
        where = f"messages[{number}]"
        if not isinstance(item, dict) or set(item) - {"role", "content", "name"}:
            raise bad(where, short(item), "an object with role and content")
        if item.get("role") not in ("system", "user", "assistant"):
            raise bad(f"{where}.role", short(item.get("role")), "system, user or assistant")
        content = text_of(item.get("content"), f"{where}.content", left)
        left -= len(content)
        found.append({"role": str(item["role"]), "content": content})
    return found


def _stops(value: Any) -> tuple[str, ...]:
    stops = [] if value is None else [value] if isinstance(value, str) else value
    if not isinstance(stops, list) or len(stops) > MOST_STOPS:
        raise bad(
            "stop", short(value) if not isinstance(value, list) else f"{len(value)} texts", f"at most {MOST_STOPS}"
        )
    found = tuple(text_of(text, f"stop[{number}]", LONGEST_STOP) for number, text in enumerate(stops))
    if not all(found):
        raise bad("stop", "an empty text", "texts")
    return found


def _seed(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
        raise bad("seed", short(value), "a whole number of 64 bits")
    return value % 2**63


def _boolean(found: dict[str, Any], field: str) -> bool:
    value = found.get(field)
    if value is None or isinstance(value, bool):
        return bool(value)
    raise bad(field, short(value), "true or false")


def _whole(found: dict[str, Any], field: str, otherwise: int, least: int, most: int) -> int:
    value = found.get(field)
    if value is None:
        return min(otherwise, most)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise bad(field, short(value), f"a whole number, {least} to {most}")
    return value


def _number(found: dict[str, Any], field: str, otherwise: float, least: float, most: float) -> float:
    value = found.get(field)
    if value is None:
        return otherwise
    number = number_of(value, field)
    if not least <= number <= most:
        raise bad(field, short(value), f"{least:g} to {most:g}")
    return number
