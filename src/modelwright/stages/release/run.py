"""Release: judge the gates, gather everything the model is answerable for into one folder, sign it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from ...core.artifact import manifest_of
from ...core.errors import GateFailed, Problem
from ...core.files import write_bytes, write_json
from ...core.gates import Verdict, judge, parse_gate
from ...core.stage import Context
from ...engine.golden import check_golden
from ...engine.predictor import open_predictor
from .card import about_this_model, model_card
from .costs import sums_of_costs
from .settings import Release
from .signature import sign, signing_key

DIGESTS, EVIDENCE, GATES, JOURNAL, RECIPE, SHEET, CARD = (
    "digests.json",
    "evidence.json",
    "gates.json",
    "journal.jsonl",
    "recipe.json",
    "datasheet.json",
    "README.md",
)


def run(context: Context) -> None:
    """Make the signed folder, if every gate holds.

    Raises:
        GateFailed: lists every gate that does not hold, and why.
    """
    settings: Release = context.settings
    model = context.inputs["model"]
    context.claim(*sums_of_costs(context))
    evidence = about_this_model(context)
    verdicts = judge([parse_gate(text) for text in settings.gates], evidence, {"model": model.digest})
    context.note("gates judged", model=model.digest, verdicts=[verdict.__dict__ for verdict in verdicts])
    failed = [verdict for verdict in verdicts if not verdict.passed]
    if failed:
        raise GateFailed.of(
            [
                Problem(
                    f"gate '{verdict.gate}' does not hold: {verdict.reason}",
                    "release",
                    next_step="improve the model or the evidence; no release was made",
                )
                for verdict in failed
            ]
        )
    # The file that will be served must answer as the trainer did, before anybody signs for it.
    difference = check_golden(model.path, open_predictor(model.path))
    key = signing_key(settings.key, context.recipe.base)
    folder = context.work / "release"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(model.path, folder)
    _write_papers(folder, context, verdicts, difference)
    (folder / "signer.pub").write_bytes(key.public_pem)
    write_json(folder / DIGESTS, {"model": model.digest, "files": manifest_of(folder)})
    sign(folder, key)
    context.give("release", folder)


def _write_papers(folder: Path, context: Context, verdicts: list[Verdict], difference: float) -> None:
    dataset, evaluation = context.inputs["dataset"].path, context.inputs["evaluation"].path
    evidence = [item.to_json() for item in about_this_model(context)]
    papers: dict[str, Any] = {
        RECIPE: context.recipe.resolved(),
        EVIDENCE: evidence,
        GATES: {"verdicts": [verdict.__dict__ for verdict in verdicts], "golden_difference": difference},
    }
    for name, content in papers.items():
        write_json(folder / name, content)
    shutil.copy(dataset / SHEET, folder / SHEET)
    shutil.copy(evaluation / "summary.json", folder / "evaluation.json")
    write_bytes(folder / JOURNAL, (context.folder / JOURNAL).read_bytes())
    write_bytes(folder / CARD, model_card(context).encode())
