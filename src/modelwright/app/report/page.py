"""The report page of a run: one file that needs nothing but itself, made by reading the run folder."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

from ...core.files import write_bytes
from ...core.run import Run
from . import bilingual, quantities
from .classes import view_classes
from .compression import view_compression
from .confusion import view_confusion
from .costs import view_costs
from .curves import view_training
from .diagnosis import view_diagnosis
from .examples import view_worst
from .explaining import view_explaining
from .fairness import view_fairness
from .feedback import view_feedback
from .layers import view_layers
from .lineage import view_lineage
from .listing import list_evidence, list_recipe
from .material import Material, read_material
from .metrics import compare_floors, group_metrics, list_methods, pick_headline, view_folds
from .planned import render_plan
from .privacy import view_privacy
from .profile import view_profile
from .reliability import view_reliability
from .restyled import view_augmented, view_restyled
from .security import view_security
from .sheet import view_sheet
from .timeline import view_timeline
from .tuning import view_tuning
from .verdict import judge_run
from .writing import view_writing

TEMPLATE, STYLE, SCRIPT = "page.html", "style.css", "script.js"


def write_report(run: Run, served: Path | None = None) -> Path:
    """Write `report.html` into the run folder; return where it lies. `served` is where the state of its release lies.

    Raises:
        DataError: there is no run in this folder.
    """
    path = run.folder / "report.html"
    write_bytes(path, render(read_material(run, served)).encode())
    return path


def render(material: Material) -> str:
    """Return the whole page, everything in it escaped unless we wrote it ourselves."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    here = files(__package__)
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.globals.update(
        say=bilingual.say,
        measure_name=bilingual.measure_name,
        short=quantities.short,
        style=Markup((here / STYLE).read_text(encoding="utf-8")),
        script=Markup((here / SCRIPT).read_text(encoding="utf-8")),
    )
    template = environment.from_string((here / TEMPLATE).read_text(encoding="utf-8"))
    return template.render(**_view(material))


def _view(material: Material) -> dict[str, Any]:
    """Return what each section of the page shows; nothing where the run has not come so far."""
    judged = material.claims("evaluate")
    evaluation = material.evaluation
    return {
        "name": material.name,
        "problems": material.problems,
        "release": {
            name: (material.recipe.get("release") or {}).get(name, "")
            for name in ("purpose", "limits", "owner", "approver", "licence")
        },
        "verdict": judge_run(material),
        "headline": pick_headline(judged, material.claim("validation_accuracy") or material.claim("validation_loss")),
        "facts": _facts(material),
        "groups": group_metrics([item for item in judged if item.n is not None or item.value is not None]),
        "methods": list_methods(judged),
        "folds": view_folds(evaluation, judged),
        "floors": compare_floors(evaluation, judged),
        "training": view_training(material.training),
        "diagnosis": view_diagnosis(material.training),
        "layers": view_layers(material.training),
        "costs": view_costs(material),
        "security": view_security(material),
        "confusion": view_confusion(evaluation),
        "reliability": view_reliability(evaluation.get("reliability")),
        "classes": view_classes(evaluation, judged),
        "feedback": view_feedback(material.feedback),
        "fairness": view_fairness(material.audit.get("fairness") or {}),
        "privacy": view_privacy(material.training, material.audit.get("privacy") or {}),
        "planned": render_plan(material.plan, {item.name: item for item in material.claims()}),
        "tuning": view_tuning(material.tuning, material.events),
        "explaining": view_explaining(material.explanation, material.explained),
        "compression": view_compression(material.compression),
        "worst": view_worst(evaluation, material.pictures),
        "augmented": view_augmented(material.trained),
        "restyled": view_restyled(evaluation, material.pictures, material.training),
        "writing": view_writing(evaluation),
        "sheet": view_sheet(material.sheet),
        "profile": view_profile(material.profile),
        "lineage": view_lineage(material),
        "recipe": list_recipe(material.recipe, material.resolved),
        "evidence": list_evidence(material),
        "timeline": view_timeline(material.events),
        "records": len(material.events),
    }


def _facts(material: Material) -> dict[str, str]:
    """Return the few numbers on top of the page; empty where they are not known."""
    rows = (material.sheet or {}).get("rows") or {}
    last = material.events[-1].time if material.events else None
    facts = dict.fromkeys(("parameters", "size", "training_seconds", "steps"), "")
    for name in facts:
        claim = material.claim(name)
        facts[name] = (
            quantities.quantity(claim.value, claim.unit) if claim is not None and claim.value is not None else ""
        )
    return {
        **facts,
        "examples": quantities.count(sum(rows.values())) if rows else "",
        **{part: quantities.count(rows.get(part, 0)) for part in ("train", "validation", "test")},
        "date": quantities.moment(last) if last else "",
        "digest": material.digest("model"),
    }
