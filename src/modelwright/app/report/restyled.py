"""Pictures: training pictures as augmentation changes them; those in another style, and the film of a few over the training."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from .bilingual import say
from .examples import read_picture, type_of

AUGMENTED = "augmented.png"
COLUMNS = {
    "content": "content 内容",
    "output": "output 输出",
    "style": "style 风格",
    "copy": "copy 原图",
    "mean_colour": "mean colour 平均颜色",
    "nearest": "nearest 最近的风格图",
}


@dataclass(frozen=True)
class Shown:
    """One picture of the page, what stands beside it, and its title."""

    source: str
    words: Markup
    title: str


def view_restyled(evaluation: dict[str, Any], folder: Path, training: dict[str, Any]) -> tuple[Shown, ...]:
    """Return the pictures of a generator; of any other model, none."""
    found = []
    named = evaluation.get("pictures")
    for name, columns in named.items() if isinstance(named, dict) else ():
        content = read_picture(folder, name)
        if not content:
            continue
        steps = ", ".join(str(step) for step in training.get("film") or [])
        words = (
            say("Test pictures; columns from left to right: {columns}.", columns=_listed(columns))
            if columns
            else say("Validation pictures, a row each: as they are, then after step {steps}.", steps=steps)
        )
        found.append(Shown(_source(content), words, str(name)))
    return tuple(found)


def view_augmented(folder: Path) -> tuple[Shown, ...]:
    """Return the contact sheet of a training that changes its pictures; of any other, nothing."""
    content = read_picture(folder, AUGMENTED)
    words = say("Training pictures, a row each: as they are, then as augmentation changed them.")
    return (Shown(_source(content), words, AUGMENTED),) if content else ()


def _source(content: bytes) -> str:
    return f"data:{type_of(content)};base64,{base64.b64encode(content).decode()}"


def _listed(columns: Any) -> str:
    return ", ".join(COLUMNS.get(str(name), str(name)) for name in columns)
