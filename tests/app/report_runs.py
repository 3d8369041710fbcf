"""Run folders as the core writes them, made by hand, with hostile text wherever text can stand."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from modelwright.core.artifact import store
from modelwright.core.evidence import Evidence
from modelwright.core.files import write_json
from modelwright.core.journal import Journal
from modelwright.core.run import Record, Run

HOSTILE = "<script>alert('1')</script>\"&"
CLASSES = ["cat", HOSTILE, "dog {x}"]
# The smallest PNG: one black pixel.
PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==")
STAGES = ("prepare", "train", "evaluate", "release")
GATES = ["accuracy.lower_bound >= 0.7", "latency.value <= 20 ms"]


class RunMaker:
    """State: a run folder that grows stage by stage, as the core would write it."""

    def __init__(self, folder: Path, recipe: dict[str, Any] | None = None) -> None:
        self.run = Run(folder)
        for place in (self.run.shelf, self.run.records):
            place.mkdir(parents=True)
        self.journal = Journal(folder / "journal.jsonl", self.run.witness)
        base = {
            "version": 1,
            "name": "pets",
            "seed": 1,
            "train": {"threads": "auto"},
            "release": {"gates": GATES, "purpose": HOSTILE},
        }
        self.run.update(
            recipe=recipe or base,
            base=str(folder),
            resolved={"train.threads": {"value": 2, "why": "the cores this process may use"}},
        )
        self.journal.append("run started", recipe="0" * 64, stages=list(STAGES))
        self.outputs: dict[str, str] = {}

    def stage(self, name: str, contents: dict[str, dict[str, Any]], evidence: list[Evidence]) -> None:
        key = name * 10
        self.journal.append("stage started", stage=name, key=key, inputs=self.outputs)
        given = {}
        for kind, content in contents.items():
            filled = self.run.folder / f"filled-{kind}"
            filled.mkdir()
            for file, data in content.items():
                (filled / file).write_bytes(data) if isinstance(data, bytes) else write_json(filled / file, data)
            given[kind] = store(filled, kind, self.run.shelf).digest
        self.outputs = {**self.outputs, **given}
        record = Record(name, key, given, tuple(evidence), 1.25, 1.1)
        write_json(self.run.record_path(name, key), record.to_json())
        self.run.update(current={**self.run.state()["current"], name: key})
        self.journal.append("stage finished", stage=name, key=key, outputs=given, seconds=1.25)

    def judge(self, *passed: bool) -> None:
        verdicts = [
            {"gate": GATES[0], "passed": passed[0], "found": 0.7123, "reason": ""},
            {
                "gate": GATES[1],
                "passed": passed[1],
                "found": None,
                "reason": "there is no evidence called 'latency' about this model",
            },
        ]
        self.journal.append("gates judged", model=self.outputs["model"], verdicts=verdicts)


def prepared(made: RunMaker) -> None:
    sheet = {
        "files": {HOSTILE: "ab" * 32},
        "columns": ["image", HOSTILE],
        "rows": {"train": 12345, "validation": 200, "test": 400},
        "labels": {"train": {"cat": 12000, HOSTILE: 345}, "validation": {"cat": 200}, "test": {"cat": 400}},
        "quarantined": [{"origin": f"{HOSTILE}:7", "reason": "it is torn"}],
        "overlap": {
            "between_parts": 3,
            "policy": "drop",
            "dropped_from_train": 3,
            "examples": [{"kind": "exact", "parts": ["train", "test"], "origins": ["a:1", "b:2"]}],
        },
        "suspicious": ["id: an identifier"],
    }
    made.stage("prepare", {"dataset": {"datasheet.json": sheet}}, [Evidence("rows[train]", 12345, unit="rows")])
    made.journal.append("row quarantined", origin=f"{HOSTILE}:7", reason="it is torn")


def trained(made: RunMaker) -> None:
    points = [(10, 2.5, 2.0, 0.5), (20, 0.03, 0.4, 0.9), (30, 0.02, 0.45, 0.8)]
    record = {
        "loss": [{"step": step, "loss": loss} for step, loss, _, _ in points],
        "validation": [{"step": step, "loss": loss, "accuracy": accuracy} for step, _, loss, accuracy in points],
        "kept_step": 20,
        "skipped_steps": 0,
    }
    claims = [
        Evidence("validation_accuracy", 0.8765, n=200),
        Evidence("parameters", 72842, unit="parameters"),
        Evidence("size", 292192, unit="bytes"),
        Evidence("training_seconds", 8.16601, unit="seconds"),
        Evidence("steps", 30, unit="steps"),
    ]
    made.stage("train", {"model": {"training.json": record}}, claims)


FLOOR = Evidence("accuracy", 0.33333, "fraction", 0.30303, 0.36363, 0.95, 400)


def judged_claims() -> list[Evidence]:
    def measured(name: str, value: float, low: float, high: float, unit: str = "fraction") -> Evidence:
        return Evidence(name, value, unit, low, high, 0.95, 400, "percentile bootstrap, 1000 resamples", "a source")

    return [
        measured("accuracy", 0.73214, 0.71231, 0.75009),
        measured("f1_macro", 0.61616, 0.51515, 0.71717),
        measured("precision_micro", 0.6, 0.5, 0.7),
        measured("log_loss", 0.83838, 0.72727, 0.94949, "nats"),
        measured("calibration_error", 0.0123456, 0.001, 0.02),
        *(
            measured(f"{name}[{label}]", 0.42424, 0.31313, 0.53535)
            for name in ("recall", "precision", "f1")
            for label in CLASSES
        ),
        Evidence("roc_auc", None, status="not_applicable", reason="only one class"),
        Evidence(
            "cross_validation[accuracy]", 0.70707, low=0.60606, high=0.80808, confidence=0.95, n=3, method="3 folds"
        ),
    ]


def evaluated(made: RunMaker, **more: Any) -> None:
    summary = {
        "classes": CLASSES,
        "confusion": [[90, 7, 3], [0, 100, 0], [31, 69, 100]],
        "reliability": [
            {
                "low": 0.4,
                "high": 0.6,
                "count": 100,
                "confidence": 0.5151,
                "accuracy": 0.4747,
                "accuracy_low": 0.3,
                "accuracy_high": 0.6,
            }
        ],
        "worst": [
            {
                "image": "worst-00.png",
                "row": 5,
                "target": "cat",
                "answer": HOSTILE,
                "probability_of_target": 0.0012346,
                "probability_of_answer": 0.98765,
            },
            {
                "text": HOSTILE * 20,
                "row": 6,
                "target": "cat",
                "answer": "cat",
                "probability_of_target": 0.4,
                "probability_of_answer": 0.4,
            },
            {
                "fields": {HOSTILE: 7, "empty": None},
                "row": 7,
                "target": "cat",
                "answer": "dog {x}",
                "probability_of_target": 0.4,
                "probability_of_answer": 0.5,
            },
            {"image": "../../run.json", "row": 8, "target": "cat", "answer": "cat"},
            {"image": "page.svg", "row": 9, "target": "cat", "answer": "cat"},
        ],
        "folds": [{"accuracy": 0.70}, {"accuracy": 0.71}, {"accuracy": 0.72}],
        "floors": [{"name": "most frequent class", "claims": [FLOOR.to_json()]}],
        **more,
    }
    made.stage(
        "evaluate",
        {"evaluation": {"summary.json": summary, "worst-00.png": PIXEL, "page.svg": b"<svg onload='alert(1)'/>"}},
        judged_claims(),
    )


def build(folder: Path, until: str = "release", **options: Any) -> Run:
    made = RunMaker(folder, options.pop("recipe", None))
    for name, step in zip(STAGES, (prepared, trained, evaluated), strict=False):
        step(made, **(options if name == "evaluate" else {}))
        if name == until:
            return made.run
    made.judge(True, True)
    made.stage("release", {"release": {"digests.json": {}}}, [])
    made.journal.append("run finished")
    return made.run
