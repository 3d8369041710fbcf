"""Interrupted in the middle of an epoch and resumed, every kind of training ends in the same bytes as undisturbed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelwright.core import registry
from modelwright.core.errors import Interrupted
from modelwright.core.run import Run

Tiny = Callable[..., Run]
SCHEDULES: dict[str, dict[str, Any]] = {"step": {"every": "4 steps"}, "exponential": {"every": "3 steps"}}
# torchao keeps 8-bit states only for tensors of 4096 entries and more.
LARGE = {"sections": {"model": {"kind": "mlp", "hidden": [64, 64]}}}

CASES: list[dict[str, Any]] = [
    *({"train__optimiser": {"kind": kind, "lr": 0.01}} for kind in registry.names("optimiser") if kind != "adamw8bit"),
    *({"train__schedule": {"kind": kind, **SCHEDULES.get(kind, {})}} for kind in registry.names("schedule")),
    {"train__schedule": {"kind": "plateau", "patience": 0, "threshold": 0.5}},
    *({"train__average": {"kind": kind}} for kind in ("ema",)),
    {"train__average": {"kind": "swa", "start": "25 %", "every": "1 steps"}},
    {"train__optimiser": {"kind": "adam", "lr": "auto"}},
    {"train__mixing": ["mixup", "label_smoothing"], "train__augment": {"shift": 0.1}, "train__workers": 2},
    {"train__micro_batch": 5, "train__clip_norm": 0.5, "train__clip_value": 0.1, "train__l1": 1e-3},
    {"train__sampler": "balanced", "train__objective": "focal"},
    {"train__precision": "bfloat16"},
    {"train__early_stopping": {"patience": 2}, "train__validate_every": "2 steps"},
    {"train__optimiser": {"kind": "adamw8bit"}, **LARGE},
]


def record(made: Run) -> dict[str, Any]:
    artifact = made.artifact("model")
    assert artifact is not None
    found: dict[str, Any] = json.loads((artifact.path / "training.json").read_text())
    return {**found, "digest": artifact.digest}


TEXTS = {
    "task": "text",
    "data": {"kind": "jsonl", "path": "texts.jsonl", "text": ["text"], "label": "label"},
    "model": {"kind": "lstm", "embedding": 4, "hidden": 6},
}
CASES.append({"sections": TEXTS, "train__sampler": "by_length"})


@pytest.fixture(autouse=True)
def texts(tmp_path: Path) -> None:
    lines = [
        {"text": f"{number} {number * 7}" + " good bad" * (1 + number % 9), "label": str(number % 3)}
        for number in range(150)
    ]
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.mark.parametrize("edits", CASES, ids=lambda edits: json.dumps(edits)[:70])
def test_interrupted_and_resumed_ends_in_the_same_bytes(tiny: Tiny, edits: dict[str, Any]) -> None:
    if edits.get("train__optimiser", {}).get("kind") == "adamw8bit":
        pytest.importorskip("torchao")
    edits = {"train__length": "12 steps", "train__save": {"every": "2 steps"}, **edits}
    stopped = False

    def stop_once(progress: Any) -> str:
        nonlocal stopped
        if progress.stage == "train" and progress.step == 7 and not stopped:
            stopped = True
            return "interrupt"
        return "go"

    with pytest.raises(Interrupted):
        tiny("train", on_progress=stop_once, **edits)
    resumed = tiny("train", **edits)
    assert any(item.event == "training resumed" for item in _journal(resumed))
    undisturbed = tiny("train", seed=1, name="other", **edits)
    assert record(resumed) == record(undisturbed)


def _journal(made: Run) -> list[Any]:
    from modelwright.core.journal import read_journal

    return list(read_journal(made.folder / "journal.jsonl"))
