"""The stage `audit`: privacy, claimed against measured."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from private_recipe import DP, run_privately

from modelwright.core.evidence import Evidence
from modelwright.core.run import Run
from modelwright.engine.private_noise import Noise
from modelwright.methods.privacy.noise import system_noise

Tiny = Callable[..., Run]


def found_in(made: Run) -> tuple[dict[str, Evidence], dict[str, Any]]:
    """Return the claims by name, and what the report is made from."""
    summary: dict[str, Any] = json.loads((made.artifact("audit").path / "summary.json").read_text())["privacy"]
    return {item.name: item for item in made.evidence()}, summary


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A private training, audited with canaries and shadow models."""
    settings = {"canaries": 60, "guesses": 0.5, "shadows": 2, "false_positives": 0.1}
    return run_privately(tmp_path_factory.mktemp("audited") / "run", "audit", audit__privacy=settings)


def test_everything_is_about_the_model_that_was_audited(audited: Run) -> None:
    claims, _ = found_in(audited)
    for name in ("privacy_checks", "epsilon_lower_bound", "membership_tpr", "membership_auc"):
        assert claims[name].about["model"] == audited.artifact("model").digest
        assert claims[name].status == "measured"


def test_the_checks_pass_and_are_named(audited: Run) -> None:
    claims, summary = found_in(audited)
    assert claims["privacy_checks"].value == claims["privacy_checks"].n == len(summary["checks"]) >= 15
    assert all(check["passed"] and check["found"] and check["expected"] for check in summary["checks"])


def test_the_bound_stands_beside_the_claim(audited: Run) -> None:
    claims, summary = found_in(audited)
    bound = claims["epsilon_lower_bound"]
    assert bound.value <= claims["epsilon"].value
    assert (bound.n, summary["canaries"]["guesses"]) == (60, 30)
    assert f"the claim is epsilon {claims['epsilon'].value:.4g}" in bound.method
    assert bound.method.startswith("at delta 0.001")
    # The canaries were in another training of the same recipe; the model that is kept knows of none.
    assert summary["claimed"]["drawn_from"] == summary["claimed"]["examples"]


def test_shadow_models_leave_out_whom_all_of_them_saw(audited: Run) -> None:
    claims, summary = found_in(audited)
    membership = summary["membership"]
    # Of two halves, a quarter of the examples stood in both.
    assert membership["members"] == claims["membership_tpr"].n < summary["claimed"]["examples"] == 72
    assert membership["others"] == 18
    assert claims["membership_tpr"].low <= claims["membership_tpr"].value <= claims["membership_tpr"].high
    assert "models trained on random halves" in claims["membership_tpr"].method


def test_an_ordinary_training_has_no_claim_to_test_but_members_to_find(tiny: Tiny) -> None:
    claims, summary = found_in(
        tiny("audit", train__length="40 epochs", train__keep="last", audit__privacy={"canaries": 50})
    )
    assert claims["privacy_checks"].status == claims["epsilon_lower_bound"].status == "not_applicable"
    assert "train.privacy is none" in claims["epsilon_lower_bound"].reason
    assert claims["membership_tpr"].n == 72
    assert "none was allowed" in claims["membership_tpr"].method
    assert claims["membership_auc"].value > 0.6, "a model that has learnt its examples by heart gives them away"
    assert summary["claimed"] == {}


@pytest.fixture
def wrong_noise() -> Iterator[None]:
    """Make the noise ten times too small."""
    usual = Noise.__init__.__defaults__
    Noise.__init__.__defaults__ = (lambda shape: system_noise(shape) / 10,)  # type: ignore[attr-defined]
    yield
    Noise.__init__.__defaults__ = usual  # type: ignore[attr-defined]


@pytest.mark.usefixtures("wrong_noise")
def test_noise_ten_times_too_small_fails_twice(tmp_path: Path) -> None:
    """By the direct test of the noise, and by canaries, which refute the claim; a gate on either would hold the release."""
    settings = {"canaries": 300, "membership": False}
    claims, summary = found_in(
        run_privately(
            tmp_path / "run",
            "audit",
            train__privacy={**DP, "noise": 5.0},
            train__length="6 epochs",
            audit__privacy=settings,
        )
    )
    assert claims["epsilon"].value < 1.1
    assert claims["privacy_checks"].status == claims["epsilon_lower_bound"].status == "failed"
    found = re.search(r"noise scale: found (\S+) of what is claimed", claims["privacy_checks"].reason)
    # Measured on 20,000 draws: six standard deviations are 3 % of a tenth.
    assert float(found[1]) == pytest.approx(0.1, rel=0.03)
    assert claims["epsilon_lower_bound"].value > claims["epsilon"].value
    assert claims["epsilon_lower_bound"].reason.endswith("is refuted")
    assert "membership" not in summary


def test_audit_privacy_keys(tmp_path: Path) -> None:
    """Every key of audit.privacy changes what is found; the training is made once."""

    def audit(**settings: Any) -> tuple[dict[str, Evidence], dict[str, Any]]:
        return found_in(run_privately(tmp_path / "run", "audit", audit__privacy=settings))

    claims, summary = audit()
    assert {"checks", "membership", "claimed"} == set(summary)
    few, other = audit(checks=False, canaries=20, guesses=0.2, false_positives=0.2, confidence=0.8)
    assert "checks" not in other
    assert (other["canaries"]["canaries"], other["canaries"]["guesses"]) == (20, 4)
    assert audit(canaries=20, guesses=0.4)[1]["canaries"]["guesses"] == 8
    assert (summary["membership"]["allowed"], other["membership"]["allowed"]) == (0, 3)
    width = lambda item: item.high - item.low
    assert few["membership_tpr"].confidence == 0.8
    assert width(audit(false_positives=0.2)[0]["membership_tpr"]) > width(few["membership_tpr"])
    assert "membership" not in audit(membership=False)[1]
    assert audit(shadows=1)[0]["membership_tpr"].method != claims["membership_tpr"].method
