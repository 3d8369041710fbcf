"""The ledger: a line for every run that was planned and trained, in the folder that holds the runs."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Any

from ...core.files import read_json
from ...core.run import Run
from ...methods.planning.ledger import factor_of
from .prices import Range

FILE, PLAN = "plan-ledger.jsonl", "plan.json"


def machine_name() -> str:
    """Return what tells this kind of machine from others: processor architecture and cores that may be used."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return f"{platform.machine()} {cores} cores"


def read_ledger(runs: Path) -> list[dict[str, Any]]:
    """Return every line of the ledger of a folder of runs; one that was cut off by a kill is left out."""
    path = runs / FILE
    entries = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            entries.append(json.loads(line))
        except ValueError:
            continue
    return entries


def factor_here(run: Path) -> Range:
    """Return how much longer than planned past runs beside this one took on this machine."""
    return Range(*factor_of(read_ledger(run.parent), machine_name()))


def settle(folder: Path) -> dict[str, Any] | None:
    """Write down what was planned for a run and what it took, once for each model; return the line, if there is one."""
    run = Run(folder)
    records = run.current()
    if "plan" not in records or "train" not in records:
        return None
    artifact = run.artifact("plan")
    plan: dict[str, Any] = read_json(artifact.path / PLAN) if artifact else {}
    claims = {item.name: item.value for record in records.values() for item in record.evidence}
    steps, seconds = claims.get("steps"), claims.get("training_seconds")
    if not (plan.get("seconds") and plan["machine"] == "here" and steps and seconds):
        return None
    key = records["train"].key
    entry = {
        "train": key,
        "recipe": plan["recipe"],
        "machine": machine_name(),
        # A training that was stopped early took fewer steps than were planned.
        "planned_seconds": plan["seconds"]["value"] / plan["factor"] * steps / plan["facts"]["steps"],
        "seconds": seconds,
        "planned_joules": plan["joules"]["value"] * steps / plan["facts"]["steps"],
        "joules": claims.get("energy[train]"),
        "planned_peak_bytes": plan["estimate"],
    }
    if any(line.get("train") == key for line in read_ledger(folder.parent)):
        return entry
    with (folder.parent / FILE).open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(entry) + "\n")
    return entry
