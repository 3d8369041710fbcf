"""Hyperopt through the same door: its tree of Parzen estimators proposes, all else stays as it is."""

from __future__ import annotations

import math
from typing import Any

import optuna

from ...core.errors import MissingExtra
from .space import Choices, Fields, Fixed, Node, Range, Space, label_of


def propose(space: Space, study: optuna.Study, number: int, seed: int) -> dict[str, Any]:
    """Return what hyperopt would draw next, by the names of parameters, after the finished trials of a study.

    Raises:
        MissingExtra: hyperopt is not installed.
    """
    try:
        import hyperopt
        import numpy as np
    except ImportError as error:
        raise MissingExtra(
            "hyperopt is not installed",
            where="tune.method: hyperopt",
            expected="the extra 'hyperopt'",
            next_step="pip install 'modelwright[hyperopt]', or take method: tpe",
        ) from error
    expression = {key: _expression(node, key) for key, node in space}
    domain = hyperopt.base.Domain(lambda drawn: 0.0, expression)
    sign = -1.0 if study.direction == optuna.study.StudyDirection.MAXIMIZE else 1.0
    ranges = {name: node for key, node in space for name, node in _ranges(node, key)}
    trials = hyperopt.Trials()
    # What stopped early has a value, too: the last one before it was stopped.
    told = [trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished() and trial.values]
    trials.insert_trial_docs(
        [_document(trial, sign * trial.values[0], list(domain.params), domain.cmd) for trial in told]
    )
    trials.refresh()
    (proposed,) = hyperopt.tpe.suggest([number], domain, trials, seed % 2**31)
    values = {name: drawn[0] for name, drawn in proposed["misc"]["vals"].items() if len(drawn)}
    return {name: _number(np.asarray(value).item(), ranges.get(name)) for name, value in values.items()}


def _expression(node: Node, name: str) -> Any:
    from hyperopt import hp

    if isinstance(node, Fixed):
        return node.value
    if isinstance(node, Choices):
        options = [_expression(option, f"{name}[{label_of(node, at)}]") for at, option in enumerate(node.options)]
        return hp.choice(name, options)
    if isinstance(node, Fields):
        return {key: _expression(inner, f"{name}.{key}") for key, inner in node.items}
    # Half a step to either side, so that both ends of whole numbers are as likely as those between.
    low, high = (node.low - 0.5, node.high + 0.5) if node.whole else (node.low, node.high)
    if node.logarithmic:
        return hp.loguniform(name, math.log(low), math.log(high))
    return hp.uniform(name, low, high)


def _ranges(node: Node, name: str) -> list[tuple[str, Range]]:
    if isinstance(node, Range):
        return [(name, node)]
    if isinstance(node, Choices):
        inside = [(option, f"{name}[{label_of(node, at)}]") for at, option in enumerate(node.options)]
    else:
        inside = [(inner, f"{name}.{key}") for key, inner in node.items] if isinstance(node, Fields) else []
    return [found for part, place in inside for found in _ranges(part, place)]


def _number(value: Any, node: Range | None) -> Any:
    if node is None:
        return int(value)
    bounded = min(node.high, max(node.low, value))
    return round(bounded) if node.whole else float(bounded)


def _document(trial: Any, loss: float, names: list[str], command: Any) -> dict[str, Any]:
    """Return a finished trial as hyperopt keeps it."""
    return {
        "tid": trial.number,
        "spec": None,
        "result": {"status": "ok", "loss": loss},
        "misc": {
            "tid": trial.number,
            "cmd": command,
            "workdir": None,
            # Of what was not chosen there is no value.
            "idxs": {name: [trial.number] if name in trial.params else [] for name in names},
            "vals": {name: [trial.params[name]] if name in trial.params else [] for name in names},
        },
        "state": 2,
        "owner": None,
        "book_time": None,
        "refresh_time": None,
        "exp_key": None,
        "version": 0,
    }
