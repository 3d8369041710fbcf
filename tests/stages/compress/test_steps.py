"""Each step of compression on small networks: what it does to the file, the answers and the operations, and what it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from benches import step, store
from safetensors.numpy import load_file

from modelwright.core import registry
from modelwright.core.errors import DamagedArtifact, RecipeError
from modelwright.engine import predictor as predictors
from modelwright.engine.network_folder import read_network
from modelwright.engine.predictor import open_predictor
from modelwright.stages.compress import export, quantise, static
from modelwright.stages.compress.bench import PARITY, Bench

CNN = {"kind": "cnn", "channels": [8, 16], "dense": 32, "normalisation": "batch"}
MLP = {"kind": "mlp", "hidden": [64, 32]}
BAG = {"kind": "bag", "buckets": 50, "embedding": 16}
QUANTISE, STRUCTURED, EXPORT = {"kind": "quantise"}, {"kind": "prune", "how": "structured"}, {"kind": "export"}
LEARN = {"fine_tune": "4 epochs", "batch": 10, "rate": 1e-2}
SMALL: dict[str, dict[str, Any]] = {
    "transformer": {"width": 16, "heads": 4},
    "bag": {"buckets": 50},
    "convolution": {"channels": 8},
    "cnn": {"normalisation": "batch", "channels": [8, 16]},
}
FROM_OUTSIDE = ("backbone", "hf", "open_weights")
# The exporter writes its steps down one by one, so the file would fit one length of text alone.
NOT_EXPORTED = "rnn"
# Exporting takes seconds; of each kind of layer one network is tried always.
ALWAYS = {("cnn", "image"), ("mlp", "tabular"), ("bag", "text")}
PLAIN = {"config.json", "preprocessing.json", "model.safetensors", "model.onnx"}


def size_of(folder: Path) -> int:
    """Return the bytes of the weights."""
    return sum(
        (folder / name).stat().st_size for name in ("model.safetensors", "model.onnx") if (folder / name).exists()
    )


def answers_of(folder: Path, bench: Bench) -> np.ndarray:
    return open_predictor(folder).predict(bench.validation)


def changes_in(folder: Path) -> list[str]:
    return [change["kind"] for change in json.loads((folder / "config.json").read_text()).get("changes", [])]


@pytest.mark.parametrize("how", ["dynamic", "weight_only"])
@pytest.mark.parametrize(("task", "model"), [("image", MLP), ("image", CNN), ("text", BAG), ("tabular", MLP)])
def test_linear_layers_in_eight_bits(task: str, model: dict[str, Any], how: str, tmp_path: Path) -> None:
    bench = store(tmp_path / "before", task, model)
    facts = step({"kind": "quantise", "how": how}, bench, tmp_path / "before", tmp_path / "after")
    assert facts["parity"] <= PARITY
    assert facts["layers"] >= 1
    stored = load_file(tmp_path / "after" / "model.safetensors")
    assert {array.dtype.name for array in stored.values()} >= {"int8", "float32"}
    assert size_of(tmp_path / "after") < size_of(tmp_path / "before")
    apart = np.abs(answers_of(tmp_path / "after", bench) - answers_of(tmp_path / "before", bench)).max()
    assert 0 < apart < 0.05, "eight bits lose something, but not much"
    assert {path.name for path in (tmp_path / "after").iterdir()} <= PLAIN


def test_what_the_two_ways_compute_is_not_the_same(tmp_path: Path) -> None:
    bench = store(tmp_path / "before", "image", MLP)
    found = []
    for how in ("dynamic", "weight_only"):
        step({"kind": "quantise", "how": how}, bench, tmp_path / "before", tmp_path / how)
        found.append(answers_of(tmp_path / how, bench))
    assert not np.array_equal(*found)


def test_static_quantisation_covers_convolutions(tmp_path: Path) -> None:
    bench = store(tmp_path / "before", "image", {**CNN, "channels": [32, 64]})
    facts = step({"kind": "quantise", "how": "static"}, bench, tmp_path / "before", tmp_path / "after")
    assert facts["parity"] <= PARITY
    assert facts["calibration"] == len(bench.training)
    assert size_of(tmp_path / "after") < 0.4 * size_of(tmp_path / "before")
    apart = np.abs(answers_of(tmp_path / "after", bench) - answers_of(tmp_path / "before", bench)).max()
    assert 0 < apart < 0.1
    fewer = {"kind": "quantise", "how": "static", "calibration": 3}
    step({"kind": "export"}, bench, tmp_path / "before", tmp_path / "onnx")
    # From the file that is there already, and with scales of other examples.
    assert step(fewer, bench, tmp_path / "onnx", tmp_path / "fewer")["calibration"] == 3
    assert not np.array_equal(answers_of(tmp_path / "fewer", bench), answers_of(tmp_path / "after", bench))


def exported() -> list[Any]:
    """Return every network of every task, those that are tried always and those of the longer proofs."""
    found = []
    for name in registry.names("model"):
        settings = registry.settings_of("model", name)
        if name not in (*FROM_OUTSIDE, NOT_EXPORTED) and not getattr(settings, "at_once", False):
            for task in settings.serves:
                if task in ("image", "text", "tabular"):
                    found.append(pytest.param(name, task, marks=[] if (name, task) in ALWAYS else [pytest.mark.full]))
    return found


@pytest.mark.parametrize(("name", "task"), exported())
def test_the_exported_file_answers_as_the_network_in_any_batch(
    name: str, task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = store(tmp_path / "before", task, {"kind": name, **SMALL.get(name, {})})
    facts = step({"kind": "export"}, bench, tmp_path / "before", tmp_path / "after")
    assert facts["parity"] <= PARITY
    assert {path.name for path in (tmp_path / "after").iterdir()} == PLAIN - {"model.safetensors"}
    opened, expected = open_predictor(tmp_path / "after"), answers_of(tmp_path / "before", bench)
    assert expected.std() > 1e-4, "answers that are all alike prove nothing"
    for batch in (1, 3, 17):
        monkeypatch.setattr(predictors, "BATCH", batch)
        assert np.abs(opened.predict(bench.validation) - expected).max() <= PARITY, batch


@pytest.mark.full
def test_a_network_whose_file_would_fit_one_length_alone_is_refused(tmp_path: Path) -> None:
    bench = store(tmp_path / "before", "text", {"kind": NOT_EXPORTED})
    with pytest.raises(RecipeError, match="the model cannot become an ONNX file: the file cannot be run") as caught:
        step(EXPORT, bench, tmp_path / "before", tmp_path / "after")
    assert "choose another model" in caught.value.problems[0].next_step


@pytest.fixture(scope="module")
def exported_table(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Bench]:
    """The folder of an exported model of a table; nobody may change it."""
    folder = tmp_path_factory.mktemp("exported")
    bench = store(folder / "before", "tabular", MLP)
    step(EXPORT, bench, folder / "before", folder / "after")
    return folder / "after", bench


def test_the_exported_file_holds_no_word_of_this_machine(exported_table: tuple[Path, Bench]) -> None:
    content = (exported_table[0] / "model.onnx").read_bytes()
    assert str(Path(export.__file__).parents[3]).encode() not in content
    assert b"site-packages" not in content


def test_pruned_weights_are_not_stored_and_stay_zero(tmp_path: Path) -> None:
    bench = store(tmp_path / "before", "image", MLP)
    sizes = []
    for amount in (0.5, 0.9):
        folder = tmp_path / str(amount)
        facts = step({"kind": "prune", "amount": amount, **LEARN}, bench, tmp_path / "before", folder)
        assert facts["zeros"] == pytest.approx(amount, abs=1e-3), "fine-tuning fills none of them"
        assert facts["fine_tuning_steps"] == 12
        sizes.append(size_of(folder))
    whole = size_of(tmp_path / "before")
    assert sizes[0] < 0.6 * whole
    assert sizes[1] < 0.25 * whole
    network = read_network(tmp_path / "0.9").network
    assert float((network.layers[0].weight == 0).float().mean()) > 0.8  # type: ignore[index, union-attr, operator]


def test_channels_are_gone_for_good(tmp_path: Path) -> None:
    bench = store(tmp_path / "before", "image", CNN)
    settings = {"kind": "prune", "how": "structured", "amount": 0.5}
    facts = step(settings, bench, tmp_path / "before", tmp_path / "once")
    assert facts["operations"] < 0.5 * facts["operations_before"]
    assert size_of(tmp_path / "once") < 0.5 * size_of(tmp_path / "before")
    assert answers_of(tmp_path / "once", bench).shape == (30, 3)
    again = step(settings, bench, tmp_path / "once", tmp_path / "twice")
    assert again["operations_before"] == facts["operations"] > again["operations"]
    assert changes_in(tmp_path / "twice") == ["widths"]


def test_thin_layers(tmp_path: Path) -> None:
    bench = store(tmp_path / "before", "image", MLP)
    found = {}
    for rank in (2, 8, 0.5):
        facts = step({"kind": "low_rank", "rank": rank}, bench, tmp_path / "before", tmp_path / str(rank))
        assert facts["operations"] < facts["operations_before"]
        found[rank] = (size_of(tmp_path / str(rank)), facts["ranks"])
    assert found[2][0] < found[8][0] < size_of(tmp_path / "before")
    assert set(found[2][1].values()) == {2}
    assert len(set(found[0.5][1].values())) > 1, "a share of the energy is another rank in each layer"
    with pytest.raises(RecipeError, match="none of the model's 3 linear layers would become smaller"):
        step({"kind": "low_rank", "rank": 500}, bench, tmp_path / "before", tmp_path / "large")


def test_a_student_learns_from_its_teacher(tmp_path: Path) -> None:
    """Labels have no share, so only the teacher can have taught it."""
    bench = store(tmp_path / "before", "image", CNN)
    student = {"kind": "mlp", "hidden": [16]}
    apart = []
    for length in ("1 steps", "60 epochs"):
        settings = {"kind": "distil", "student": student, "length": length, "weight": 1.0, "batch": 15, "rate": 1e-2}
        facts = step(settings, bench, tmp_path / "before", tmp_path / length)
        assert facts["student"] == "mlp"
        assert open_predictor(tmp_path / length).parameters < facts["teacher_parameters"]
        apart.append(np.abs(answers_of(tmp_path / length, bench) - answers_of(tmp_path / "before", bench)).mean())
    assert apart[1] < 0.5 * apart[0]
    assert facts["steps"] == 120


DISTIL = {"kind": "distil", "student": {"kind": "mlp", "hidden": [8]}, "length": "2 epochs"}
PRUNE = {"kind": "prune", "fine_tune": "2 epochs"}
THIN = {"kind": "low_rank", "rank": 4, "fine_tune": "2 epochs"}


@pytest.mark.parametrize(
    ("settings", "key", "value"),
    [
        (DISTIL, "temperature", 8.0),
        (DISTIL, "weight", 0.1),
        (DISTIL, "length", "3 epochs"),
        (DISTIL, "batch", 7),
        (DISTIL, "rate", 0.1),
        (DISTIL, "student", {"kind": "mlp", "hidden": [9]}),
        (PRUNE, "amount", 0.7),
        (PRUNE, "fine_tune", "3 epochs"),
        (PRUNE, "batch", 7),
        (PRUNE, "rate", 0.1),
        (THIN, "rank", 5),
        (THIN, "fine_tune", "3 epochs"),
        (THIN, "batch", 7),
        (THIN, "rate", 0.1),
    ],
    ids=lambda item: str(item.get("kind") if isinstance(item, dict) else item),
)
def test_every_key_of_a_step_counts(settings: dict[str, Any], key: str, value: Any, tmp_path: Path) -> None:
    bench = store(tmp_path / "before", "image", MLP)
    step(settings, bench, tmp_path / "before", tmp_path / "one")
    step({**settings, key: value}, bench, tmp_path / "before", tmp_path / "other")
    assert not np.array_equal(answers_of(tmp_path / "one", bench), answers_of(tmp_path / "other", bench))


def test_steps_follow_each_other(tmp_path: Path) -> None:
    bench = store(tmp_path / "0", "image", CNN)
    steps: list[dict[str, Any]] = [
        {"kind": "prune", "how": "structured", "amount": 0.25},
        {"kind": "low_rank", "rank": 6},
        {"kind": "prune", "how": "unstructured", "amount": 0.5},
        {"kind": "quantise", "how": "weight_only"},
    ]
    for number, settings in enumerate(steps):
        step(settings, bench, tmp_path / str(number), tmp_path / str(number + 1))
    assert changes_in(tmp_path / "4") == ["widths", "thin", "int8"]
    sizes = [size_of(tmp_path / str(number)) for number in range(5)]
    assert sizes == sorted(sizes, reverse=True)
    assert answers_of(tmp_path / "4", bench).shape == (30, 3)


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        ({"kind": "low_rank", "rank": 4}, STRUCTURED, "cannot be removed any more: the step thin came before"),
        (QUANTISE, STRUCTURED, "cannot be removed any more: the step int8 came before"),
        (QUANTISE, EXPORT, "the model holds layers of int8"),
    ],
    ids=lambda item: item.get("kind") if isinstance(item, dict) else "",
)
def test_steps_in_the_wrong_order_are_refused(
    first: dict[str, Any], second: dict[str, Any], found: str, tmp_path: Path
) -> None:
    bench = store(tmp_path / "0", "tabular", MLP)
    step(first, bench, tmp_path / "0", tmp_path / "1")
    with pytest.raises(RecipeError, match=found) as caught:
        step(second, bench, tmp_path / "1", tmp_path / "2")
    assert caught.value.problems[0].next_step or caught.value.problems[0].expected


@pytest.mark.parametrize("settings", [PRUNE, QUANTISE, EXPORT], ids=lambda settings: str(settings["kind"]))
def test_an_onnx_file_is_changed_no_more(
    exported_table: tuple[Path, Bench], settings: dict[str, Any], tmp_path: Path
) -> None:
    folder, bench = exported_table
    with pytest.raises(RecipeError, match="the model is an ONNX file by now"):
        step(settings, bench, folder, tmp_path / "after")


@pytest.mark.parametrize(
    ("student", "found"),
    [
        ({"kind": "logistic"}, "is fitted at once"),
        ({"kind": "lstm"}, "does not serve the task image"),
        ({"kind": "backbone"}, "begins with weights from outside"),
    ],
)
def test_students_that_cannot_learn_are_refused(student: dict[str, Any], found: str, tmp_path: Path) -> None:
    bench = store(tmp_path / "before", "image", MLP)
    with pytest.raises(RecipeError, match=found):
        step({"kind": "distil", "student": student}, bench, tmp_path / "before", tmp_path / "after")


def test_a_quantised_file_that_computes_something_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One scale in a thousand is wrong: the decision may stay, the file is refused all the same."""
    bench = store(tmp_path / "before", "image", MLP)

    def spoilt(network: torch.nn.Module, dynamic: bool) -> dict[str, str]:
        layers = real(network, dynamic)
        network.get_submodule(next(iter(layers))).scale[0] *= 1.05  # type: ignore[index, operator]
        return layers

    real = quantise.plain_int8
    monkeypatch.setattr(quantise, "plain_int8", spoilt)
    with pytest.raises(DamagedArtifact, match="the quantised file differs by .* from its reference") as caught:
        step({"kind": "quantise"}, bench, tmp_path / "before", tmp_path / "after")
    assert caught.value.problems[0].where == "compress.steps[0]"


