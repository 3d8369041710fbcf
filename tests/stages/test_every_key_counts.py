"""No key is accepted and ignored: changing it changes something that can be seen."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from modelwright.core import registry
from modelwright.core.builtin import BUILTIN
from modelwright.core.errors import DataError, GateFailed, RecipeError
from modelwright.core.journal import read_journal
from modelwright.core.run import Run
from modelwright.core.settings import Settings

Tiny = Callable[..., Run]
NUMBERED = list(range(40))


def digest(run: Run, kind: str) -> str:
    """Return the digest of an artifact of a run."""
    artifact = run.artifact(kind)
    assert artifact is not None
    return artifact.digest


def claims(run: Run) -> dict[str, Any]:
    """Return what a run claims, by name."""
    return {item.name: item for item in run.evidence()}


# Keys whose change gives another artifact of the kind named, everything else being equal.
CHANGES: list[tuple[str, Any, str]] = [
    ("prepare.split.test", 0.3, "dataset"),
    ("prepare.split.validation", 0.3, "dataset"),
    ("prepare.split.by", "random", "dataset"),
    ("prepare.limit", 100, "dataset"),
    ("train.length", "3 epochs", "model"),
    ("train.batch", 8, "model"),
    ("train.micro_batch", 5, "model"),
    ("train.optimiser", {"kind": "sgd", "lr": 0.1}, "model"),
    ("train.schedule", {"kind": "cosine"}, "model"),
    ("train.initialise", "orthogonal", "model"),
    ("train.objective", {"kind": "focal"}, "model"),
    ("train.sampler", {"kind": "balanced"}, "model"),
    ("train.sampler", {"kind": "over_sampling"}, "model"),
    ("train.sampler", {"kind": "under_sampling"}, "model"),
    ("train.mixing", ["mixup"], "model"),
    ("train.mixing", ["cutmix"], "model"),
    ("train.mixing", ["label_smoothing"], "model"),
    ("train.augment.flip", 0.5, "model"),
    ("train.augment.crop", 1, "model"),
    ("train.augment.rotation", 20.0, "model"),
    ("train.augment.zoom", 0.2, "model"),
    ("train.augment.shear", 10.0, "model"),
    ("train.augment.shift", 0.2, "model"),
    ("train.augment.brightness", 0.3, "model"),
    ("train.augment.contrast", 0.3, "model"),
    ("train.augment.cutout", 3, "model"),
    ("train.augment.erasing", 0.9, "model"),
    ("train.augment.noise", 0.2, "model"),
    ("train.augment.blur", 1.5, "model"),
    ("train.augment.policy", "trivial", "model"),
    ("train.clip_norm", 0.01, "model"),
    ("train.clip_value", 1e-4, "model"),
    ("train.average", {"kind": "ema", "decay": 0.5}, "model"),
    ("train.average", {"kind": "swa", "start": "25 %", "every": "2 steps"}, "model"),
    ("train.l1", 0.01, "model"),
    ("train.validate_every", "1 steps", "model"),
    ("train.precision", "bfloat16", "model"),
    ("train.precision", "bfloat16_parameters", "model"),
    ("train.low_rank", {"kind": "lora", "rank": 2}, "model"),
    ("train.low_rank", {"kind": "svd", "rank": 3}, "model"),
    ("evaluate.worst", 3, "evaluation"),
    ("seed", 2, "dataset"),
]

# Keys that need a recipe of their own to be seen; a test of this name stands below or beside.
ELSEWHERE = {
    "train.layout": "test_every_layout_trains_as_one_process (parity/test_layouts.py)",
    "train.on": "test_workers_of_ray_train_as_processes_do (app/test_launch_on_ray.py)",
    "train.adversarial": "test_a_changed_key_changes_what_is_learnt (test_style.py)",
    "train.preference": "test_a_changed_key_changes_what_is_learnt (test_preferences.py)",
    "train.resample": "test_resampling_changes_what_is_learnt_of_unequal_classes (test_diagnosis.py)",
    "train.privacy": "test_privacy_keys (test_train_privately.py)",
    "train.subset.share": "test_a_share_of_the_training_part (test_train_privately.py)",
    "train.subset.seed": "test_a_share_of_the_training_part (test_train_privately.py)",
    "prepare.split.column": "test_splitting_by_a_column",
    "prepare.split.fold": "test_each_fold_is_judged_once (test_folds.py)",
    "prepare.split.folds": "test_each_fold_is_judged_once (test_folds.py)",
    "prepare.bad_rows": "test_bad_rows_and_overlap",
    "prepare.overlap": "test_bad_rows_and_overlap",
    "prepare.forgotten": "test_the_list_may_lie_elsewhere (test_forgotten.py)",
    "encrypt.key": "test_no_row_lies_open_and_the_results_are_the_same (test_encrypt.py)",
    "encrypt.before": "test_what_lay_open_is_sealed_and_a_new_key_takes_over (test_encrypt.py)",
    "encrypt.artifacts": "test_checkpoints_stay_open_where_that_is_asked (test_encrypt.py)",
    "encrypt.checkpoints": "test_checkpoints_stay_open_where_that_is_asked (test_encrypt.py)",
    "prepare.clean": "every rule and its keys (test_clean.py)",
    "train.augment.saturation": "test_saturation_needs_colour",
    "train.augment.border": "test_borders_and_policies",
    "train.augment.changes": "test_borders_and_policies",
    "train.augment.strength": "test_borders_and_policies",
    "train.augment_text.delete": "test_augmented_texts",
    "train.augment_text.hide": "test_augmented_texts",
    "train.augment_text.swap": "test_augmented_texts",
    "train.augment_text.replace": "test_augmented_texts",
    "train.augment_text.synonyms": "test_augmented_texts",
    "train.augment_table.noise": "test_augmented_tables",
    "train.early_stopping.measure": "test_early_stopping_keys",
    "train.early_stopping.patience": "test_early_stopping_keys",
    "train.early_stopping.least": "test_early_stopping_keys",
    "train.keep": "test_keep_last_or_best",
    "train.guard.spike": "test_guard_keys (test_train_goes_back.py)",
    "train.guard.window": "test_guard_keys (test_train_goes_back.py)",
    "train.guard.patience": "test_going_back_ends_where_skipping_ends (test_train_goes_back.py)",
    "train.guard.then": "test_three_in_a_row_stop_the_run (test_train_stops.py)",
    "train.guard.rewinds": "test_it_goes_back_so_often_and_no_more (test_train_goes_back.py)",
    "train.workers": "test_workers_change_no_bytes",
    "train.checkpointing": "test_nothing_but_memory_changes, test_less_is_kept_between_the_passes (test_checkpointing.py)",
    "train.gradient_release": "test_no_two_gradients_are_there_at_once (test_release.py)",
    "train.cuda_allocator": "test_the_allocator_is_noted_where_it_has_no_effect (test_thrift.py)",
    "train.compile": "test_compiled_training (test_train_speed.py)",
    "train.save.every": "test_saving",
    "train.save.keep": "test_saving",
    "train.threads": "test_threads",
    "train.memory": "test_memory_changes_no_bytes",
    "plan.budget.memory": "test_the_largest_micro_batch_that_fits_is_trained_with (plan/test_plan.py)",
    "plan.budget.time": "test_nothing_runs_that_does_not_fit_and_a_change_that_would_is_named (plan/test_plan.py)",
    "plan.budget.energy": "test_every_limit_refuses_and_names_what_would_fit (plan/test_plan.py)",
    "plan.budget.cost": "test_every_limit_refuses_and_names_what_would_fit (plan/test_plan.py)",
    "plan.margin": "test_a_plan_says_what_a_run_will_need_and_its_keys_change_it (plan/test_plan.py)",
    "plan.price": "test_a_plan_says_what_a_run_will_need_and_its_keys_change_it (plan/test_plan.py)",
    "plan.devices": "test_the_fastest_layout_that_fits_is_chosen_and_confirmed_at_full_depth (plan/test_fleet.py)",
    "plan.machine": "test_a_plan_says_what_a_run_will_need_and_its_keys_change_it (plan/test_plan.py)",
    "tune.space": "test_every_domain_is_read (test_tune_space.py)",
    "tune.method": "test_a_grid_is_gone_through_and_ends, test_what_is_learnt_from_trials_moves_the_search (test_tune_search.py)",
    "tune.trials": "test_the_same_seed_searches_alike_and_keys_change_what_is_found (test_tune.py)",
    "tune.goal.measure": "test_the_lowest_loss_is_another_goal (test_tune.py)",
    "tune.halving.first": "test_halving_stops_the_worse_and_counts_their_epochs (test_tune.py)",
    "tune.halving.factor": "test_the_factor_of_halving_says_when_a_trial_is_judged_again (test_tune.py)",
    "tune.processes": "test_several_processes_share_a_search (test_tune.py)",
    "tune.on": "test_ray_that_is_missing_is_named_with_its_extra (test_tune.py)",
    "tune.ray_address": "test_the_address_of_a_cluster_is_where_trials_go (test_tune.py)",
    "tune.keep_trials": "test_trials_see_no_test_part_and_share_one_dataset (test_tune.py)",
    "compress.steps": "test_every_key_of_a_step_counts (compress/test_steps.py)",
    "compress.least_agreement": "test_a_quantised_model_that_decides_otherwise_is_refused (test_compress.py)",
    "compress.resamples": "test_keys_of_the_measurement (test_compress.py)",
    "compress.confidence": "test_keys_of_the_measurement (test_compress.py)",
    "compress.rounds": "test_keys_of_the_measurement (test_compress.py)",
    "compress.groups": "test_groups_are_compared_before_and_after (test_compress.py)",
    "compress.positive": "test_groups_are_compared_before_and_after (test_compress.py)",
    "evaluate.resamples": "test_evaluation_keys",
    "evaluate.confidence": "test_evaluation_keys",
    "evaluate.folds": "test_each_fold_is_judged_once (test_folds.py)",
    "evaluate.floor": "test_floor",
    "evaluate.samples.count": "test_a_changed_key_changes_what_is_made (test_language.py)",
    "evaluate.samples.tokens": "test_a_changed_key_changes_what_is_made (test_language.py)",
    "evaluate.samples.temperature": "test_a_changed_key_changes_what_is_made (test_language.py)",
    "evaluate.samples.nucleus": "test_a_changed_key_changes_what_is_made (test_language.py)",
    "evaluate.choices.answers": "test_a_changed_key_changes_what_is_made (test_chat.py)",
    "evaluate.choices.by_row": "test_each_question_has_its_own_answers (test_own_choices.py)",
    "evaluate.choices.before": "test_a_changed_key_changes_what_is_made (test_chat.py)",
    "audit.fairness.columns": "test_without_columns_nothing_is_said (test_audit_fairness.py)",
    "audit.fairness.intersections": "test_intersections_and_bins (test_audit_fairness.py)",
    "audit.fairness.positive": "test_the_keys_of_fairness (test_audit_fairness.py)",
    "audit.fairness.bins": "test_intersections_and_bins (test_audit_fairness.py)",
    "audit.fairness.least": "test_the_keys_of_fairness (test_audit_fairness.py)",
    "audit.fairness.resamples": "test_the_keys_of_fairness (test_audit_fairness.py)",
    "audit.fairness.confidence": "test_the_keys_of_fairness (test_audit_fairness.py)",
    "audit.fairness.mitigations": "test_mitigations_stand_beside_the_model_as_it_is (test_audit_fairness.py)",
    "audit.fairness.constraint": "test_constraint_and_tolerance_move_the_thresholds (test_audit_fairness.py)",
    "audit.fairness.tolerance": "test_constraint_and_tolerance_move_the_thresholds (test_audit_fairness.py)",
    "audit.privacy.checks": "test_audit_privacy_keys (test_audit_privacy.py)",
    "audit.privacy.canaries": "test_audit_privacy_keys (test_audit_privacy.py)",
    "audit.privacy.guesses": "test_audit_privacy_keys (test_audit_privacy.py)",
    "audit.privacy.membership": "test_audit_privacy_keys (test_audit_privacy.py)",
    "audit.privacy.shadows": "test_audit_privacy_keys (test_audit_privacy.py)",
    "audit.privacy.false_positives": "test_audit_privacy_keys (test_audit_privacy.py)",
    "audit.privacy.confidence": "test_audit_privacy_keys (test_audit_privacy.py)",
    "prove_resume.kills": "test_a_killed_training_is_equal_and_a_gate_can_ask_for_it (test_prove_resume.py)",
    "prove_resume.workers": "test_workers_are_changed_in_turn (test_prove_resume.py)",
    "prove_resume.seed": "test_another_seed_kills_at_other_moments (test_prove_resume.py)",
    "submit.priority": "test_higher_priorities_come_first_and_hold_up_lower_ones (engine/test_queue.py)",
    "submit.workers": "test_the_section_says_what_a_job_needs (app/test_submit.py)",
    "submit.least": "test_the_section_says_what_a_job_needs (app/test_submit.py)",
    "submit.cpus": "test_the_section_says_what_a_job_needs (app/test_submit.py)",
    "submit.gpus": "test_the_section_says_what_a_job_needs (app/test_submit.py)",
    "submit.memory": "test_the_section_says_what_a_job_needs (app/test_submit.py)",
    "energy.method": "test_the_keys_of_energy_say_how_it_is_found (test_energy.py)",
    "energy.watts": "test_the_keys_of_energy_say_how_it_is_found (test_energy.py)",
    "energy.country": "test_country_and_grid_decide_about_carbon (test_energy.py)",
    "energy.grid": "test_country_and_grid_decide_about_carbon (test_energy.py)",
    "energy.budget": "test_a_budget_stops_training_and_a_higher_one_goes_on_to_the_same_bytes (test_energy.py)",
    "track.to": "test_tensorboard_reads_what_was_written, test_mlflow_reads_what_was_written_once (test_tracking.py)",
    "release.gates": "test_release_keys",
    "release.key": "test_release_keys",
    "release.owner": "test_release_keys",
    "release.purpose": "test_release_keys",
    "release.approver": "test_release_keys",
    "release.overrides": "test_an_override_needs_a_name_and_a_reason_and_is_logged (test_release_answers.py)",
    "release.limits": "test_release_keys",
    "release.licence": "test_release_keys",
    "release.languages": "test_release_keys",
}


def keys_of(settings: type[Settings], prefix: str) -> Iterator[str]:
    """Yield the dotted name of every leaf of a settings class."""
    for name, field in settings.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, Settings):
            yield from keys_of(inner, f"{prefix}.{name}")
        else:
            yield f"{prefix}.{name}"


def test_every_key_of_every_stage_is_tried() -> None:
    known = {
        key
        for stage in ("tune", "prepare", "plan", "train", "compress", "evaluate", "audit", "prove_resume", "release")
        for key in keys_of(registry.load(registry.stage(stage).settings), stage)
    } | {
        key
        for section in ("energy", "track", "encrypt", "submit")
        for key in keys_of(registry.load(BUILTIN["section"][section][1]), section)
    }
    tried = {key for key, _, _ in CHANGES} | set(ELSEWHERE)
    assert known - tried == set(), "a new key needs a test that shows what it changes"
    assert tried - known == {"seed"}


@pytest.mark.parametrize(("key", "value", "kind"), CHANGES, ids=lambda item: json.dumps(item).strip('"'))
def test_a_changed_key_changes_what_is_made(tiny: Tiny, base: Run, key: str, value: Any, kind: str) -> None:
    until = {"dataset": "prepare", "model": "train", "evaluation": "evaluate"}[kind]
    made = tiny(until, **{key.replace(".", "__"): value})
    assert digest(made, kind) != digest(base, kind)


def test_texts_of_one_length_together_is_another_order_and_for_texts_only(tiny: Tiny, tmp_path: Path) -> None:
    lines = [
        {"text": f"{number} {number * 7}" + " good" * (1 + number % 9), "label": str(number % 3)}
        for number in range(120)
    ]
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    data = {"kind": "jsonl", "path": "texts.jsonl", "text": ["text"], "label": "label"}
    texts = {"sections": {"task": "text", "data": data, "model": {"kind": "bag", "embedding": 4}}}
    by_length = [digest(tiny("train", **texts, train__sampler=how), "model") for how in ("shuffled", "by_length")]
    windows = [{"kind": "by_length", "window": window} for window in (1, 2)]
    assert len({*by_length, *(digest(tiny("train", **texts, train__sampler=how), "model") for how in windows)}) == 4
    with pytest.raises(RecipeError, match="is for text, and the task is image"):
        tiny("train", train__sampler="by_length")


def test_neighbours_on_disk_soon_after_each_other_is_another_order(tiny: Tiny) -> None:
    kinds = [
        {"kind": "in_blocks", "block": block, "window": window} for block, window in ((128, 2), (256, 2), (128, 3))
    ]
    made = [digest(tiny("train", train__sampler=how), "model") for how in ("shuffled", *kinds)]
    assert len(set(made)) == 4


def test_the_same_recipe_makes_the_same(tiny: Tiny, base: Run) -> None:
    made = tiny("evaluate")
    for kind in ("dataset", "model", "predictions", "evaluation"):
        assert digest(made, kind) == digest(base, kind)


@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
def test_weight_decay_and_rate_reach_the_optimiser(tiny: Tiny, optimiser: str) -> None:
    made = {
        digest(tiny("train", train__optimiser={"kind": optimiser, **keys}), "model")
        for keys in ({}, {"lr": 0.05}, {"weight_decay": 0.1})
    }
    assert len(made) == 3


def test_a_rate_left_to_us_is_found_by_a_range_test(tiny: Tiny) -> None:
    made = tiny("train", train__optimiser={"kind": "adam", "lr": "auto"}, train__length="6 epochs")
    artifact = made.artifact("model")
    assert artifact is not None
    points = json.loads((artifact.path / "training.json").read_text())["rate_test"]
    (chosen,) = [
        item.data
        for item in read_journal(made.folder / "journal.jsonl")
        if item.event == "auto resolved" and item.data["name"] == "train.optimiser.lr"
    ]
    assert chosen["value"] in [point["rate"] for point in points]
    given = tiny("train", train__optimiser={"kind": "adam", "lr": chosen["value"]}, train__length="6 epochs")
    other = given.artifact("model")
    assert other is not None
    # The trial leaves no trace in the training that follows.
    name = "model.safetensors"
    assert (artifact.path / name).read_bytes() == (other.path / name).read_bytes()


def test_early_stopping_keys(tiny: Tiny) -> None:
    def steps(**stopping: Any) -> float:
        made = tiny(
            "train",
            train__length="12 epochs",
            train__optimiser={"kind": "adam", "lr": 0.02},
            train__early_stopping=stopping,
        )
        return float(claims(made)["steps"].value)

    everything = steps()
    # Nothing improves by more than 100 nats, so the first validation stays the best one.
    assert steps(patience=2, least=100.0) == everything / 12 * 3
    assert steps(patience=3, least=100.0) == everything / 12 * 4
    assert steps(patience=12, least=100.0) == everything
    # What the patience waits for matters: the two measures do not improve at the same time.
    assert steps(patience=1, least=0.3, measure="accuracy") != steps(patience=1, least=0.3, measure="loss")


def test_keep_last_or_best(tiny: Tiny) -> None:
    """With a rate that ruins the model in the end, the best weights are not the last ones."""

    def record(keep: str) -> dict[str, Any]:
        made = tiny("train", train__length="8 epochs", train__optimiser={"kind": "sgd", "lr": 1.5}, train__keep=keep)
        found: dict[str, Any] = json.loads((made.artifact("model").path / "training.json").read_text())
        value = claims(made)["validation_loss"].value
        return {**found, "claimed": value}

    best, last = record("best"), record("last")
    losses = [point["loss"] for point in best["validation"]]
    assert losses == [point["loss"] for point in last["validation"]]
    assert min(losses) < losses[-1], "the example no longer shows the difference"
    assert best["claimed"] == min(losses)
    assert best["kept_step"] == best["validation"][losses.index(min(losses))]["step"]
    assert last["claimed"] == losses[-1]
    assert last["kept_step"] == best["validation"][-1]["step"]


def test_saving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: Tiny) -> None:
    from modelwright.engine import observers

    saved: list[list[str]] = []
    real = observers.save_checkpoint

    def note(folder: Path, checkpoint: Any, keep: int) -> Path:
        path = real(folder, checkpoint, keep)
        saved.append(sorted(place.name[-2:] for place in folder.iterdir()))
        return path

    monkeypatch.setattr(observers, "save_checkpoint", note)
    tiny("train", train__length="9 steps", train__save={"every": "2 steps", "keep": 3})
    assert saved == [["00"], ["00", "02"], ["00", "02", "04"], ["02", "04", "06"], ["04", "06", "08"]]


def test_checkpoints_are_as_rare_as_saving_is_dear_and_resume_keeps_that(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modelwright.core.errors import Interrupted
    from modelwright.engine import cadence
    from modelwright.engine.observers import Keeper

    monkeypatch.setattr(cadence, "TRIAL", 1)
    monkeypatch.setattr(Keeper, "cost", lambda keeper: 1e-9)
    edits = {"train__length": "5 epochs"}
    with pytest.raises(Interrupted):
        tiny("train", on_progress=lambda seen: "interrupt" if seen.step == 14 else "go", **edits)
    monkeypatch.setattr(Keeper, "cost", lambda keeper: pytest.fail("this was decided before"))
    made = tiny("train", **edits)
    chosen = made.state()["resolved"]["train.save.every"]
    assert chosen["value"] == "1 epochs"
    assert chosen["why"].startswith("a checkpoint takes about 1e-09 s, an epoch ")


def test_threads(tiny: Tiny) -> None:
    import torch

    before = torch.get_num_threads()
    try:
        tiny("train", train__threads=2)
        assert torch.get_num_threads() == 2
        made = tiny("train", train__threads="auto")
        resolved = made.state()["resolved"]["train.threads"]
        assert torch.get_num_threads() == resolved["value"]
        assert resolved["why"] == "the cores this process may use"
        with pytest.raises(RecipeError, match=r"train\.threads"):
            tiny("train", train__threads=0)
    finally:
        torch.set_num_threads(before)


def test_workers_change_no_bytes(tiny: Tiny, base: Run) -> None:
    import threading

    started: list[str] = []
    real = threading.Thread.start

    def start(thread: threading.Thread) -> None:
        started.append(thread.name)
        real(thread)

    threading.Thread.start = start  # type: ignore[method-assign]
    try:
        made = tiny("train", train__workers=2)
    finally:
        threading.Thread.start = real  # type: ignore[method-assign]
    assert len([name for name in started if name.startswith("batches")]) == 2
    assert digest(made, "model") == digest(base, "model")


def test_memory_changes_no_bytes(tiny: Tiny, base: Run) -> None:
    assert digest(tiny("train", train__memory="tight"), "model") == digest(base, "model")


def test_saturation_needs_colour(tiny: Tiny) -> None:
    with pytest.raises(RecipeError, match="saturation"):
        tiny("train", train__augment={"saturation": 0.5})


def test_borders_and_policies(tiny: Tiny) -> None:
    augments: list[dict[str, Any]] = [
        *({"crop": 2, "border": border} for border in ("constant", "nearest", "reflect")),
        *({"policy": "rand", **keys} for keys in ({}, {"changes": 1}, {"strength": 0.9})),
    ]
    assert len({digest(tiny("train", train__augment=augment), "model") for augment in augments}) == len(augments)


def test_augmented_texts(tiny: Tiny, tmp_path: Path) -> None:
    lines = [
        {"text": f"{'good fine' if row % 2 else 'bad poor'} words {row}", "label": "ab"[row % 2]} for row in NUMBERED
    ]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    sections = {
        "task": "text",
        "data": {"kind": "jsonl", "path": str(tmp_path / "a.jsonl")},
        "model": {"kind": "gru", "embedding": 4, "hidden": 4},
    }
    augments: list[dict[str, Any]] = [{}, {"delete": 0.4}, {"hide": 0.4}, {"swap": 0.8}]
    augments += [{"replace": 0.8, "synonyms": words} for words in ([["good", "fine"]], [["bad", "poor"]])]
    made = {digest(tiny("train", sections=sections, train__augment_text=augment), "model") for augment in augments}
    assert len(made) == 6
    with pytest.raises(RecipeError, match="replace"):
        tiny("train", sections=sections, train__augment_text={"replace": 0.5})
    with pytest.raises(RecipeError, match=r"'train\.augment_text' is for text, and the task is image"):
        tiny("train", train__augment_text={"hide": 0.5})


def test_augmented_tables(tiny: Tiny) -> None:
    sections = {"task": "tabular", "data": {"kind": "sample", "name": "iris"}, "model": {"kind": "linear"}}
    plain, noisy = (
        digest(tiny("train", sections=sections, train__augment_table={"noise": noise}), "model") for noise in (0.0, 0.5)
    )
    assert plain != noisy


def test_evaluation_keys(tiny: Tiny, base: Run) -> None:
    def width(**edits: Any) -> float:
        claim = claims(tiny("evaluate", **edits))["log_loss"]
        return float(claim.high - claim.low)

    assert claims(base)["accuracy"].method.endswith("100 resamples")
    assert claims(tiny("evaluate", evaluate__resamples=150))["accuracy"].method.endswith("150 resamples")
    assert width(evaluate__confidence=0.5) < width(evaluate__confidence=0.99)
    assert claims(tiny("evaluate", evaluate__confidence=0.9))["accuracy"].confidence == 0.9


def test_floor(tiny: Tiny) -> None:
    table = {
        "task": "tabular",
        "data": {"kind": "sample", "name": "iris"},
        "model": {"kind": "linear"},
        "prepare": {"split": {"test": 0.3, "validation": 0.3}},
    }
    with_floor = claims(tiny("evaluate", sections=table, evaluate__floor="auto"))
    without = claims(tiny("evaluate", sections=table, evaluate__floor="none"))
    assert {"floor[accuracy]", "gain_over_floor"} <= set(with_floor)
    assert not any("floor" in name for name in without)


def rows_of(tiny: Tiny, path: Path, **edits: Any) -> dict[str, list[float]]:
    """Prepare a table; return the column `number` of each part."""
    import numpy as np

    table = {
        "task": {"kind": "tabular", "ignore": ["when", "group"]},
        "data": {"kind": "csv", "path": str(path)},
        "model": {"kind": "linear"},
        "prepare": {"split": {"test": 0.25, "validation": 0.25}},
    }
    made = tiny("prepare", sections=table, **edits).artifact("dataset")
    (column,) = json.loads((made.path / "preprocessing.json").read_text())["columns"]
    parts = {}
    for part in ("train", "validation", "test"):
        scaled = np.load(made.path / part / "numbers.npy")[:, 0]
        parts[part] = sorted((scaled * column["deviation"] + column["mean"]).round(1).tolist())
    return parts


def test_splitting_by_a_column(tiny: Tiny, tmp_path: Path) -> None:
    lines = ["number,group,when,label"]
    lines += [f"{row}.5,g{row % 8},{2000 + (row * 7) % 40}-01-01,{'ab'[row % 3 == 0]}" for row in NUMBERED]
    (tmp_path / "table.csv").write_text("\n".join(lines) + "\n")
    grouped = rows_of(tiny, tmp_path / "table.csv", prepare__split__by="grouped", prepare__split__column="group")
    groups = {part: {int(number) % 8 for number in numbers} for part, numbers in grouped.items()}
    assert not groups["train"] & groups["test"]
    assert not groups["train"] & groups["validation"]
    assert not groups["validation"] & groups["test"]
    timed = rows_of(tiny, tmp_path / "table.csv", prepare__split__by="time", prepare__split__column="when")
    years = {part: {2000 + int(number) * 7 % 40 for number in numbers} for part, numbers in timed.items()}
    assert max(years["train"]) < min(years["validation"])
    assert max(years["validation"]) < min(years["test"])
    with pytest.raises(DataError, match="there is no column 'moment' to split by"):
        rows_of(tiny, tmp_path / "table.csv", prepare__split__by="time", prepare__split__column="moment")


def test_bad_rows_and_overlap(tiny: Tiny, tmp_path: Path) -> None:
    lines = [f"{row}.5,{'ab'[row % 2]}" for row in NUMBERED]
    # Five contents stand twice, and one cell is no number.
    (tmp_path / "table.csv").write_text("\n".join(["number,label", *lines, *lines[:5], "inf,a"]) + "\n")
    # Without strata, copies fall where they like, so that some surely fall into two parts.
    random = {"prepare__split__by": "random", "prepare__bad_rows": 0.05}
    with pytest.raises(DataError, match=r"1 of 46 rows \(2.17%\) cannot be used"):
        rows_of(tiny, tmp_path / "table.csv", prepare__bad_rows=0.01)
    kept = rows_of(tiny, tmp_path / "table.csv", **random, prepare__overlap="keep")
    dropped = rows_of(tiny, tmp_path / "table.csv", **random, prepare__overlap="drop")
    shared = set(kept["train"]) & (set(kept["validation"]) | set(kept["test"]))
    assert shared
    assert not set(dropped["train"]) & (set(dropped["validation"]) | set(dropped["test"]))
    assert not set(dropped["validation"]) & set(dropped["test"])
    # The more careful side keeps its row.
    assert dropped["test"] == kept["test"]
    assert set().union(*dropped.values()) == set().union(*kept.values())
    with pytest.raises(DataError, match=r"rows stand in two parts, first table\.csv:"):
        rows_of(tiny, tmp_path / "table.csv", **random, prepare__overlap="stop")


def test_release_keys(tiny: Tiny, tmp_path: Path) -> None:
    from modelwright.stages.release.signature import signing_key

    key = signing_key("", tmp_path)
    (tmp_path / "key.pem").write_bytes(key.private_pem)
    words = {
        "owner": "Ada L",
        "approver": "Grace H",
        "purpose": "counts sheep",
        "limits": "no goats",
        "licence": "mit",
        "languages": ["en", "zh"],
    }
    made = tiny(release={**words, "key": "key.pem", "gates": ["accuracy.value >= 0"]}).artifact("release").path
    card = (made / "README.md").read_text()
    assert all(text in card for text in ("Ada L", "Grace H", "counts sheep", "no goats", "license: mit", "- en\n- zh"))
    assert (made / "signer.pub").read_bytes() == key.public_pem
    (verdict,) = json.loads((made / "gates.json").read_text())["verdicts"]
    assert (verdict["gate"], verdict["passed"]) == ("accuracy.value >= 0", True)
    with pytest.raises(GateFailed, match=r"gate 'accuracy\.value >= 2' does not hold"):
        tiny(release__gates=["accuracy.value >= 2"])
