"""`init`: look at somebody's data and write a recipe for it that runs as it stands, with a comment at every choice."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

from ..core import registry
from ..core.errors import RecipeError
from ..core.files import write_bytes
from ..core.positions import parse_yaml
from ..core.recipe import recipe_from
from ..core.schema import LINE, schema_text

MODELS = {
    "image": ("{kind: cnn, channels: [32, 64, 64], padding: same, dropout: 0.2}", "also: mlp, linear"),
    "text": ("{kind: bag, dropout: 0.2}", "also: lstm, gru, rnn, transformer, convolution"),
    "tabular": ("{kind: mlp, hidden: [128, 64], dropout: 0.1}", "also: linear, boosting, tree"),
}
SAMPLES = {"digits": "image", "breast_cancer": "tabular", "wine": "tabular", "iris": "tabular"}

TEMPLATE = """\
{schema}# Written by `modelwright init` for {origin}. Change what you like; `modelwright check` says what is wrong.
version: 1
name: {name}
seed: 1                      # same recipe, same machine: same bytes
task: {task}
data: {data}
model: {model}  # {others}

prepare:
  split:
    test: 20 %               # opened once, by `evaluate`; a split that the data states itself is kept
    validation: 10 %         # decides when to stop and which weights are kept
    by: stratified           # also: random, grouped, time
  bad_rows: 1 %              # more unreadable rows than this stop the run

train:
  length: 10 epochs          # or: 500 steps
  batch: 64
  optimiser: {{kind: adam, lr: 1e-3}}
  schedule: {{kind: cosine, warm_up: 1 epochs}}
  early_stopping: {{measure: loss, patience: 4}}

evaluate:
  resamples: 1000            # bootstrap resamples behind every interval
  folds: 0                   # 5: cross-validation too, everything rebuilt in each fold

release:
  gates:                     # no release unless all of these hold
    - balanced_accuracy.lower_bound >= 0.5
  # Fill in these three before you release: training and evaluation run without them, a release does not.
  owner: ""                  # FILL IN: the person or team who answers for the model
  purpose: ""                # FILL IN: what it is for, in a sentence
  approver: ""               # FILL IN: the person who allows it to be released
  limits: ""                 # what it is not for, and where it is known to fail
"""


def write_recipe(
    data: Path | None, sample: str | None, target: str, out: Path, dry_run: bool
) -> tuple[Path, list[str]]:
    """Write a recipe (and its schema beside it); return its path and what was seen in the data.

    Raises:
        RecipeError: nothing to look at, or the recipe is there already.
        DataError: the data cannot be read.
    """
    if (data is None) == (sample is None):
        raise RecipeError(
            "found no data" if data is None else "found both data and --sample",
            where="init",
            expected="a file, a folder, or --sample digits",
        )
    if out.exists():
        raise RecipeError(
            "the file is there already", where=out, expected="a new file", next_step="choose another with --out FILE"
        )
    found = _look(data, target) if data is not None else _sample(str(sample))
    name = (data.stem if data else str(sample)).lower().replace(" ", "-") or "data"
    text = TEMPLATE.format(
        schema=LINE,
        origin=data or f"the sample {sample}",
        name="".join(letter for letter in name if letter.isascii() and (letter.isalnum() or letter in "-_."))
        or "recipe",
        task=found["task"],
        data=_flow(_relative(found["source"], out)),
        model=MODELS[found["task"]][0],
        others=MODELS[found["task"]][1],
    )
    recipe_from(parse_yaml(text, str(out)).data, out.parent, str(out))
    if not dry_run:
        write_bytes(out, text.encode())
        write_bytes(out.with_name("recipe.schema.json"), schema_text().encode())
    return out, [f"task: {found['task']}", f"data: {_flow(found['source'])}"]


def _look(data: Path, target: str) -> dict[str, Any]:
    found: dict[str, Any] = registry.function_of("action", "detect")(data)
    if target:
        found["source"]["label"] = target
    if found["task"] not in MODELS:
        raise RecipeError(
            f"this looks like data for the task '{found['task']}'",
            where=data,
            expected=f"data for one of {', '.join(MODELS)}",
            next_step="name the label column with --target NAME",
        )
    return found


def _sample(name: str) -> dict[str, Any]:
    if name not in SAMPLES:
        raise RecipeError(
            f"'{name}' is not a sample{registry.did_you_mean(name, list(SAMPLES))}",
            where="--sample",
            expected=f"one of {', '.join(SAMPLES)}",
        )
    return {"task": SAMPLES[name], "source": {"kind": "sample", "name": name}}


def _relative(source: dict[str, Any], out: Path) -> dict[str, Any]:
    """Paths in a recipe are relative to the recipe."""

    def move(path: str) -> str:
        return os.path.relpath(Path(path).resolve(), out.parent.resolve())

    path = source.get("path")
    if isinstance(path, dict):
        return {**source, "path": {part: move(file) for part, file in path.items()}}
    return {**source, "path": move(path)} if path else source


def _flow(source: dict[str, Any]) -> str:
    return yaml.safe_dump(source, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10_000).strip()
