"""The bill of materials of a release, in the form that other tools read: the model, its data, its files, the packages behind it."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from ...core.evidence import Evidence
from ...core.scan import Scan
from ...core.stage import Context

BOM = "bom.cdx.json"
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://cyclonedx.org/docs/1.6/json/")
# What an answer of a model may depend on.
PACKAGES = ("torch", "numpy", "safetensors", "scikit-learn", "pillow", "tokenizers", "transformers", "onnxruntime")
DECIDED_ON = ("accuracy", "balanced_accuracy", "f1_macro", "roc_auc", "log_loss", "calibration_error")
ENERGY = ("energy", "carbon", "cpu_seconds")


def bill_of_materials(
    context: Context, evidence: list[Evidence], scan: Scan, manifest: dict[str, str]
) -> dict[str, Any]:
    """Return the bill as plain data; `manifest` has the digest of every file that it speaks of.

    Source: CycloneDX 1.6 (ECMA-424), JSON schema, components of type machine-learning-model and data.
    """
    model, dataset = context.inputs["model"].digest, context.inputs["dataset"].digest
    packages = [_package(name) for name in PACKAGES if _version(name)]
    files = [_file(name, digest, scan.formats.get(name, "")) for name, digest in sorted(manifest.items())]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(NAMESPACE, model)}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "tools": {
                "components": [{"type": "application", "name": "modelwright", "version": _version("modelwright")}]
            },
            "component": _model(context, evidence, model),
        },
        "components": [_dataset(context, dataset), *packages, *files],
        "dependencies": [
            {"ref": "model", "dependsOn": ["dataset", *(item["bom-ref"] for item in [*packages, *files])]},
        ],
    }


def _model(context: Context, evidence: list[Evidence], digest: str) -> dict[str, Any]:
    settings, task, kind = context.settings, context.recipe.sections["task"], context.recipe.sections["model"]
    claims = {item.name: item for item in evidence if item.value is not None}
    considerations = {
        "useCases": [settings.purpose],
        "technicalLimitations": [settings.limits] if settings.limits else [],
        "environmentalConsiderations": {"properties": [_spent(claims[name]) for name in ENERGY if name in claims]},
    }
    return {
        "type": "machine-learning-model",
        "bom-ref": "model",
        "name": context.recipe.name,
        "version": digest[:16],
        "supplier": {"name": settings.owner},
        "licenses": [{"license": {"name": settings.licence}}],
        "hashes": [{"alg": "SHA-256", "content": digest}],
        "modelCard": {
            "modelParameters": {
                "task": getattr(task, "kind", ""),
                "modelArchitecture": getattr(kind, "kind", ""),
                "datasets": [{"ref": "dataset"}],
            },
            "quantitativeAnalysis": {
                "performanceMetrics": [_metric(claims[name]) for name in DECIDED_ON if name in claims]
            },
            "considerations": considerations,
        },
        "properties": [
            {"name": "modelwright:recipe", "value": context.recipe.digest},
            {"name": "modelwright:approver", "value": settings.approver},
        ],
    }


def _metric(item: Evidence) -> dict[str, Any]:
    found: dict[str, Any] = {"type": item.name, "value": f"{item.value:.6g}", "slice": "test part"}
    if item.low is not None and item.high is not None:
        found["confidenceInterval"] = {"lowerBound": f"{item.low:.6g}", "upperBound": f"{item.high:.6g}"}
    return found


def _spent(item: Evidence) -> dict[str, str]:
    bounds = f", between {item.low:.6g} and {item.high:.6g}" if item.low is not None and item.high is not None else ""
    return {"name": f"modelwright:{item.name}", "value": f"{item.value:.6g} {item.unit}{bounds} ({item.method})"}


def _dataset(context: Context, digest: str) -> dict[str, Any]:
    return {
        "type": "data",
        "bom-ref": "dataset",
        "name": f"data of {context.recipe.name}",
        "version": digest[:16],
        "hashes": [{"alg": "SHA-256", "content": digest}],
        "data": [{"type": "dataset", "name": f"data of {context.recipe.name}", "description": "see DATASHEET.md"}],
    }


def _file(name: str, digest: str, kind: str) -> dict[str, Any]:
    return {
        "type": "file",
        "bom-ref": f"file:{name}",
        "name": name,
        "hashes": [{"alg": "SHA-256", "content": digest}],
        "properties": [{"name": "modelwright:format", "value": kind}],
    }


def _package(name: str) -> dict[str, Any]:
    found = _version(name)
    # A local label (`+cpu`) is no version that the index knows.
    public = re.sub(r"\+.*", "", found)
    purl = f"pkg:pypi/{name}@{public}"
    return {"type": "library", "bom-ref": purl, "name": name, "version": found, "purl": purl}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
