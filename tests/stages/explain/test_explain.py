"""The stage `explain`: every modality, evidence about the model explained, checks that fail when they should, and every key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from explained import LIGHT, PICTURES, QUICK, found_in

from modelwright.core import registry
from modelwright.core.errors import RecipeError
from modelwright.core.gates import judge, parse_gate
from modelwright.core.journal import read_journal
from modelwright.core.run import Run
from modelwright.core.settings import Settings
from modelwright.engine.dataset import read_part
from modelwright.stages.explain import pictures as pictures_view
from modelwright.stages.explain.agnostic import run_occlusion
from modelwright.stages.explain.checks import check_completeness, check_order, check_randomisation, take_at_random
from modelwright.stages.explain.question import Answer, Question
from modelwright.stages.explain.subject import open_subject, with_nothing_learnt

Explain = Callable[..., Run]
ABOUT = {"model": "m", "dataset": "d"}


@pytest.fixture(scope="module")
def seen(pictures: Explain) -> Run:
    """Pictures, explained in every way that they can be."""
    return pictures(
        attributions=["occlusion", "integrated_gradients", "grad_cam", {"kind": "shapley", "samples": 2}],
        projections=["pca", "tsne"],
        surrogate="tree",
        checks={"examples": 16, "models": 6},
        shown={"worst": 2, "typical": 3},
    )


def test_pictures_are_explained_and_the_evidence_is_about_the_model(seen: Run) -> None:
    claims, summary = found_in(seen)
    about = {"model": seen.artifact("model").digest}
    for method in ("occlusion", "integrated_gradients", "shapley"):
        for check in ("deletion", "insertion", "randomisation"):
            claim = claims[f"attribution_{check}[{method}]"]
            assert claim.about["model"] == about["model"]
            assert claim.status == "measured", (claim.name, claim.value, claim.low, claim.high)
            assert claim.low < claim.value < claim.high
    assert claims["attribution_deletion[grad_cam]"].n == 16
    assert claims["attribution_completeness[integrated_gradients]"].value < 0.05
    assert claims["attribution_completeness[shapley]"].value < 1e-3
    assert claims["projection_agreement[tsne]"].low > 0.5
    assert claims["projection_trustworthiness[tsne]"].value > 0.9
    gates = [
        "attribution_deletion[occlusion].lower_bound >= 0.05",
        "attribution_randomisation[integrated_gradients].upper_bound <= 0.5",
        "projection_trustworthiness[tsne].value >= 0.9",
        "surrogate_fidelity[tree][before pruning].value >= 0.3",
        "attribution_deletion[lime].value >= 0",
    ]
    passed = [verdict.passed for verdict in judge(map(parse_gate, gates), claims.values(), about)]
    assert passed == [True, True, True, True, False]
    assert [item["why"] for item in summary["examples"]] == ["worst", "worst", "typical", "typical", "typical"]


def test_what_the_report_shows_of_pictures(seen: Run) -> None:
    from PIL import Image

    _, summary = found_in(seen)
    folder = seen.artifact("explanation").path
    worst = summary["examples"][0]
    assert worst["probability_of_target"] == min(item["probability_of_target"] for item in summary["examples"])
    assert set(worst["weights"]) == {"occlusion", "integrated_gradients", "grad_cam", "shapley"}
    for name in (worst["image"], *worst["weights"].values()):
        with Image.open(folder / name) as picture:
            assert picture.format == "PNG"
    (grad_cam,) = [item for item in summary["attributions"] if item["kind"] == "grad_cam"]
    assert grad_cam["facts"]["layer"] == "features.3"
    with Image.open(folder / worst["weights"]["occlusion"]) as picture:
        colours = {tuple(pixel) for pixel in np.asarray(picture.convert("RGB")).reshape(-1, 3)}
    assert len(colours) > 10, "as strong as the weights"
    pca = summary["projections"][0]
    assert np.array(pca["places"]).shape == (len(pca["classes"]), 2)
    assert pca["layer"] == "head.4 (what it is given)"
    tree = summary["surrogates"][0]["variants"][""]
    assert all(line["question"].startswith("brightness of rows") for line in tree["rules"])


@pytest.fixture(scope="module")
def question(pictures: Explain) -> Question:
    """What the checks are given: pictures, and the classes that a model gives them."""
    made = pictures()
    dataset = made.artifact("dataset").path
    training, validation = read_part(dataset, "train"), read_part(dataset, "validation")
    subject, view = open_subject(made.artifact("model").path), pictures_view.build(training, "mean", 8)
    cuts = tuple(view.cut(validation, row) for row in range(12))
    targets = subject.predictor.predict(validation.take(np.arange(12))).argmax(axis=1)
    return Question(subject, view, cuts, targets, training, 1, lambda done, of: None)


def test_weights_that_mean_nothing_do_not_pass(question: Question) -> None:
    generator = np.random.default_rng(0)
    chance = take_at_random(question, 3)
    thrown = Answer(tuple(generator.normal(size=len(cut.parts)) for cut in question.cuts))
    claims, curves = check_order("thrown", thrown, question, chance, 0.95, ABOUT)
    assert [claim.status for claim in claims] == ["failed", "failed"]
    assert all("not shown to be better than a random order" in claim.reason for claim in claims)
    honest = run_occlusion(None, question)  # type: ignore[arg-type]
    claims, _ = check_order("occlusion", honest, question, chance, 0.95, ABOUT)
    assert [claim.status for claim in claims] == ["measured", "measured"]
    backwards = replace(honest, weights=tuple(-weights for weights in honest.weights))
    claims, _ = check_order("backwards", backwards, question, chance, 0.95, ABOUT)
    assert all(claim.status == "failed" and claim.high < 0 for claim in claims)
    assert len(curves["deletion"]["curve"]) == len(curves["deletion"]["random"]) == 11


def test_weights_that_do_not_ask_the_model_do_not_pass(question: Question) -> None:
    """Brightness looks like an explanation of a bright digit, and would be the same for any model."""
    others = [with_nothing_learnt(question.subject, question.pool, seed) for seed in range(3)]

    def brightness(asked: Question) -> Answer:
        return Answer(tuple(asked.view.read(cut.example)[0] for cut in asked.cuts))

    def mirrored(asked: Question) -> Answer:
        sign = 1 if asked.subject.predictor.predict(question.pool).mean(axis=0).argmax() % 2 else -1
        return Answer(tuple(sign * weights for weights in brightness(asked).weights))

    claim = check_randomisation("mirrored", mirrored, mirrored(question), question, others, 0.5, 0.95, ABOUT)
    assert claim.status == "failed", "a model decides about the sign alone"
    claim = check_randomisation("brightness", brightness, brightness(question), question, others, 0.5, 0.95, ABOUT)
    assert (claim.status, claim.value) == ("failed", pytest.approx(1))
    asking = lambda asked: run_occlusion(None, asked)  # type: ignore[arg-type]
    claim = check_randomisation("occlusion", asking, asking(question), question, others, 0.5, 0.95, ABOUT)
    assert claim.status == "measured"
    assert abs(claim.value) < 0.4
    # The random models answer, but not as this one; and this one is as it was.
    probabilities = [subject.predictor.predict(question.pool) for subject in (question.subject, *others)]
    assert all(np.abs(probabilities[0] - other).mean() > 0.05 for other in probabilities[1:])
    assert (question.subject.predictor.predict(question.pool) == probabilities[0]).all()


def test_weights_that_do_not_add_up_do_not_pass() -> None:
    for gap, status in ((0.4, "measured"), (0.6, "failed")):
        claim = check_completeness("x", Answer((), gaps=(gap, 0.0), changes=(5.0, 5.0)), 0.05, ABOUT)
        assert (claim.value, claim.status) == (pytest.approx(gap / 10), status)


def test_texts_are_explained_and_the_telling_words_found(texts: Explain) -> None:
    made = texts(
        attributions=["occlusion", {"kind": "integrated_gradients", "steps": 300}, "attention_rollout"],
        projections=["pca"],
        surrogate="tree",
        shown={"worst": 0, "typical": 2},
        checks={"examples": 20},
    )
    claims, summary = found_in(made)
    assert claims["attribution_deletion[occlusion]"].status == "measured"
    assert claims["attribution_completeness[integrated_gradients]"].status == "measured"
    for example in summary["examples"]:
        for method in ("occlusion", "integrated_gradients"):
            best = example["parts"][int(np.argmax(example["weights"][method]))]
            assert best in ("good", "great", "bad", "awful"), (method, example)
        assert sum(example["weights"]["attention_rollout"]) == pytest.approx(1, abs=1e-3)
    rules = summary["surrogates"][0]["variants"][""]["rules"]
    assert any("'good'" in line["question"] or "'great'" in line["question"] for line in rules)
    assert claims["surrogate_fidelity[tree]"].value > 0.9


def test_tables_are_explained_whatever_the_model(rows: Explain) -> None:
    asked = ["permutation", "occlusion", {"kind": "shapley", "how": "kernel", "samples": 8}]
    for model, ways in ((None, [*asked, "integrated_gradients"]), ({"kind": "tree"}, asked)):
        made = rows(
            model, attributions=ways, projections=["pca"], surrogate="tree", checks={"examples": 20, "orders": 8}
        )
        claims, summary = found_in(made)
        for way in ("occlusion", "shapley"):
            assert claims[f"attribution_deletion[{way}]"].status == "measured", (model, way)
        permutation = summary["attributions"][0]
        assert permutation["whole"]
        assert permutation["facts"]["columns"] == [*summary["examples"][0]["parts"]]
        # Petals tell the kinds of iris apart; sepals hardly.
        best = permutation["facts"]["columns"][int(np.argmax(permutation["facts"]["mean"]))]
        assert best.startswith("petal")
        assert claims["attribution_deletion[permutation]"].status == "measured"
        assert "permutation" not in summary["examples"][0]["weights"]
        assert claims["surrogate_fidelity[tree]"].value > 0.85
        layer = summary["projections"][0]["layer"]
        assert layer == ("answers" if model else "layers.3 (what it is given)")


def test_what_was_pruned_is_explained_before_and_after(
    pictures: Explain, run_in: Callable[..., Run], tmp_path: Path
) -> None:
    steps = [{"kind": "prune", "amount": 0.7}]
    made = run_in(
        tmp_path / "run",
        "explain",
        sections={**PICTURES, "compress": {"steps": steps, "rounds": 3}, "explain": {**LIGHT, "surrogate": "tree"}},
        train__length="3 epochs",
    )
    claims, summary = found_in(made)
    after, before = (claims[f"surrogate_fidelity[tree]{name}"] for name in ("", "[before compress]"))
    assert after.about["model"] == made.artifact("model").digest != before.about["model"]
    assert [item["whom"] for item in summary["surrogates"]] == ["", "before compress"]
    inner = next((made.folder / "inner").iterdir())
    begun = [record for record in read_journal(inner / "journal.jsonl") if record.event == "stage started"]
    assert all("taken_from" in record.data for record in begun), "the model before is taken, not trained again"


def test_an_exported_file_is_explained_by_asking(run_in: Callable[..., Run], tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    sections = {
        **PICTURES,
        "compress": {"steps": ["export"], "rounds": 3},
        "explain": {**LIGHT, "attributions": ["occlusion"], "projections": ["pca"], "checks": QUICK},
    }
    claims, summary = found_in(run_in(tmp_path / "run", "explain", sections=sections, train__length="3 epochs"))
    assert claims["attribution_randomisation[occlusion]"].n == 3
    assert claims["attribution_randomisation[occlusion]"].value < 0.9
    assert summary["projections"][0]["layer"] == "answers"
    sections["explain"] = {**LIGHT, "attributions": ["occlusion", "grad_cam"], "layer": "head.1"}
    with pytest.raises(RecipeError) as raised:
        run_in(tmp_path / "run", "explain", sections=sections)
    assert "'grad_cam' looks inside a network, and compress makes the model an ONNX file" in str(raised.value)
    assert "'head.1' is a layer" in str(raised.value)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"attributions": ["permutation"]}, "permutation' is for tabular"),
    ({"attributions": ["attention_rollout"]}, "attention_rollout' is for text"),
    ({"attributions": ["occlusion", {"kind": "occlusion"}]}, "stands there already"),
    ({"attributions": ["lime"]}, "'lime' is not a attribution"),
    ({"layer": "head.11", "projections": ["pca"]}, "no layer 'head.11'; did you mean 'head.1'?"),
    ({"attributions": [{"kind": "grad_cam", "layer": "head.1"}]}, "'head.1' is not a convolution"),
]


@pytest.mark.parametrize(("keys", "told"), REFUSED, ids=lambda item: str(item)[:40])
def test_what_cannot_be_explained_is_refused_by_name(pictures: Explain, keys: dict[str, Any], told: str) -> None:
    with pytest.raises(RecipeError) as raised:
        pictures(**keys)
    assert told in str(raised.value)


def test_networks_without_the_part_that_is_asked_for(pictures: Explain, texts: Explain) -> None:
    with pytest.raises(RecipeError, match="the model has no convolution"):
        pictures({"kind": "mlp"}, attributions=["grad_cam"])
    with pytest.raises(RecipeError, match="no attention to roll out"):
        texts({"kind": "bag", "buckets": 64}, attributions=["attention_rollout"])
    with pytest.raises(RecipeError, match="no layer that embeds single tokens"):
        texts({"kind": "bag", "buckets": 64}, attributions=["integrated_gradients"])
    with pytest.raises(RecipeError, match="is fitted at once"):
        texts({"kind": "tfidf"}, attributions=["integrated_gradients"])


# key, value before, value after, what else is asked for, and what of the claims or the summary changes by it
CHANGES: list[tuple[str, Any, Any, dict[str, Any], str]] = [
    ("layer", "auto", "features.3", {"projections": ["pca"]}, "projections"),
    ("layer", "auto", "answers", {"projections": ["pca"]}, "projections"),
    ("projections", ["pca"], ["tsne"], {}, "projections"),
    ("projections", [{"kind": "tsne"}], [{"kind": "tsne", "perplexity": 5.0}], {}, "projections"),
    ("examples", 1000, 50, {"projections": ["pca"]}, "projections"),
    ("attributions", ["occlusion"], ["grad_cam"], {}, "attributions"),
    ("attributions", ["grad_cam"], [{"kind": "grad_cam", "layer": "features.0"}], {}, "attributions"),
    (
        "attributions",
        [{"kind": "integrated_gradients", "steps": 3}],
        [{"kind": "integrated_gradients", "steps": 30}],
        {},
        "attribution_completeness[integrated_gradients]",
    ),
    (
        "attributions",
        [{"kind": "integrated_gradients", "tolerance": 0.5}],
        [{"kind": "integrated_gradients", "tolerance": 1e-9}],
        {},
        "attribution_completeness[integrated_gradients]",
    ),
    ("attributions", [{"kind": "shapley", "samples": 1}], [{"kind": "shapley", "samples": 2}], {}, "examples"),
    (
        "attributions",
        [{"kind": "shapley", "samples": 1}],
        [{"kind": "shapley", "samples": 1, "how": "kernel"}],
        {},
        "examples",
    ),
    ("hidden", "mean", "empty", {"attributions": ["occlusion"]}, "examples"),
    ("patches", 8, 4, {"attributions": ["occlusion"]}, "examples"),
    ("checks.examples", 8, 12, {"attributions": ["occlusion"]}, "attribution_deletion[occlusion]"),
    ("checks.orders", 2, 3, {"attributions": ["occlusion"]}, "attribution_deletion[occlusion]"),
    ("checks.models", 3, 4, {"attributions": ["occlusion"]}, "attribution_randomisation[occlusion]"),
    ("checks.most_similar", 0.9, 1e-6, {"attributions": ["occlusion"]}, "attribution_randomisation[occlusion]"),
    ("shown.worst", 4, 1, {"attributions": ["occlusion"]}, "examples"),
    ("shown.typical", 4, 1, {"attributions": ["occlusion"]}, "examples"),
    ("surrogate", "tree", "linear", {}, "surrogates"),
    ("surrogate", {"kind": "tree"}, {"kind": "tree", "depth": 2}, {}, "surrogates"),
    ("surrogate", {"kind": "tree"}, {"kind": "tree", "leaf_rows": 60}, {}, "surrogates"),
    ("surrogate", {"kind": "tree", "pruning": 0.0}, {"kind": "tree", "pruning": 0.05}, {}, "surrogates"),
    ("surrogate", {"kind": "linear"}, {"kind": "linear", "strength": 0.001}, {}, "surrogates"),
    ("surrogate_rows", 5000, 60, {"surrogate": "tree"}, "surrogates"),
    ("confidence", 0.95, 0.5, {"surrogate": "tree"}, "surrogate_fidelity[tree]"),
]

# What needs a table or a package that may be missing; the test stands beside.
ELSEWHERE = {
    "permutation.repeats": "test_repeats_change_the_deviation",
    "umap.neighbours": "test_umap_keeps_neighbours (test_projection.py)",
    "umap.distance": "test_umap_keeps_neighbours (test_projection.py)",
}


@pytest.mark.parametrize(("key", "first", "second", "rest", "where"), CHANGES, ids=lambda item: str(item)[:48])
def test_a_changed_key_changes_what_is_said(
    pictures: Explain, key: str, first: Any, second: Any, rest: dict[str, Any], where: str
) -> None:
    def said(value: Any) -> Any:
        section, _, inner = key.partition(".")
        keys = {"shown": {"worst": 1, "typical": 1}, **rest, section: {inner: value} if inner else value}
        made = pictures(**keys)
        claims, summary = found_in(made)
        if where == "examples":
            return made.artifact("explanation").digest
        return summary[where] if where in summary else claims[where].to_json()

    assert said(first) != said(second)


def test_repeats_change_the_deviation(rows: Explain) -> None:
    found = [
        found_in(rows(attributions=[{"kind": "permutation", "repeats": repeats}], shown={"worst": 0, "typical": 0}))[1]
        for repeats in (2, 6)
    ]
    assert found[0]["attributions"][0]["facts"] != found[1]["attributions"][0]["facts"]


def test_every_key_is_tried() -> None:
    def keys_of(settings: type[Settings], prefix: str) -> set[str]:
        found = set()
        for name, field in settings.model_fields.items():
            inner = field.annotation
            if isinstance(inner, type) and issubclass(inner, Settings):
                found |= keys_of(inner, f"{prefix}{name}.")
            elif name != "kind":
                found.add(f"{prefix}{name}")
        return found

    known = keys_of(registry.load(registry.stage("explain").settings), "")
    for kind in ("attribution", "projection", "surrogate"):
        for name in registry.names(kind):
            known |= keys_of(registry.settings_of(kind, name), f"{name}.")
    tried = {key for key, *_ in CHANGES} | set(ELSEWHERE)
    for _, first, second, _, _ in CHANGES:
        for part in (first, second):
            for item in part if isinstance(part, list) else [part]:
                if isinstance(item, dict):
                    tried |= {f"{item['kind']}.{name}" for name in item if name != "kind"}
    assert known == tried


def test_the_same_recipe_says_the_same(pictures: Explain) -> None:
    keys: dict[str, Any] = {
        "attributions": [{"kind": "shapley", "samples": 1}],
        "projections": ["tsne"],
        "surrogate": "tree",
    }
    first = pictures(**keys)
    digest = first.artifact("explanation").digest
    for path in (first.folder / "stages").glob("explain-*.json"):
        path.unlink()
    assert pictures(**keys).artifact("explanation").digest == digest
