"""From rows of the table of compression to evidence: of each step under its name, and of the model that is left."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ...core.evidence import Evidence, not_applicable

PAIRED = "on the same validation examples, paired bootstrap"
COST = "a thousand answers, in batches of 256"


def claims_of_step(row: dict[str, Any], dataset: str) -> list[Evidence]:
    """Return the evidence about the model after one step, such as `compress[2:quantise][accuracy]`."""
    about = {"model": row["model"], "dataset": dataset}
    found = [item for item in _metrics(row, about) if "[" not in item.name] + _costs(row, about)
    if "to_before" in row:
        against, whom = row["to_before"], "the model before the step"
        found += _against(against, about, whom)
        found += _latency_ratios(row, about, "before")
        slices = {**{f"class={name}": item for name, item in against["classes"].items()}, **against["groups"]}
        counts = {**{f"class={name}": item["n"] for name, item in row["classes"].items()}, **_counts(row["groups"])}
        found += [
            _change(f"{key}_change[{name}]", value, counts[name], about, whom)
            for name, item in slices.items()
            for key, value in item.items()
        ]
        found += _gap_changes(against, about, whom)
    return [_renamed(item, row["name"]) for item in found]


def claims_of_model(row: dict[str, Any], dataset: str) -> list[Evidence]:
    """Return the evidence about the model that is left, against the one that was trained."""
    about = {"model": row["model"], "dataset": dataset}
    against, whom = row["to_first"], "the model that was trained"
    measured = {item.name: item for item in _metrics(row, about)}
    found = [
        replace(measured["accuracy"], name="validation_accuracy"),
        replace(measured["log_loss"], name="validation_loss"),
        Evidence("parameters", row["parameters"], unit="parameters", about=about, method="counted"),
        *_costs(row, about),
        *_against(against, about, whom),
        *_latency_ratios(row, about, "first"),
        *_gap_changes(against, about, whom),
    ]
    for kind in ("class", "group"):
        slices = against["classes" if kind == "class" else "groups"]
        if slices:
            worst = min(slices, key=lambda name: slices[name]["accuracy"])
            count = row["classes" if kind == "class" else "groups"][worst]["n"]
            found.append(
                Evidence(
                    f"worst_{kind}_change",
                    slices[worst]["accuracy"],
                    unit="fraction",
                    n=count,
                    about=about,
                    method=f"accuracy on the validation examples of '{worst}', which lost most, against {whom}",
                )
            )
    return found


def claims_of_generator(row: dict[str, Any], first: dict[str, Any], dataset: str) -> list[Evidence]:
    """Return the evidence about an exported generator, against the one that was trained."""
    about, whom = {"model": row["model"], "dataset": dataset}, "the model that was trained"
    spent, spent_before = row["cost"]["joules"], first["cost"]["joules"]
    energy = spent_before / spent if spent and spent_before else None
    method = f"largest difference from {whom} at any pixel of validation pictures of three sizes, -1 to 1"
    return [
        Evidence("export_difference", row["facts"]["parity"], about=about, method=method),
        Evidence("parameters", row["parameters"], unit="parameters", about=about, method="counted"),
        *_costs(row, about),
        *_ratios(first["bytes"] / row["bytes"], energy, about, whom),
        *_latency_ratios(row, about, "first"),
    ]


def _ratios(size: float, energy: float | None, about: dict[str, str], whom: str) -> list[Evidence]:
    return [
        Evidence("size_ratio", size, about=about, method=f"bytes of {whom}, in bytes of this one"),
        not_applicable("energy_ratio", "nothing tells the energy of both models", **about)
        if energy is None
        else Evidence("energy_ratio", energy, about=about, method=f"joules of {whom}, in joules of this one"),
    ]


def _metrics(row: dict[str, Any], about: dict[str, str]) -> list[Evidence]:
    claims = [Evidence.from_json(item) for item in row["metrics"].values()]
    return [replace(item, about=about, method=f"validation part, {item.method}") for item in claims]


def _costs(row: dict[str, Any], about: dict[str, str]) -> list[Evidence]:
    cost = row["cost"]
    found = [
        Evidence("size", row["bytes"], unit="bytes", about=about, method="bytes of the weights file"),
        Evidence(
            "answering_cpu_seconds",
            cost["cpu_seconds"],
            unit="seconds",
            about=about,
            method=f"CPU time of all threads for {COST}",
        ),
        not_applicable("answering_energy", cost["reason"], **about)
        if cost["joules"] is None
        else Evidence(
            "answering_energy",
            cost["joules"],
            unit="joules",
            low=cost["low"],
            high=cost["high"],
            about=about,
            method=f"{COST}; {cost['method']}",
            source=cost["source"],
            status="measured" if cost["measured"] else "estimated",
        ),
    ]
    for batch, latency in row["latency"].items():
        method = f"examples to answers, {batch} at once, in turn with the other models"
        found += [
            Evidence(
                f"latency_{name}[{batch}]", latency[name], unit="seconds", n=latency["n"], about=about, method=method
            )
            for name in ("p50", "p99")
        ]
    return found


def _against(against: dict[str, Any], about: dict[str, str], whom: str) -> list[Evidence]:
    change = against["accuracy_change"]
    return [
        *_ratios(against["size_ratio"], against["energy_ratio"], about, whom),
        Evidence(
            "agreement",
            against["agreement"],
            unit="fraction",
            n=change["n"],
            about=about,
            method=f"share of validation examples decided as by {whom}",
        ),
        Evidence(
            "accuracy_change",
            change["value"],
            unit="fraction",
            low=change["low"],
            high=change["high"],
            confidence=change["confidence"],
            n=change["n"],
            about=about,
            method=f"accuracy less that of {whom} {PAIRED}, {change['resamples']} resamples",
        ),
    ]


def _latency_ratios(row: dict[str, Any], about: dict[str, str], whom: str) -> list[Evidence]:
    method = f"median time of the model {'trained' if whom == 'first' else whom}, in median times of this one; measured in turn"
    return [
        Evidence(f"latency_ratio[{batch}]", latency[f"ratio_to_{whom}"], n=latency["n"], about=about, method=method)
        for batch, latency in row["latency"].items()
    ]


def _gap_changes(against: dict[str, Any], about: dict[str, str], whom: str) -> list[Evidence]:
    return [
        _change(f"gap_change[{column}][{name}]", value, None, about, whom)
        for column, gaps in against["gaps"].items()
        for name, value in gaps.items()
    ]


def _change(name: str, value: float, count: int | None, about: dict[str, str], whom: str) -> Evidence:
    method = f"validation examples, less the number of {whom}"
    return Evidence(name, value, unit="fraction", n=count, about=about, method=method)


def _counts(slices: dict[str, Any]) -> dict[str, int]:
    return {name: item["n"] for name, item in slices.items()}


def _renamed(item: Evidence, step: str) -> Evidence:
    base, bracket, rest = item.name.partition("[")
    return replace(item, name=f"compress[{step}][{base}]{bracket}{rest}")