def test_an_exported_file_that_computes_something_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = store(tmp_path / "before", "tabular", MLP)

    def spoilt(model: Any) -> Any:
        from onnx import numpy_helper

        weights = next(tensor for tensor in model.graph.initializer if len(tensor.dims) == 2)
        weights.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weights) * np.float32(1.01), weights.name))
        return real(model)

    real = export.without_notes
    monkeypatch.setattr(export, "without_notes", spoilt)
    with pytest.raises(DamagedArtifact, match="the exported file differs by"):
        step({"kind": "export"}, bench, tmp_path / "before", tmp_path / "after")


def test_a_static_file_that_is_served_otherwise_than_written_is_refused(
    exported_table: tuple[Path, Bench], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, bench = exported_table
    monkeypatch.setattr(static, "differences", lambda *models: np.array([0.0] * 90 + [2e-4] * 10))
    with pytest.raises(DamagedArtifact, match=r"computes something else than it says on 10\.0% of 100 examples"):
        step({"kind": "quantise", "how": "static"}, bench, folder, tmp_path / "after")


def test_an_onnx_file_that_refers_to_another_file_is_not_opened(
    exported_table: tuple[Path, Bench], tmp_path: Path
) -> None:
    import onnx

    shutil.copytree(exported_table[0], tmp_path / "after")
    path = tmp_path / "after" / "model.onnx"
    model = onnx.load(path)
    onnx.save(model, path, save_as_external_data=True, location="beside.bin", size_threshold=0)
    with pytest.raises(DamagedArtifact, match=r"lies in 'beside\.bin'"):
        open_predictor(tmp_path / "after")


def test_a_model_without_layers_can_only_teach(tmp_path: Path) -> None:
    from modelwright.engine.predictor import save_arrays

    bench = store(tmp_path / "network", "image", MLP)
    papers = json.loads((tmp_path / "network" / "config.json").read_text())
    (tmp_path / "before").mkdir()
    chosen = registry.settings_of("model", "logistic").model_validate({"kind": "logistic"})
    task = registry.settings_of("task", "image").model_validate(papers["task"])
    save_arrays(tmp_path / "before", {"a": np.zeros(3)}, task, chosen, bench.training.learnt)
    with pytest.raises(RecipeError, match="is fitted at once and has no layers"):
        step({"kind": "quantise"}, bench, tmp_path / "before", tmp_path / "after")
