"""Private training as a recipe asks for it: what is refused, what is claimed, what a kill leaves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from private_recipe import DP, ordinary, record_of, run_privately

from modelwright.core.errors import Interrupted, RecipeError
from modelwright.core.execute import run
from modelwright.core.gates import judge, parse_gate
from modelwright.core.run import Run
from modelwright.core.stage import Answer, Progress

Tiny = Callable[..., Run]


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One private training of the tiny recipe."""
    return run_privately(tmp_path_factory.mktemp("private") / "run")


def test_what_is_claimed(private: Run) -> None:
    claims = {item.name: item for item in private.evidence()}
    record = record_of(private)
    model = private.artifact("model").digest
    for name in ("epsilon", "delta", "noise_multiplier", "sampling_rate", "weights_change"):
        assert claims[name].about["model"] == model
    assert claims["epsilon"].value == record["epsilon"] <= 10.0
    assert claims["epsilon"].high == claims["epsilon"].value
    assert claims["delta"].value == 1e-3
    for said in (
        "at delta 0.001",
        "Poisson sampling at rate",
        "noise 2 times clip 1",
        "PRV accountant of opacus",
        "validation part",
    ):
        assert said in claims["epsilon"].method
    assert abs(record["epsilon"] - record["epsilon_checked"]) <= 0.02 * record["epsilon_checked"]
    assert claims["sampling_rate"].value == 16 / record["examples"]
    assert claims["weights_change"].value > 0
    assert record["order_as_drawn"]
    assert record["steps"] == record["begun"] == claims["steps"].value


def test_a_gate_bounds_epsilon_from_above(private: Run) -> None:
    evidence, about = private.evidence(), {"model": private.artifact("model").digest}
    spent = record_of(private)["epsilon"]
    gates = [
        f"epsilon.upper_bound <= {spent + 0.1:.3f}",
        f"epsilon.upper_bound <= {spent - 0.1:.3f}",
        "delta.value <= 1e-3",
    ]
    assert [verdict.passed for verdict in judge(map(parse_gate, gates), evidence, about)] == [True, False, True]
    other = judge([parse_gate("epsilon.upper_bound <= 100")], evidence, {"model": "another"})
    assert not other[0].passed, "a claim about one model says nothing of another"


def test_an_ordinary_training_claims_no_epsilon(base: Run) -> None:
    assert not {item.name for item in base.evidence()} & {"epsilon", "delta", "noise_multiplier", "sampling_rate"}


REFUSED: dict[str, Any] = {
    "sampler": {"train.sampler": "balanced"},
    "objective: class_weights": {"train.objective": "class_weights"},
    "resample": {"train.resample": "smote"},
    "mixing: mixup": {"train.mixing": ["mixup"]},
    "or cutmix": {"train.mixing": ["cutmix"]},
    "optimiser.lr: auto": {"train.optimiser": {"kind": "adam", "lr": "auto"}},
    "guard.then: rewind": {"train.guard.then": "rewind"},
    "guard.spike": {"train.guard.spike": 20.0},
    "gradient_release": {"train.gradient_release": True, "train.guard.patience": 1},
    "compile": {"train.compile": True},
    "checkpointing": {"train.checkpointing": "blocks"},
    "precision": {"train.precision": "bfloat16"},
    "normalisation": {"model": {"kind": "residual"}},
    "fitted at once": {"task": "tabular", "data": {"kind": "sample", "name": "iris"}, "model": {"kind": "boosting"}},
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_breaks_the_promise_is_refused_by_name_before_data_is_touched(what: str, tmp_path: Path) -> None:
    recipe = ordinary(tmp_path).edited({"train.privacy": DP})
    with pytest.raises(RecipeError, match=what) as caught:
        recipe.edited(REFUSED[what])
    (problem,) = caught.value.problems
    assert "privacy" in str(problem)
    assert problem.expected
    # The same key is no trouble to a training that is not private.
    recipe.edited({**REFUSED[what], "train.privacy": "none"})


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as caught:
        ordinary(tmp_path).edited(
            {"train.privacy": DP, "train.mixing": ["mixup"], "train.sampler": "balanced", "train.guard": {}}
        )
    for what in ("sampler", "mixup", "guard.then: rewind", "guard.spike"):
        assert what in str(caught.value)


def test_delta_is_compared_with_the_examples_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="delta is 0.02, and there are 72 training examples") as caught:
        run_privately(tmp_path / "run", train__privacy={**DP, "delta": 0.02})
    assert caught.value.problems[0].where == "train.privacy.delta"


