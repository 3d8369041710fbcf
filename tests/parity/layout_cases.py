"""The cases of the parity of layouts, and the program that one of several processes runs: every case, one after the other."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from modelwright.core.crew import ALONE, Crew
from modelwright.core.errors import Interrupted
from modelwright.core.execute import run
from modelwright.core.recipe import recipe_from
from modelwright.core.stage import Answer, Progress

WORDS = (
    "the",
    "sun",
    "sea",
    "moon",
    "star",
    "hill",
    "home",
    "far",
    "near",
    "good",
    "bad",
    "went",
    "came",
    "up",
    "down",
)
SPLIT = {"split": {"test": 0.2, "validation": 0.2}}
# 24 examples in batches of 7: the last one of an epoch has 3, and in four processes one of them has none.
STEPS, BATCH = 5, 7
TEXT: dict[str, Any] = {
    "version": 1,
    "name": "parity",
    "seed": 1,
    "task": {"kind": "text"},
    "data": {"kind": "jsonl", "path": "rows.jsonl", "text": ["text"], "label": "label"},
    "model": {"kind": "transformer", "width": 8, "heads": 2, "layers": 4},
    "prepare": SPLIT,
    "train": {
        "length": f"{STEPS} steps",
        "batch": BATCH,
        "threads": 1,
        "workers": 0,
        "optimiser": {"kind": "sgd", "lr": 0.1, "momentum": 0.9},
        "save": {"every": f"{STEPS} steps"},
        "guard": {"then": "stop"},
    },
}
LANGUAGE: dict[str, Any] = {
    **TEXT,
    "task": {"kind": "language", "tokens": "characters", "length": 24},
    "data": {"kind": "jsonl", "path": "rows.jsonl", "text": ["text"], "label": ""},
    "model": {
        "kind": "decoder",
        "layers": 4,
        "width": 16,
        "heads": 4,
        "key_value_heads": 4,
        "hidden": 24,
        "query_key_norm": True,
        "attention_bias": True,
    },
}
# Pairs of answers, learnt by weights from outside over what these find of them.
PAIRS: dict[str, Any] = {
    **LANGUAGE,
    "task": {"kind": "language", "tokens": "characters", "length": 40},
    "data": {"kind": "jsonl", "path": "pairs.jsonl"},
    "model": {"kind": "open_weights", "path": "open"},
    # Sums over answers are large numbers: with the rate of the others, what is rounded in them would grow from step to step.
    "train": {
        **TEXT["train"],
        "preference": {"kind": "dpo", "beta": 0.1},
        "optimiser": {"kind": "sgd", "lr": 0.01, "momentum": 0.9},
    },
}
BASES = {"text": TEXT, "language": LANGUAGE, "pairs": PAIRS}
MANNERS: dict[str, dict[str, Any]] = {
    "plain": {},
    "clip": {"train.clip_norm": 0.05, "train.l1": 1e-3, "train.clip_value": 0.04},
    "accumulation": {"train.micro_batch": 2},
    "checkpointing": {"train.checkpointing": "blocks"},
    "lora": {"train.low_rank": {"kind": "lora", "rank": 2}},
    "group_robust": {"train.objective": {"kind": "group_robust", "column": "group", "step": 0.5}},
}
OF_TEXT = ("group_robust",)


def write_rows(folder: Path) -> None:
    """Write texts with labels and groups."""
    dice = np.random.default_rng(5)
    rows = [
        {
            "text": " ".join(dice.choice(WORDS, size=int(dice.integers(2, 9)))) + f" {number}",
            "label": "ab"[number % 2],
            "group": "xyz"[int(dice.integers(3))],
        }
        for number in range(40)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_open(folder: Path) -> None:
    """Write pairs of answers, and a folder of weights with room for their characters."""
    from modelwright.models.decoder import DecoderModel
    from modelwright.models.decoder_settings import Decoder
    from modelwright.models.llama_folder import write_folder

    dice = np.random.default_rng(6)
    rows = [
        {"prompt": f"{number}", "chosen": " ".join(dice.choice(WORDS, size=3)), "rejected": str(dice.choice(WORDS))}
        for number in range(40)
    ]
    (folder / "pairs.jsonl").write_text(
        "".join(json.dumps({**row, "prompt": f"say {row['prompt']}"}) + "\n" for row in rows)
    )
    shape = {name: value for name, value in LANGUAGE["model"].items() if name not in ("kind", "attention_bias")}
    torch.manual_seed(4)
    (folder / "open").mkdir()
    write_folder(folder / "open", DecoderModel(Decoder(**shape), 64, 40), end=0)


@dataclass(frozen=True)
class Case:
    """One training: what it is made from, where it lies, and after which step it is stopped, if it is."""

    base: str
    edits: dict[str, Any]
    place: str
    stop: int = 0


def train_one(case: Case, crew: Crew = ALONE) -> dict[str, Any]:
    """Train one case; return the running mean of the losses after each step, and where the weights lie."""
    losses: dict[int, float] = {}

    def hear(progress: Progress) -> Answer:
        if progress.stage == "train" and "loss" in progress.values:
            losses[progress.step] = progress.values["loss"]
        return "interrupt" if (progress.stage, progress.step) == ("train", case.stop) and case.stop else "go"

    place = Path(case.place)
    if not place.exists():
        place.mkdir(parents=True)
        write_rows(place)
        if case.base == "pairs":
            write_open(place)
    recipe = recipe_from(BASES[case.base], place)
    try:
        made = run(recipe.edited(case.edits) if case.edits else recipe, "train", hear, folder=place / "run", crew=crew)
    except Interrupted:
        return {"stopped": case.stop}
    artifact = made.artifact("model")
    assert artifact is not None
    claims = {item.name: item.value for item in made.evidence()}
    return {
        "losses": [losses[step] for step in sorted(losses)],
        "model": str(artifact.path),
        "digest": artifact.digest,
        "validation_loss": claims["validation_loss"],
        "processes": claims.get("processes", 1),
    }


def train_all(folder: Path, cases: dict[str, Case], processes: int) -> dict[str, dict[str, Any]]:
    """Train every case in so many processes, started once; return what each gave."""
    folder.mkdir(exist_ok=True)
    (folder / "cases.json").write_text(json.dumps({name: asdict(case) for name, case in cases.items()}))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {
        "WORLD_SIZE": str(processes),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": "1",
    }
    with ExitStack() as files:
        ranks = [
            subprocess.Popen(
                [sys.executable, __file__, str(folder)],
                env={**os.environ, **common, "RANK": str(rank)},
                stderr=files.enter_context((folder / f"rank-{rank}.err").open("w")),
            )
            for rank in range(processes)
        ]
        while any(process.poll() is None for process in ranks) and not any(process.poll() for process in ranks):
            time.sleep(0.02)
        for process in ranks:
            process.kill()
        codes = [process.wait() for process in ranks]
    errors = [(folder / f"rank-{rank}.err").read_text()[-3000:] for rank in range(processes)]
    assert codes == [0] * processes, "\n".join(errors)
    found: dict[str, dict[str, Any]] = json.loads((folder / "found.json").read_text())
    return found


def main(folder: Path) -> None:
    """Be one of the processes."""
    from modelwright.engine.crew import join

    crew = join(40.0)
    if crew.rank:
        crew.follow()
        return
    cases = json.loads((folder / "cases.json").read_text())
    found = {name: train_one(Case(**case), crew) for name, case in cases.items()}
    (folder / "found.json").write_text(json.dumps(found))
    crew.dismiss()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
