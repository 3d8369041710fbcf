"""The model card and the data sheet as pages: Hugging Face metadata on top, evidence below, nothing that was not measured."""

from __future__ import annotations

from typing import Any

import yaml

from ...core.evidence import Evidence
from ...core.metering import is_cost
from ...core.stage import Context
from .costs import costs_of_stages

PIPELINES = {
    "image": "image-classification",
    "text": "text-classification",
    "tabular": "tabular-classification",
    "language": "text-generation",
    "style": "image-to-image",
}
HEADLINE = ("accuracy", "balanced_accuracy", "f1_macro", "roc_auc", "log_loss", "calibration_error")
SUMMARY = ("energy", "carbon", "cpu_seconds")
LISTED = 20


def about_this_model(context: Context) -> list[Evidence]:
    """Return the evidence that goes with a model: none of it speaks of what the model was made from, but for what that cost."""
    model = context.inputs["model"].digest
    own = [item for item in context.gathered if item.about.get("model", model) == model and not is_cost(item)]
    return [*own, *costs_of_stages(context), *context.evidence]


def model_card(context: Context, verdicts: list[dict[str, Any]]) -> str:
    """Write the card of the model that is being released."""
    settings: Any = context.settings
    claims = {item.name: item for item in about_this_model(context)}
    lines = [f"# {context.recipe.name}", "", settings.purpose, ""]
    lines += ["## Who answers for it", "", f"Owner: {settings.owner}", "", f"Released by: {settings.approver}", ""]
    lines += ["## Limits", "", settings.limits or "No limits were stated in the recipe.", ""]
    lines += ["## Gates", "", *(_gate(verdict) for verdict in verdicts), ""]
    lines += ["" if verdicts else "No gate was asked for.", ""]
    lines += ["## Training data", "", "[DATASHEET.md](DATASHEET.md) says what the model learnt from.", ""]
    lines += ["## What it cost", "", *(_cost(claims[name]) for name in SUMMARY if name in claims), ""]
    lines += ["## Evidence", "", "| claim | value | interval | n | method |", "|---|---|---|---|---|"]
    lines += [_row(item) for item in claims.values() if item.value is not None]
    lines += [
        "",
        "Every number was measured or estimated by modelwright, as its row says, on the artefact with the model digest in "
        "`digests.json`.",
        "",
        "`golden/` holds a few examples of the validation part, with the trainer's answers, so that anybody can check this folder.",
        "",
    ]
    return _head(context, claims) + "\n".join(lines)


def _gate(verdict: dict[str, Any]) -> str:
    override = verdict.get("override")
    said = "holds" if verdict["passed"] else f"does not hold: {verdict['reason']}"
    if override:
        said += f". **Overridden by {_plain(override['by'])}**: {_plain(override['reason'])}"
    return f"- `{verdict['gate']}` {said}"


def _cost(item: Evidence) -> str:
    if item.value is None:
        return f"- {item.name}: not known, {item.reason}"
    between = f", between {item.low:.4g} and {item.high:.4g}" if item.low is not None and item.high is not None else ""
    return f"- {item.name}: {item.value:.4g} {item.unit}{between} ({item.status}; {item.method})"


def _row(item: Evidence) -> str:
    interval = f"{item.low:.4g} to {item.high:.4g}" if item.low is not None and item.high is not None else ""
    if interval and item.confidence:
        interval += f" ({item.confidence:.0%})"
    method = f"{item.method} ({item.status})" if item.status != "measured" else item.method
    return f"| {_plain(item.name)} | {item.value:.6g} {item.unit} | {interval} | {item.n or ''} | {_plain(method)} |"


def _plain(text: str) -> str:
    """Return a text of somebody else's such that it stays in its cell and makes no markup."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


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
    if (carbon := claims.get("carbon")) and carbon.value is not None:
        # Grams, as the hub has it.
        head["co2_eq_emissions"] = {"emissions": carbon.value, "source": f"{carbon.method}; {carbon.source}"}
    if settings.languages:
        head["language"] = list(settings.languages)
    return f"---\n{yaml.safe_dump(head, sort_keys=False, allow_unicode=True)}---\n\n"


def data_sheet(name: str, sheet: dict[str, Any], digest: str) -> str:
    """Write the data sheet of a dataset as a page, from what `prepare` found in it.

    Source: T. Gebru et al., Datasheets for Datasets (2021), the questions on composition and preprocessing that can be counted.
    """
    lines = [
        f"# Data of {name}",
        "",
        f"Dataset artefact `{digest}`. Counted by modelwright when the data was prepared.",
        "",
    ]
    lines += ["## Rows", "", "| part | rows | labels |", "|---|---|---|"]
    for part, rows in (sheet.get("rows") or {}).items():
        labels = (sheet.get("labels") or {}).get(part) or {}
        shown = ", ".join(f"{_plain(str(label))}: {count}" for label, count in list(labels.items())[:LISTED])
        more = f", and {len(labels) - LISTED} more" if len(labels) > LISTED else ""
        lines.append(f"| {part} | {rows} | {shown}{more} |")
    lines += ["", "## Files", "", "| file | SHA-256 |", "|---|---|"]
    files = list((sheet.get("files") or {}).items())
    lines += [f"| {_plain(file)} | `{digest}` |" for file, digest in files[:LISTED]]
    lines += [f"| and {len(files) - LISTED} more, in `datasheet.json` | |"] if len(files) > LISTED else []
    lines += ["", f"Columns: {', '.join(map(_plain, map(str, sheet.get('columns') or ()))) or 'not named'}.", ""]
    left_out, overlap = sheet.get("quarantined") or [], sheet.get("overlap") or {}
    lines += ["## What was left out", "", f"{len(left_out)} rows could not be read or used."]
    lines += [f"- {_plain(str(item.get('origin')))}: {_plain(str(item.get('reason')))}" for item in left_out[:LISTED]]
    between, policy = overlap.get("between_parts", 0), overlap.get("policy", "")
    lines += ["", f"{between} rows stood in two parts; the recipe says `{policy}`.", "", "## What looks suspicious", ""]
    lines += [f"- {_plain(str(item))}" for item in sheet.get("suspicious") or ["nothing was found"]]
    return "\n".join(lines) + "\n"
