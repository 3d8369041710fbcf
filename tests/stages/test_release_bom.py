"""The bill of materials is valid CycloneDX, speaks of the very files that lie there, and is sealed with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelwright.core.artifact import manifest_of
from modelwright.core.errors import DamagedArtifact
from modelwright.core.run import Run
from modelwright.stages.release.bom import BOM

Tiny = Callable[..., Run]


@pytest.fixture(scope="module")
def bill(base: Run) -> dict[str, Any]:
    release = base.artifact("release")
    assert release is not None
    found: dict[str, Any] = json.loads((release.path / BOM).read_text())
    return found


def complaints(bill: dict[str, Any]) -> Any:
    """Return what the published schema finds wrong, strictly: no field that it does not know."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    return JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bill))


def test_the_bill_is_valid_and_the_validator_can_say_no(bill: dict[str, Any]) -> None:
    assert complaints(bill) is None
    assert complaints({**bill, "colour": "blue"}) is not None
    assert complaints({**bill, "components": [{"type": "pickle", "name": "x"}]}) is not None


def test_every_file_and_the_model_are_named_by_their_digests(bill: dict[str, Any], base: Run) -> None:
    release, model = base.artifact("release"), base.artifact("model")
    assert release is not None
    assert model is not None
    files = {item["name"]: item["hashes"][0]["content"] for item in bill["components"] if item["type"] == "file"}
    present = manifest_of(release.path)
    later = {BOM, "digests.json", "model.sig"}
    assert files == {name: digest for name, digest in present.items() if name not in later}
    assert all(item["properties"][0]["value"] for item in bill["components"] if item["type"] == "file")
    component = bill["metadata"]["component"]
    assert component["type"] == "machine-learning-model"
    assert component["hashes"][0]["content"] == model.digest
    data = next(item for item in bill["components"] if item["type"] == "data")
    assert data["hashes"][0]["content"] == base.artifact("dataset").digest
    assert any(item.get("purl", "").startswith("pkg:pypi/torch@") for item in bill["components"])


def test_numbers_are_those_of_the_evidence(bill: dict[str, Any], base: Run) -> None:
    card = bill["metadata"]["component"]["modelCard"]
    claims = {item.name: item for item in base.evidence()}
    accuracy = next(item for item in card["quantitativeAnalysis"]["performanceMetrics"] if item["type"] == "accuracy")
    assert float(accuracy["value"]) == pytest.approx(claims["accuracy"].value, rel=1e-5)
    assert float(accuracy["confidenceInterval"]["lowerBound"]) == pytest.approx(claims["accuracy"].low, rel=1e-5)
    spent = card["considerations"]["environmentalConsiderations"]["properties"]
    assert {item["name"] for item in spent} == {"modelwright:energy", "modelwright:carbon", "modelwright:cpu_seconds"}


def test_a_bill_that_was_changed_is_noticed(base: Run, tmp_path: Path) -> None:
    import shutil

    from modelwright.stages.release.verify import open_release

    release = base.artifact("release")
    assert release is not None
    shutil.copytree(release.path, tmp_path / "release")
    path = tmp_path / "release" / BOM
    path.write_text(path.read_text().replace("torch", "tørch"))
    with pytest.raises(DamagedArtifact, match=r"bom\.cdx\.json"):
        open_release(tmp_path / "release")


def test_scans_are_evidence(base: Run, tiny: Tiny) -> None:
    claims = {item.name: item for item in base.evidence()}
    scan = claims["release_scan"]
    assert scan.value == 0
    assert scan.n is not None
    assert scan.n > 10
    made = tiny("audit", audit__privacy__checks=False, audit__privacy__membership=False)
    artifact = made.artifact("audit")
    assert artifact is not None
    summary = json.loads((artifact.path / "summary.json").read_text())["security"]
    assert summary["refused"] == {}
    audited = next(item for item in made.evidence() if item.name == "security_scan")
    assert audited.value == 0
    assert audited.n is not None
    assert audited.n > 10
    assert {"safetensors", "JSON", "an array of numbers or text"} <= set(summary["formats"])
