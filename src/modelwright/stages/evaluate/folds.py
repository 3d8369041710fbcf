"""Cross-validation: the recipe is run once per fold, everything rebuilt in each."""

from __future__ import annotations

import numpy as np

from ...core.evidence import Evidence
from ...core.stage import Context
from ...methods.statistics.intervals import t_interval

# What is reported over folds: one number a fold, so no more than the few that people compare.
FOLD_CLAIMS = (
    *("accuracy", "balanced_accuracy", "f1_macro", "log_loss", "roc_auc"),
    *("l1", "ssim", "perceptual", "perceptual_gain[copy]", "kid"),
)


def cross_validate(context: Context, folds: int, about: dict[str, str]) -> list[dict[str, float]]:
    """Run the recipe once per fold, everything rebuilt, and claim mean and interval over folds."""
    values: list[dict[str, float]] = []
    for fold in range(folds):
        context.check_interrupt(fold, folds, f"fold {fold + 1} of {folds}")
        recipe = context.recipe.edited(
            {
                "name": f"{context.recipe.name}-fold-{fold + 1}-of-{folds}",
                "prepare.split.folds": folds,
                "prepare.split.fold": fold,
                "evaluate.folds": 0,
            }
        )
        evidence = context.run_recipe(recipe, "evaluate").evidence()
        values.append(
            {
                item.name: item.value
                for item in evidence
                if item.value is not None and (item.name in FOLD_CLAIMS or item.name.startswith("f1["))
            }
        )
    for name in (name for name in values[0] if all(name in value for value in values)):
        scores = [value[name] for value in values]
        low, high = t_interval(scores, context.settings.confidence, test_over_train=1 / (folds - 1))
        context.claim(
            Evidence(
                f"cross_validation[{name}]",
                float(np.mean(scores)),
                low=low,
                high=high,
                confidence=context.settings.confidence,
                n=folds,
                about=about,
                method=f"{folds} stratified folds, everything rebuilt in each; corrected t interval over folds (Nadeau and Bengio 2003)",
            )
        )
    return values
