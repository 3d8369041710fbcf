"""From rows of the table of compression to evidence: of each step under its name, and of the model that is left."""

from __future__ import annotations

from typing import Any

from ...core.evidence import Evidence

UNITS = {"accuracy": "fraction", "calibration_error": "fraction", "log_loss": "nats"}
PAIRED = "on the same validation examples, paired bootstrap"


def claims_of_step(row: dict[str, Any], dataset: str) -> list[Evidence]:
    """Return the evidence about the model after one step, such as `compress[2:quantise][accuracy]`."""
    about = {"model": row["model"], "dataset": dataset}
    found = [
        _estimate(name, row[name], unit, about, "validation part, bootstrap") for name, unit in UNITS.items()
    ] + _costs(row, about)
    if "to_before" in row:
        against = row["to_before"]
        found += _against(against, about, "the model before the step")
        found += [
            Evidence(
                f"latency_ratio[{batch}]",
                latency["ratio_to_before"],
                n=latency["n"],
                about=about,
                method=_ratio("before"),
            )
            for batch, latency in row["latency"].items()
        ]
        slices = {**{f"class={name}": item for name, item in against["classes"].items()}, **against["groups"]}
        found += [
            Evidence(
                f"accuracy_change[{name}]",
                item["change"],
                unit="fraction",
                n=item["n"],
                about=about,
                method="validation examples of this slice, against the model before the step",
            )
            for name, item in slices.items()
        ]
    return [_renamed(item, row["name"]) for item in found]


def claims_of_model(row: dict[str, Any], dataset: str) -> list[Evidence]:
    """Return the evidence about the model that is left, against the one that was trained."""
    about = {"model": row["model"], "dataset": dataset}
    against = row["to_first"]
    found = [
        _estimate("validation_accuracy", row["accuracy"], "fraction", about, "validation part, bootstrap"),
        _estimate("validation_loss", row["log_loss"], "nats", about, "validation part, bootstrap"),
        Evidence("parameters", row["parameters"], unit="parameters", about=about, method="counted"),
        *_costs(row, about),
        *_against(against, about, "the model that was trained"),
    ]
    found += [
        Evidence(
            f"latency_ratio[{batch}]", latency["ratio_to_first"], n=latency["n"], about=about, method=_ratio("trained")
        )
        for batch, latency in row["latency"].items()
    ]
    for kind in ("class", "group"):
        slices = against["classes" if kind == "class" else "groups"]
        if slices:
            worst = min(slices, key=lambda name: slices[name]["change"])
            found.append(
                Evidence(
                    f"worst_{kind}_change",
                    slices[worst]["change"],
                    unit="fraction",
                    n=slices[worst]["n"],
                    about=about,
                    method=f"accuracy on the validation examples of '{worst}', which lost most, against the model that was trained",
                )
            )
    return found


def _costs(row: dict[str, Any], about: dict[str, str]) -> list[Evidence]:
    found = [
        Evidence("size", row["bytes"], unit="bytes", about=about, method="bytes of the weights file"),
        Evidence(
            "cpu_seconds",
            row["cpu_seconds"],
            unit="seconds",
            about=about,
            method="CPU time of all threads for 1000 answers, in batches of 256",
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
        Evidence("size_ratio", against["size_ratio"], about=about, method=f"bytes of {whom}, in bytes of this one"),
        Evidence(
            "agreement",
            against["agreement"],
            unit="fraction",
            n=change["n"],
            about=about,
            method=f"share of validation examples decided as by {whom}",
        ),
        _estimate("accuracy_change", change, "fraction", about, f"accuracy less that of {whom} {PAIRED}"),
    ]


def _ratio(whom: str) -> str:
    return f"median time of the model {whom}, in median times of this one; measured in turn"


def _estimate(name: str, found: dict[str, Any], unit: str, about: dict[str, str], method: str) -> Evidence:
    return Evidence(
        name,
        found["value"],
        unit=unit,
        low=found["low"],
        high=found["high"],
        confidence=found["confidence"],
        n=found["n"],
        about=about,
        method=f"{method}, {found['resamples']} resamples",
    )


def _renamed(item: Evidence, step: str) -> Evidence:
    base, bracket, rest = item.name.partition("[")
    return Evidence(**{**item.__dict__, "name": f"compress[{step}][{base}]{bracket}{rest}"})
