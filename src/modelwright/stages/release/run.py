"""Release: judge the gates, gather everything the model is answerable for into one folder, sign it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from ...core.artifact import manifest_of
from ...core.errors import GateFailed, Problem
from ...core.evidence import Evidence
from ...core.files import read_json, write_bytes, write_json
from ...core.gates import Verdict, judge, parse_gate
from ...core.scan import METHOD, require_clean
from ...core.stage import Context
from ...engine.golden import check_golden
from ...engine.predictor import open_predictor
from .age import age_of_audit
from .answerable import OVERRIDDEN, count_overrides, override_of
from .bom import BOM, bill_of_materials
from .card import about_this_model, data_sheet, model_card
from .costs import claims_of_data, sums_of_costs
from .settings import Release
from .signature import sign, signing_key

DIGESTS, EVIDENCE, GATES, JOURNAL, RECIPE, SHEET, PAGE, CARD = (
    "digests.json",
    "evidence.json",
    "gates.json",
    "journal.jsonl",
    "recipe.json",
    "datasheet.json",
    "DATASHEET.md",
    "README.md",
)


def run(context: Context) -> None:
    """Make the signed folder, if every gate holds.

    Raises:
        GateFailed: lists every gate that does not hold, and why.
    """
    settings: Release = context.settings
    model = context.inputs["model"]
    verdicts = _judge(context, model.digest)
    # The file that will be served must answer as the trainer did, before anybody signs for it.
    difference = check_golden(model.path, open_predictor(model.path))
    key = signing_key(settings.key, context.recipe.base)
    folder = context.work / "release"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(model.path, folder)
    _write_papers(folder, context, verdicts, difference)
    (folder / "signer.pub").write_bytes(key.public_pem)
    # What somebody will open must not be able to run: nobody signs before every file has been looked at.
    found = require_clean(folder)
    bill = bill_of_materials(context, about_this_model(context), found, manifest_of(folder))
    write_json(folder / BOM, bill)
    context.claim(
        Evidence("release_scan", 0, unit="files", n=found.files, about={"model": model.digest}, method=METHOD)
    )
    write_json(folder / DIGESTS, {"model": model.digest, "files": manifest_of(folder)})
    sign(folder, key)
    context.give("release", folder)


def _judge(context: Context, model: str) -> list[dict[str, Any]]:
    """Judge the gates; return the verdicts as plain data, with who overrides what.

    Raises:
        GateFailed: lists every gate that does not hold and that nobody answers for, and why.
    """
    settings: Release = context.settings
    gates = [parse_gate(text) for text in settings.gates]
    context.claim(*sums_of_costs(context), age_of_audit(context, model))
    # How many gates are overridden is a claim itself, which a gate may bound: hence first the others.
    others = [gate for gate in gates if gate.claim != OVERRIDDEN]
    first = judge(others, [*claims_of_data(context), *about_this_model(context)], {"model": model})
    overridden = sum(override_of(verdict, settings.overrides) is not None for verdict in first)
    context.claim(count_overrides(overridden, len(gates), {"model": model}))
    judged = judge(gates, [*claims_of_data(context), *about_this_model(context)], {"model": model})
    verdicts = [_with_override(context, verdict) for verdict in judged]
    context.note("gates judged", model=model, verdicts=verdicts)
    failed = [verdict for verdict in verdicts if not verdict["passed"] and "override" not in verdict]
    if failed:
        raise GateFailed.of([_refusal(verdict) for verdict in failed])
    return verdicts


def _refusal(verdict: dict[str, Any]) -> Problem:
    return Problem(
        f"gate '{verdict['gate']}' does not hold: {verdict['reason']}",
        "release",
        next_step="improve the model or the evidence; no release was made. Who answers for it all the same writes "
        "release.overrides with a name and a reason",
    )


def _with_override(context: Context, verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as plain data; who overrides it, and why, is logged first."""
    override = override_of(verdict, context.settings.overrides)
    if override is None:
        return verdict.__dict__
    context.note("gate overridden", gate=verdict.gate, found=verdict.reason, by=override.by, reason=override.reason)
    return {**verdict.__dict__, "override": {"by": override.by, "reason": override.reason}}


def _write_papers(folder: Path, context: Context, verdicts: list[dict[str, Any]], difference: float) -> None:
    dataset, evaluation = context.inputs["dataset"].path, context.inputs["evaluation"].path
    evidence = [item.to_json() for item in about_this_model(context)]
    papers: dict[str, Any] = {
        RECIPE: context.recipe.resolved(),
        EVIDENCE: evidence,
        GATES: {"verdicts": verdicts, "golden_difference": difference},
    }
    for name, content in papers.items():
        write_json(folder / name, content)
    shutil.copy(dataset / SHEET, folder / SHEET)
    shutil.copy(evaluation / "summary.json", folder / "evaluation.json")
    write_bytes(folder / JOURNAL, (context.folder / JOURNAL).read_bytes())
    sheet = read_json(dataset / SHEET)
    write_bytes(folder / PAGE, data_sheet(context.recipe.name, sheet, context.inputs["dataset"].digest).encode())
    write_bytes(folder / CARD, model_card(context, verdicts).encode())
