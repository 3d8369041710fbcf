"""The model card: Hugging Face metadata on top, evidence below, nothing that was not measured."""

from __future__ import annotations

from typing import Any

import yaml

from ...core.evidence import Evidence
from ...core.metering import is_cost
from ...core.stage import Context
from .costs import costs_of_stages

PIPELINES = {"image": "image-classification", "text": "text-classification", "tabular": "tabular-classification"}
HEADLINE = ("accuracy", "balanced_accuracy", "f1_macro", "roc_auc", "log_loss", "calibration_error")


def about_this_model(context: Context) -> list[Evidence]:
    """Return the evidence that goes with a model: none of it speaks of what the model was made from, but for what that cost."""
    model = context.inputs["model"].digest
    own = [item for item in context.gathered if item.about.get("model", model) == model and not is_cost(item)]
    return [*own, *costs_of_stages(context), *context.evidence]


def model_card(context: Context) -> str:
    """Write the card of the model that is being released."""
    settings: Any = context.settings
    claims = {item.name: item for item in about_this_model(context)}
    lines = [f"# {context.recipe.name}", "", settings.purpose or "No purpose was stated in the recipe.", ""]
    lines += ["## Who answers for it", "", settings.owner or "No owner was stated in the recipe.", ""]
    lines += ["## Limits", "", settings.limits or "No limits were stated in the recipe.", ""]
    lines += ["## Evidence", "", "| claim | value | interval | n | method |", "|---|---|---|---|---|"]
    lines += [_row(item) for item in claims.values() if item.value is not None]
    lines += [
        "",
        "Every number was measured by modelwright on the artefact with the model digest in `digests.json`.",
        "",
    ]
    lines += [
        "`golden/` holds a few examples of the validation part, with the trainer's answers, so that anybody can check this folder.",
        "",
    ]
    return _head(context, claims) + "\n".join(lines)


def _row(item: Evidence) -> str:
    interval = (
        f"{item.low:.4g} to {item.high:.4g} ({item.confidence:.0%})"
        if item.low is not None and item.high is not None and item.confidence
        else ""
    )
    return f"| {item.name} | {item.value:.6g} {item.unit} | {interval} | {item.n or ''} | {item.method} |"


def _head(context: Context, claims: dict[str, Evidence]) -> str:
    settings: Any = context.settings
    task: Any = context.recipe.sections["task"]
    pipeline = PIPELINES.get(task.kind, task.kind)
    measured = [{"type": name, "value": claims[name].value, "name": name} for name in HEADLINE if name in claims]
    result = {
        "task": {"type": pipeline},
        "dataset": {"name": context.recipe.name, "type": context.recipe.name, "split": "test"},
        "metrics": measured,
    }
    head: dict[str, Any] = {
        "library_name": "modelwright",
        "license": settings.licence,
        "pipeline_tag": pipeline,
        "tags": ["modelwright", task.kind],
        "model-index": [{"name": context.recipe.name, "results": [result]}],
    }
    if settings.languages:
        head["language"] = list(settings.languages)
    return f"---\n{yaml.safe_dump(head, sort_keys=False, allow_unicode=True)}---\n\n"
