"""Every layout, on several processes, in every manner of training: the losses and weights of one process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from layout_cases import BASES, BATCH, MANNERS, OF_TEXT, STEPS, Case, train_all, train_one
from safetensors.torch import load_file

from modelwright.core.errors import RecipeError
from modelwright.core.recipe import recipe_from

LOSS, WEIGHT = 1e-6, 1e-5
PIPELINE = {"kind": "pipeline"}
LAYOUTS: dict[int, dict[str, Any]] = {
    2: {
        "data": "data",
        "sharded": "sharded",
        "tensor": "tensor",
        "pipeline": "pipeline",
        "gpipe": {**PIPELINE, "schedule": "gpipe", "micro_batches": 4},
        "interleaved": {**PIPELINE, "schedule": "interleaved"},
    },
    4: {
        "data": "data",
        "sharded": {"kind": "sharded", "gather_again": False},
        "tensor_by_data": {"kind": "tensor", "size": 2},
        "pipeline": "pipeline",
        "pipeline_by_data": {**PIPELINE, "stages": 2},
        "interleaved_by_data": {**PIPELINE, "stages": 2, "schedule": "interleaved"},
    },
}
# Other schedules are the same layout: one manner shows that they are wired; `make test-full` tries them all.
SCHEDULES = ("gpipe", "interleaved", "interleaved_by_data")
STOPPED = 3
Found = dict[str, dict[str, Any]]


def kind_of(layout: Any) -> str:
    return str(layout if isinstance(layout, str) else layout["kind"])


# Every manner once; `make test-full` tries every manner on every model.
QUICK = {"text": ["accumulation", "group_robust"], "language": ["plain", "clip", "lora"], "pairs": ["plain"]}


def manners_of(base: str, layout: str = "", everything: bool = True) -> list[str]:
    """Return in which manners a recipe is trained; what a layout refuses is tried below."""
    refused = ["group_robust"] if "pipeline" in layout or layout in SCHEDULES else []
    wanted = list(MANNERS) if everything else QUICK[base]
    wanted = [manner for manner in wanted if everything or manner == "plain" or layout not in SCHEDULES]
    if base == "pairs":
        # Sums over answers are large numbers: rounded otherwise, they end further apart than the bar (docs/log.md).
        wanted = [
            manner for manner in wanted if manner in ("plain", "clip") and (everything or layout not in SCHEDULES)
        ]
    return [manner for manner in wanted if (base == "text" or manner not in OF_TEXT) and manner not in refused]


def cases_for(processes: int, folder: Path, everything: bool) -> dict[str, Case]:
    """Return every layout in every manner, and each layout stopped after a step and gone on with."""
    cases = {}
    for layout, chosen in LAYOUTS[processes].items():
        for base in BASES:
            for manner in manners_of(base, layout, everything):
                name = f"{base}-{layout}-{manner}"
                cases[name] = Case(base, {**MANNERS[manner], "train.layout": chosen}, str(folder / name))
        if layout not in SCHEDULES:
            name = f"language-{layout}-stopped"
            cases[name] = Case("language", {"train.layout": chosen}, str(folder / name), STOPPED)
            cases[f"language-{layout}-resumed"] = Case("language", {"train.layout": chosen}, str(folder / name))
    return cases


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """Each manner of training in one process."""
    folder = tmp_path_factory.mktemp("twins")
    names = [(base, manner) for base in BASES for manner in manners_of(base)]
    return {
        f"{base}-{manner}": train_one(Case(base, MANNERS[manner], str(folder / f"{base}-{manner}")))
        for base, manner in names
    }


def distance(made: dict[str, Any], twin: dict[str, Any]) -> tuple[float, float]:
    """Return how far the losses of two trainings lie apart at most, and their weights."""
    pairs = zip(reversed(made["losses"]), reversed(twin["losses"]), strict=False)
    loss = max(abs(one - other) for one, other in pairs)
    own, other = (load_file(Path(item["model"]) / "model.safetensors") for item in (made, twin))
    assert own.keys() == other.keys()
    weight = max(float((own[key] - other[key]).abs().max()) for key in own)
    return max(loss, abs(made["validation_loss"] - twin["validation_loss"])), weight


def compare(found: Found, twins: Found, processes: int) -> None:
    """Compare every case with its twin; all that differ are named."""
    wrong, furthest = [], [0.0, 0.0]
    for name, made in found.items():
        base, layout, manner = name.split("-")
        if manner == "stopped":
            assert made == {"stopped": STOPPED}
            continue
        twin = twins[f"{base}-{'plain' if manner == 'resumed' else manner}"]
        assert len(made["losses"]) == (STEPS - STOPPED if manner == "resumed" else STEPS), name
        loss, weight = distance(made, twin)
        furthest = [max(pair) for pair in zip(furthest, (loss, weight), strict=True)]
        if loss > LOSS or weight > WEIGHT or made["processes"] != processes:
            wrong.append(f"{name}: losses differ by {loss:.2g}, weights by {weight:.2g}")
        if manner == "resumed" and made["digest"] != found[f"{base}-{layout}-plain"]["digest"]:
            wrong.append(f"{name}: other bytes than undisturbed")
    print(
        f"{processes} processes, {len(found)} trainings: losses within {furthest[0]:.2g}, weights within {furthest[1]:.2g}"
    )
    assert not wrong, "\n" + "\n".join(wrong)


@pytest.mark.parametrize(
    ("processes", "everything"),
    [(2, False), pytest.param(2, True, marks=pytest.mark.full), pytest.param(4, True, marks=pytest.mark.full)],
)
def test_every_layout_trains_as_one_process(tmp_path: Path, twins: Found, processes: int, everything: bool) -> None:
    """And a training that was stopped goes on to the same bytes; and one that others began, to the same weights."""
    cases = cases_for(processes, tmp_path, everything)
    for layout, chosen in LAYOUTS[processes].items():
        if layout in SCHEDULES or not (everything or layout in ("sharded", "pipeline")):
            continue
        # Begun by one process, gone on with by all; and the other way round.
        one = Case("language", {"train.layout": chosen}, str(tmp_path / f"one-{layout}"), STOPPED)
        assert train_one(one) == {"stopped": STOPPED}
        cases[f"language-{layout}_from_one-resumed"] = Case(one.base, one.edits, one.place)
        cases[f"language-{layout}_to_one-stopped"] = Case(one.base, one.edits, str(tmp_path / f"all-{layout}"), STOPPED)
    found = train_all(tmp_path / "all", cases, processes)
    for name in list(found):
        _, layout, _ = name.split("-")
        if layout.endswith("_from_one"):
            assert max(distance(found.pop(name), twins["language-plain"])) < WEIGHT, name
        elif layout.endswith("_to_one"):
            case = cases[name]
            resumed = train_one(Case(case.base, case.edits, case.place))
            assert len(resumed["losses"]) == STEPS - STOPPED
            assert max(distance(resumed, twins["language-plain"])) < WEIGHT, name
    compare(found, twins, processes)


@pytest.mark.full
def test_four_processes_begin_and_two_go_on(tmp_path: Path, twins: Found) -> None:
    places = {layout: tmp_path / layout for layout in ("data", "sharded", "tensor", "pipeline")}
    begun = {name: Case("language", {"train.layout": name}, str(place), STOPPED) for name, place in places.items()}
    train_all(tmp_path / "four", begun, 4)
    gone_on = {name: Case("language", {"train.layout": name}, str(place)) for name, place in places.items()}
    for name, made in train_all(tmp_path / "two", gone_on, 2).items():
        assert len(made["losses"]) == STEPS - STOPPED
        assert max(distance(made, twins["language-plain"])) < WEIGHT, name


def test_manners_differ_from_each_other(twins: Found) -> None:
    """Otherwise the parity above would say nothing of them."""
    for name, twin in twins.items():
        base, manner = name.split("-")
        _, furthest = distance(twin, twins[f"{base}-plain"])
        # Micro-batches change nothing but the order of sums, and activations that are computed again nothing at all.
        assert (furthest > 10 * WEIGHT) == (manner not in ("plain", "accumulation", "checkpointing")), name
    assert BATCH % 2 == 1


@pytest.mark.full
def test_short_parameters_train_alike(tmp_path: Path) -> None:
    """Their sums are rounded to eight bits of mantissa, in another order."""
    edits = {"train.precision": "bfloat16_parameters"}
    cases = {
        layout: Case("language", {**edits, "train.layout": layout}, str(tmp_path / layout))
        for layout in ("data", "sharded")
    }
    twin = train_one(Case("language", edits, str(tmp_path / "twin")))
    plain = train_one(Case("language", {}, str(tmp_path / "plain")))
    assert max(distance(twin, plain)) > 1e-4
    for name, made in train_all(tmp_path / "all", cases, 2).items():
        assert max(distance(made, twin)) < 1e-2, name


BATCH_NORM = {"model": {"kind": "cnn", "channels": [4], "normalisation": "batch"}}
DIGITS = {"task": {"kind": "image"}, "data": {"kind": "sample", "name": "digits"}, "model": {"kind": "mlp"}}
REFUSED: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "statistics of its batch": ("data", {**DIGITS, **BATCH_NORM}, {}),
    "dp_sgd": ("data", DIGITS, {"train.privacy": "dp_sgd", "train.guard": {"then": "stop", "spike": 0.0}}),
    "gradient_release": ("data", {}, {"train.gradient_release": True, "train.guard.patience": 1}),
    "fitted at once": ("data", {"model": {"kind": "tfidf"}}, {}),
    "whole-matrices": ("sharded", {}, {"train.optimiser": {"kind": "muon"}}),
    "average": ("tensor", {}, {"train.average": "ema"}),
    "compile": ("sharded", {}, {"train.compile": True}),
    "bfloat16_parameters": ("tensor", {}, {"train.precision": "bfloat16_parameters"}),
    "how it is cut": ("tensor", {**DIGITS}, {}),
    "group_robust": ("pipeline", {}, MANNERS["group_robust"]),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_a_layout_does_not_provide_is_refused_by_name(what: str, tmp_path: Path) -> None:
    layout, sections, edits = REFUSED[what]
    data = {**BASES["text"], **sections}
    recipe = recipe_from(data, tmp_path)
    assert recipe.edited({**edits, "train.layout": "local"})
    with pytest.raises(RecipeError, match=what) as caught:
        recipe.edited({**edits, "train.layout": layout})
    assert layout in str(caught.value)
