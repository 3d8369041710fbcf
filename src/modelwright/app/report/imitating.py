"""The surrogate: how often it decides as the model, before and after pruning, and the rules or weights that people can read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from .axis import Axis
from .bilingual import say
from .quantities import count, percent, significant
from .whiskers import whisker

# Rules beyond these are in the artifact.
RULES_SHOWN = 60
VARIANTS = {"": "pruned", "before pruning": "before pruning"}


@dataclass(frozen=True)
class Rule:
    """One line of a tree: how deep it stands, its question, and the answer where it ends."""

    depth: int
    question: str
    answer: str
    share: str
    rows: str


@dataclass(frozen=True)
class Surrogate:
    """One model with its surrogate: rows of (name, fidelity, interval, size, drawing), then what can be read."""

    title: Markup
    kind: str
    reason: str
    note: Markup
    rows: tuple[tuple[Markup, str, str, str, Markup], ...]
    rules: tuple[Rule, ...]
    more: str
    weights: tuple[tuple[str, tuple[tuple[str, str, bool], ...]], ...]


def view_surrogates(items: list[Any]) -> tuple[Surrogate, ...]:
    """Return the surrogate of the model, and that of the model before it was compressed where there is one."""
    return tuple(_surrogate(item) for item in items if isinstance(item, dict))


def _surrogate(item: dict[str, Any]) -> Surrogate:
    kind, variants = str(item.get("kind", "")), item.get("variants") or {}
    whole = Axis(0.0, 1.0, (0.0, 0.5, 1.0))
    rules = (variants.get("") or {}).get("rules") or []
    note = (
        say(
            "Share of {n} validation examples on which the surrogate decides as the model; always the most frequent decision: {floor}.",
            n=count(item["n"]),
            floor=percent(item["floor"]),
        )
        if variants
        else Markup("")
    )
    return Surrogate(
        title=say("The model before compress" if item.get("whom") else "The model"),
        kind=kind,
        reason=str(item.get("reason", "")),
        note=note,
        rows=tuple(
            (
                say(VARIANTS.get(name, name)) if kind == "tree" else say("linear"),
                percent(found["fidelity"]),
                f"{percent(found['low'])} – {percent(found['high'])}",
                count(found["size"]),
                whisker(whole, found["fidelity"], found["low"], found["high"]),
            )
            for name, found in variants.items()
        ),
        rules=() if item.get("whom") else tuple(_rule(line) for line in rules[:RULES_SHOWN]),
        more=count(len(rules) - RULES_SHOWN) if len(rules) > RULES_SHOWN else "",
        weights=() if item.get("whom") else _weights((variants.get("") or {}).get("weights") or {}),
    )


def _rule(line: dict[str, Any]) -> Rule:
    answer = str(line.get("answer", ""))
    share = percent(line["share"]) if answer else ""
    depth = max(0, int(line.get("depth", 0)) - 1)
    return Rule(depth, str(line.get("question", "")), answer, share, count(line.get("rows") or 0))


def _weights(found: dict[str, Any]) -> tuple[tuple[str, tuple[tuple[str, str, bool], ...]], ...]:
    return tuple(
        (str(name), tuple((str(one["feature"]), significant(one["weight"]), one["weight"] > 0) for one in listed))
        for name, listed in found.items()
    )
