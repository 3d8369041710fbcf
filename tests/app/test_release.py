"""Releases: made only when every gate holds, and any later change is named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from damages import (
    add_file,
    add_hidden_file,
    add_link,
    digests_of_nothing,
    edit_evidence,
    edit_golden_answers,
    edit_journal,
    empty_digests,
    flip_weights,
    redigest,
    remove_digests,
    remove_file,
    remove_signature,
    replace_by_link,
    replace_signer,
    spoil_signature,
)
from tiny import ANSWERS, Cli, Finished, events, snapshot

from modelwright.core.artifact import manifest_of
from modelwright.core.journal import START, hash_of

Recipe = Callable[..., Path]


def test_failing_gates_are_all_named_and_nothing_is_released(cli: Cli, recipe: Recipe, tmp_path: Path) -> None:
    gates = [
        "accuracy.lower_bound >= 0.999",
        "balanced_accuracy.value >= 0.0",
        "size.value <= 1 kB",
        "epsilon.upper_bound <= 8",
        "cross_validation[accuracy].value >= 0.5",
    ]
    path = recipe(release={"gates": gates, **ANSWERS})
    outcome = cli("run", path, "--runs", tmp_path / "runs", "--json")
    assert outcome.code == 7
    found = [problem["found"] for problem in outcome.json["problems"]]
    assert [text.split("'")[1] for text in found] == [gates[0], gates[2], gates[3], gates[4]]
    assert "expected >= 0.999" in found[0]
    assert "expected <= 1 kB" in found[1]
    assert "there is no evidence called 'epsilon' about this model" in found[2]
    assert "there is no evidence called 'cross_validation[accuracy]'" in found[3]
    for text in found:
        assert f"error: release: {text}" in outcome.err
    run = tmp_path / "runs/tiny"
    assert not (run / "release").exists()
    assert list((run / "artifacts").glob("release-*")) == []
    # What was measured stays, the journal holds every verdict, and the page is there to look at.
    (judged,) = events(run, "gates judged")
    assert [verdict["passed"] for verdict in judged["data"]["verdicts"]] == [False, True, False, False, False]
    assert (run / "report.html").exists()
    # Milder gates need nothing but the release to run.
    again = cli("run", recipe(release={"gates": gates[1:2], **ANSWERS}), "--runs", tmp_path / "runs")
    assert again.code == 0
    assert again.err.count("nothing to do") == 3


def test_an_earlier_release_does_not_outlive_a_failed_gate(cli: Cli, finished: Finished) -> None:
    outcome = cli("run", finished.recipe, "release.gates=[accuracy.value >= 2]", "--runs", finished.runs)
    assert outcome.code == 7
    assert not finished.release.exists()
    assert cli("run", finished.recipe, "--runs", finished.runs).code == 0
    assert cli("verify", finished.release).code == 0


def test_a_whole_release_is_intact_from_anywhere(
    cli: Cli, finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = snapshot(finished.release)
    outcome = cli("verify", finished.release, "--json")
    assert (outcome.code, outcome.json["verdict"]) == (0, "intact, signer unknown")
    assert outcome.json["golden_difference"] <= 1e-6
    # The place does not matter, nor how it is written.
    monkeypatch.chdir(finished.run)
    for place in ("release", "./release", "../tiny/release/"):
        assert cli("verify", place).code == 0, place
    shutil.move(finished.release, tmp_path / "else where")
    assert cli("verify", tmp_path / "else where").code == 0
    assert snapshot(tmp_path / "else where") == before


def test_a_release_made_in_a_relative_folder_verifies(
    cli: Cli, finished_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(finished_once, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    assert cli("run", "tiny.yaml", "release.owner=me").code == 0
    assert cli("verify", "runs/tiny/release").code == 0
    assert cli("verify", tmp_path / "here/runs/tiny/release").code == 0


@pytest.mark.parametrize(
    ("damage", "named", "found"),
    [
        (flip_weights, "model.safetensors", "the file was changed"),
        (edit_evidence, "evidence.json", "the file was changed"),
        (edit_journal, "journal.jsonl", "the file was changed"),
        (edit_golden_answers, "golden/answers.npy", "the file was changed"),
        (add_file, "golden/extra.npy", "the file does not belong here"),
        (add_hidden_file, ".gitattributes", "the file does not belong here"),
        (add_link, "link", "the file does not belong here"),
        (remove_file, "datasheet.json", "the file is missing"),
        (replace_by_link, "config.json", "the file is missing"),
        (replace_signer, "signer.pub", "the file was changed"),
        (spoil_signature, "model.sig", "the signature does not hold"),
        (remove_signature, "model.sig", "the signature does not hold"),
        (remove_digests, "digests.json", "the file is missing"),
        (empty_digests, "digests.json", "this is not a list of digests"),
        (digests_of_nothing, "digests.json", "this is not a list of digests"),
        (redigest, "model.sig", "the signature does not hold"),
    ],
)
def test_verify_names_what_was_changed(
    cli: Cli, finished: Finished, damage: Callable[[Path], None], named: str, found: str
) -> None:
    damage(finished.release)
    outcome = cli("verify", finished.release, "--json")
    assert outcome.code == 5, outcome.err
    problem = outcome.json["problems"][0]
    assert problem["where"].startswith(str(finished.release / named))
    assert found in problem["found"]


def make_key(folder: Path, name: str) -> tuple[Path, Path]:
    from modelwright.stages.release.signature import signing_key

    key = signing_key("", folder)
    private, public = folder / f"{name}.pem", folder / f"{name}.pub"
    private.write_bytes(key.private_pem)
    public.write_bytes(key.public_pem)
    return private, public


def test_a_forged_release_is_told_from_the_real_one_by_the_key(cli: Cli, finished: Finished, tmp_path: Path) -> None:
    """Everything edited, digested and signed anew: intact in itself, but not by the holder of the key."""
    from modelwright.stages.release.signature import sign, signing_key

    private, public = make_key(tmp_path, "ours")
    _, other = make_key(tmp_path, "other")
    made = cli("run", finished.recipe, f"release.key={private}", "--runs", finished.runs)
    assert made.code == 0, made.err
    assert b"PRIVATE" not in b"".join(path.read_bytes() for path in finished.run.rglob("*") if path.is_file())
    signed = cli("verify", finished.release, "--public-key", public, "--json")
    assert (signed.code, signed.json["verdict"]) == (0, "intact, signed by the holder of the given key")
    wrong = cli("verify", finished.release, "--public-key", other)
    assert wrong.code == 5
    assert "the signature does not hold" in wrong.err
    assert str(other) in wrong.err
    edit_evidence(finished.release)
    forger = signing_key("", tmp_path)
    (finished.release / "signer.pub").write_bytes(forger.public_pem)
    stated = json.loads((finished.release / "digests.json").read_text())
    (finished.release / "model.sig").unlink()
    (finished.release / "digests.json").unlink()
    stated["files"] = manifest_of(finished.release)
    (finished.release / "digests.json").write_text(json.dumps(stated))
    sign(finished.release, forger)
    assert cli("verify", finished.release).code == 0
    assert cli("verify", finished.release, "--public-key", public).code == 5


def test_keys_that_are_none(cli: Cli, finished: Finished, tmp_path: Path) -> None:
    (tmp_path / "text.pem").write_text("no key")
    outcome = cli("run", finished.recipe, f"release.key={tmp_path}/text.pem", "--runs", finished.runs)
    assert outcome.code == 2
    assert "the key cannot be read" in outcome.err
    assert cli("run", finished.recipe, "release.key=nowhere.pem", "--runs", finished.runs).code == 2
    private, _ = make_key(tmp_path, "ours")
    for name in ("text.pem", "nowhere.pem", private.name):
        outcome = cli("verify", finished.release, "--public-key", tmp_path / name)
        assert outcome.code == 2
        assert f"{tmp_path / name}: the key cannot be read" in outcome.err


def test_the_witness_of_the_run_knows_its_release(cli: Cli, finished: Finished, tmp_path: Path) -> None:
    witness = finished.runs / "tiny.witness"
    assert cli("verify", finished.release, "--witness", witness).code == 0
    missing = cli("verify", finished.release, "--witness", tmp_path / "typo.witness")
    assert missing.code == 3
    assert "the witness cannot be read" in missing.err
    (tmp_path / "other.witness").write_text(json.dumps({"records": 5, "hash": "0" * 64}) + "\n")
    other = cli("verify", finished.release, "--witness", tmp_path / "other.witness")
    assert other.code == 5
    assert "record 4 is not the one that the witness saw" in other.err
    (tmp_path / "empty.witness").write_text("")
    assert cli("verify", finished.release, "--witness", tmp_path / "empty.witness").code == 5


def resign(release: Path, journal: list[dict]) -> None:
    """Put another journal into a release, with a whole chain, right digests and a new signature."""
    from modelwright.stages.release.signature import sign, signing_key

    previous, lines = START, []
    for number, record in enumerate(journal):
        record |= {"sequence": number, "previous": previous}
        record["hash"] = hash_of(number, record["time"], record["event"], record["data"], previous)
        previous = record["hash"]
        lines.append(json.dumps(record, ensure_ascii=False))
    (release / "journal.jsonl").write_text("\n".join(lines) + "\n")
    key = signing_key("", release)
    (release / "signer.pub").write_bytes(key.public_pem)
    stated = json.loads((release / "digests.json").read_text())
    for name in ("model.sig", "digests.json"):
        (release / name).unlink()
    stated["files"] = manifest_of(release)
    (release / "digests.json").write_text(json.dumps(stated))
    sign(release, key)


def test_a_journal_rewritten_with_all_its_hashes_is_caught(cli: Cli, finished: Finished) -> None:
    journal = [json.loads(line) for line in (finished.release / "journal.jsonl").read_text().splitlines()]
    resign(finished.release, journal)
    assert cli("verify", finished.release, "--witness", finished.runs / "tiny.witness").code == 0
    without = [record for record in journal if record["event"] != "test part opened"]
    resign(finished.release, without)
    assert cli("verify", finished.release).code == 0
    caught = cli("verify", finished.release, "--witness", finished.runs / "tiny.witness")
    assert caught.code == 5
    assert "is not the one that the witness saw" in caught.err
    resign(finished.release, journal[:-3])
    shortened = cli("verify", finished.release)
    assert shortened.code == 5
    assert "does not end with the judgement on this model" in shortened.err


def test_golden_answers_are_recomputed_and_not_only_digested(cli: Cli, finished: Finished) -> None:
    """A signer who swaps the weights and signs again is still caught by the answers of the trainer."""
    import numpy as np

    answers = np.load(finished.release / "golden/answers.npy")
    np.save(finished.release / "golden/answers.npy", answers[::-1])
    evidence = json.loads((finished.release / "evidence.json").read_text())
    files = manifest_of(finished.release)
    from modelwright.core.artifact import artifact_digest
    from modelwright.stages.release.verify import PAPERS

    papers = (*PAPERS, "model.sig")
    digest = artifact_digest("model", {name: value for name, value in files.items() if name not in papers})
    for item in evidence:
        if "model" in item.get("about", {}):
            item["about"]["model"] = digest
    (finished.release / "evidence.json").write_text(json.dumps(evidence))
    stated = json.loads((finished.release / "digests.json").read_text())
    (finished.release / "digests.json").write_text(json.dumps({**stated, "model": digest}))
    journal = [json.loads(line) for line in (finished.release / "journal.jsonl").read_text().splitlines()]
    journal[-1]["data"]["model"] = digest
    resign(finished.release, journal)
    outcome = cli("verify", finished.release)
    assert outcome.code == 5
    assert "the golden answers differ by" in outcome.err


def test_evidence_about_another_model_is_refused(cli: Cli, finished: Finished) -> None:
    path = finished.release / "evidence.json"
    evidence = json.loads(path.read_text())
    next(item for item in evidence if item["name"] == "accuracy")["about"]["model"] = "0" * 64
    path.write_text(json.dumps(evidence))
    resign(
        finished.release, [json.loads(line) for line in (finished.release / "journal.jsonl").read_text().splitlines()]
    )
    outcome = cli("verify", finished.release)
    assert outcome.code == 5
    assert "the claim 'accuracy' speaks of another model" in outcome.err


def test_the_library_of_the_format_verifies_our_signature(finished: Finished) -> None:
    """From outside, with nothing of ours: the public key, the folder, and one file left out."""
    from model_signing import hashing, verifying

    config = verifying.Config().use_elliptic_key_verifier(public_key=finished.release / "signer.pub")
    config.set_hashing_config(hashing.Config().set_ignored_paths(paths=[finished.release / "model.sig"]))
    config.verify(finished.release, finished.release / "model.sig")
    # What the signature says of itself is enough, too.
    plain = verifying.Config().use_elliptic_key_verifier(public_key=finished.release / "signer.pub")
    plain.verify(finished.release, finished.release / "model.sig")
    flip_weights(finished.release)
    with pytest.raises(ValueError, match=r"model\.safetensors"):
        config.verify(finished.release, finished.release / "model.sig")


def test_the_model_card_is_read_by_hugging_face(cli: Cli, finished: Finished) -> None:
    hub = pytest.importorskip("huggingface_hub")
    overrides = (
        "release.licence=bsd-3-clause",
        "release.languages=[en]",
        "release.owner=Ada",
        "release.purpose=Digits, for a test",
    )
    assert cli("run", finished.recipe, *overrides, "--runs", finished.runs).code == 0
    card = hub.ModelCard.load(finished.release / "README.md")
    assert card.data.license == "bsd-3-clause"
    assert card.data.language == ["en"]
    assert card.data.pipeline_tag == "image-classification"
    assert card.data.library_name == "modelwright"
    claims = {item["name"]: item for item in json.loads((finished.release / "evidence.json").read_text())}
    results = {result.metric_type: result.metric_value for result in card.data.eval_results}
    assert results["accuracy"] == claims["accuracy"]["value"]
    assert set(results) == {"accuracy", "balanced_accuracy", "f1_macro", "roc_auc", "log_loss", "calibration_error"}
    assert "Ada" in card.text
    assert "Digits, for a test" in card.text


@pytest.fixture
def picture(finished: Finished) -> Path:
    """A digit, as a file."""
    return next(finished.run.glob("artifacts/evaluation-*/worst-00.png"))


def test_predict_needs_the_release_alone(cli: Cli, finished: Finished, tmp_path: Path, picture: Path) -> None:
    shutil.copy(picture, tmp_path / "digit.png")
    here = cli("predict", finished.release, tmp_path / "digit.png", "--json")
    shutil.move(finished.release, tmp_path / "alone")
    shutil.rmtree(finished.runs)
    before = snapshot(tmp_path / "alone")
    outcome = cli("predict", tmp_path / "alone", tmp_path / "digit.png", tmp_path / "digit.png", "--json")
    assert outcome.code == 0, outcome.err
    first, second = outcome.json["answers"]
    # Alone or in a batch: other kernels, so not to the last bit.
    for other in (second, here.json["answers"][0]):
        assert other["label"] == first["label"]
        assert other["probability"] == pytest.approx(first["probability"], abs=1e-6)
    assert first["label"] in "0123456789"
    assert first["probability"] >= first["runners_up"][0]["probability"] >= first["runners_up"][1]["probability"]
    assert snapshot(tmp_path / "alone") == before


@pytest.mark.parametrize("damage", [flip_weights, add_file, remove_file, edit_golden_answers, empty_digests])
def test_predict_refuses_a_tampered_release(
    cli: Cli, finished: Finished, picture: Path, damage: Callable[[Path], None]
) -> None:
    damage(finished.release)
    outcome = cli("predict", finished.release, picture, "--json")
    assert outcome.code == 5
    assert "answers" not in outcome.json


def test_predict_refuses_what_it_cannot_read(cli: Cli, finished: Finished, tmp_path: Path, picture: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "half.png").write_bytes(picture.read_bytes()[:50])
    for name in ("text.png", "half.png", "missing.png"):
        outcome = cli("predict", finished.release, picture, tmp_path / name, "--json")
        assert outcome.code == 3, name
        assert outcome.json["problems"][0]["where"] == str(tmp_path / name)
    outcome = cli("predict", tmp_path, picture)
    assert outcome.code == 3
    assert "this is not a release" in outcome.err
