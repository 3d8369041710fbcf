"""What is stored of a search: every trial, the best edits, how much each key mattered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ...core.files import write_bytes, write_json
from ...core.randomness import derive_seed
from ...core.stage import EDITS
from .search import Search, Tried
from .settings import Tune

TRIALS, IMPORTANCE, SUMMARY = "trials.jsonl", "importance.json", "summary.json"
# With fewer finished trials than this a forest has nothing to learn from.
LEAST = 4


def write_results(folder: Path, search: Search, best: Tried, settings: Tune) -> None:
    """Write all results; nothing in them depends on the clock, so that equal searches have equal digests."""
    lines = [json.dumps(_line(trial), ensure_ascii=False, allow_nan=False) for trial in search.tried()]
    write_bytes(folder / TRIALS, ("\n".join(lines) + "\n").encode())
    write_json(folder / EDITS, best.edits)
    write_json(folder / IMPORTANCE, importance_of(search))
    write_json(
        folder / SUMMARY,
        {
            "measure": settings.goal.measure,
            "maximise": search.plan.maximise,
            "method": settings.method,
            "asked": settings.trials,
            "best": best.number,
        },
    )


def _line(trial: Tried) -> dict[str, Any]:
    outcome = trial.outcome
    return {
        "number": trial.number,
        "edits": trial.edits,
        "value": outcome.value,
        "state": outcome.state,
        "steps": outcome.steps,
        "epochs": outcome.epochs,
        "reason": outcome.reason,
    }


def importance_of(search: Search) -> dict[str, Any]:
    """Return the share of the variance between finished trials that each parameter explains by itself, or why it is not known.

    A parameter that exists only with one choice says nothing about the others, so only those of all trials are compared.

    Source: Hutter, Hoos and Leyton-Brown (2014), An Efficient Approach for Assessing Hyperparameter Importance (fANOVA).
    """
    import optuna

    finished = [trial for trial in search.tried() if trial.outcome.state == "finished"]
    if len(finished) < LEAST or len({trial.outcome.value for trial in finished}) < 2:
        return {"shares": {}, "reason": f"{len(finished)} finished trials are too few, or all have the same value"}
    seed = derive_seed(search.plan.seed, "importance") % 2**32
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=seed)
    shares = optuna.importance.get_param_importances(search.study, evaluator=evaluator)
    return {"shares": {name: round(share, 6) for name, share in shares.items()}, "reason": ""}