def stop_after(step: int, how: Answer | BaseException) -> Callable[[Progress], Answer]:
    """Answer `go` until some step of the training, and then something else."""

    def answer(progress: Progress) -> Answer:
        if progress.stage == "train" and progress.step == step:
            if isinstance(how, BaseException):
                raise how
            return how
        return "go"

    return answer


def test_a_stopped_training_goes_on_with_accountant_and_sampler_as_they_were(tmp_path: Path, private: Run) -> None:
    with pytest.raises(Interrupted):
        run_privately(tmp_path / "run", on_progress=stop_after(5, "interrupt"))
    made = run_privately(tmp_path / "run")
    found, expected = record_of(made), record_of(private)
    for name in ("steps", "begun", "epsilon", "epsilon_begun", "noise", "rate", "delta", "order_as_drawn"):
        assert found[name] == expected[name], name
    # What noise there was cannot be found again, and so the weights are others.
    assert made.artifact("model").digest != private.artifact("model").digest


def test_steps_taken_again_after_a_kill_are_in_the_upper_bound(tmp_path: Path, private: Run) -> None:
    """The last checkpoint stands after step 4; steps 4 and 5 are taken twice."""
    rarely = {"train__save": {"every": "4 steps"}}
    with pytest.raises(KeyboardInterrupt):
        run_privately(tmp_path / "run", on_progress=stop_after(6, KeyboardInterrupt()), **rarely)
    made = run_privately(tmp_path / "run", **rarely)
    record, claims = record_of(made), {item.name: item for item in made.evidence()}
    assert record["order_as_drawn"]
    assert (record["steps"], record["begun"]) == (record_of(private)["steps"], record_of(private)["steps"] + 2)
    assert claims["epsilon"].value == record_of(private)["epsilon"]
    assert claims["epsilon"].high > claims["epsilon"].value
    assert "2 steps were taken again after an interruption" in claims["epsilon"].method


def test_a_training_that_began_without_privacy_does_not_become_private(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.raises(Interrupted):
        run(ordinary(tmp_path), "train", stop_after(5, "interrupt"), folder=folder)
    with pytest.raises(RecipeError, match="only 0 of its 5 steps were private"):
        run_privately(folder, allow_change=True)


def test_privacy_keys(tmp_path: Path, private: Run) -> None:
    base = record_of(private)

    def changed(**keys: Any) -> dict[str, Any]:
        return record_of(run_privately(tmp_path / "run", train__privacy={**DP, **keys}))

    assert changed(noise=4.0)["epsilon"] < base["epsilon"]
    assert changed(delta=1e-4)["epsilon"] > base["epsilon"]
    assert changed(clip=0.1)["clip"] == 0.1
    assert changed(gradients="one_by_one")["gradients"] == "one_by_one" != base["gradients"]
    assert len(changed(canaries=20)["canaries"]["scores"]) == 20
    with pytest.raises(RecipeError, match="spend epsilon"):
        changed(epsilon=0.1)


def test_the_model_of_a_training_with_canaries_has_none_of_them(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    averaged = {"train__average": {"kind": "ema", "decay": 0.5}}
    for more in ({}, averaged):
        made = run_privately(tmp_path / "run", train__privacy={**DP, "canaries": 20}, **more)
        assert "canaries" not in load_file(made.artifact("model").path / "model.safetensors")


def test_a_share_of_the_training_part(tiny: Tiny) -> None:
    """Keys train.subset.share and train.subset.seed."""
    digests, steps = [], []
    for subset in ({}, {"share": 0.5}, {"share": 0.5, "seed": 1}):
        made = tiny("train", train__subset=subset)
        digests.append(made.artifact("model").digest)
        steps += [item.value for item in made.evidence() if item.name == "steps"]
    assert len(set(digests)) == 3
    assert steps[1] == steps[2] == pytest.approx(steps[0] / 2, abs=2)
