"""The trade-off between accuracy and fairness on adult, women against men: what each mitigation costs, and how much it helps.

Every model is trained by `recipes/adult.yaml` with another objective; a seed decides the split, the first weights and the
order of the examples, and within a seed all see the same parts. Thresholds by group are chosen on the validation part, by
ours and by fairlearn's `ThresholdOptimizer` (which mixes two thresholds at random) from the same scores of the plain model.
All numbers are those of the test part. Writes `results/fairness_adult.json` and `docs/images/fairness_adult.svg`.

Usage: python benchmarks/fairness_adult.py [--seeds 3]
"""

import argparse
import datetime
import importlib.metadata
import json
import statistics
import tempfile
import warnings
from pathlib import Path

import numpy as np
from side_by_side import describe_machine
from sklearn.base import BaseEstimator, ClassifierMixin

HERE = Path(__file__).resolve().parent
COLUMN = "sex"
MEASURES = ("accuracy", "demographic_parity_difference", "equalised_odds_difference")
CONSTRAINTS = ("demographic_parity", "equalised_odds")
TOLERANCES = (0.01, 0.02, 0.05, 0.1)
TRAINED = {
    "plain": {},
    **{
        f"reweighing {strength:g}": {"train.objective": {"kind": "reweighing", "column": COLUMN, "strength": strength}}
        for strength in (0.5, 1.0)
    },
    **{
        f"group-robust {step:g}": {"train.objective": {"kind": "group_robust", "column": COLUMN, "step": step}}
        for step in (0.01, 0.1)
    },
}
COLOURS = {
    "plain": "#667085",
    "reweighing": "#0f7b6c",
    "group-robust": "#7a5af8",
    "thresholds": "#d9480f",
    "fairlearn": "#1570ef",
}


def train(recipe, folder: Path):
    """Run a recipe to its evaluation; return scores, truth and groups of the validation and of the test part."""
    from modelwright.core.execute import run
    from modelwright.engine.dataset import read_part
    from modelwright.engine.groups import read_groups
    from modelwright.engine.predictor import open_predictor

    made = run(recipe, "evaluate", folder=folder)
    predictor = open_predictor(made.artifact("model").path)
    parts = {}
    for part in ("validation", "test"):
        examples = read_part(made.artifact("dataset").path, part)
        groups = read_groups(made.artifact("groups").path, part)[COLUMN]
        parts[part] = (predictor.predict(examples)[:, 1], np.asarray(examples.columns["target"]) == 1, groups.codes)
    return parts


def judge(answered, truly, groups) -> dict[str, float]:
    """Return accuracy and gaps of answers."""
    from modelwright.methods.fairness.outcomes import count_outcomes, disparities_of, rates_of

    counts = count_outcomes(groups.astype(np.int64), truly, answered, answered == truly, 2)
    gaps = {name: float(value) for name, value in disparities_of(rates_of(counts)).items()}
    return {"accuracy": float((answered == truly).mean()), **{name: gaps[name] for name in MEASURES[1:]}}


def thresholds(parts) -> dict[str, dict[str, float]]:
    """Choose thresholds by group on the validation part, with every constraint and tolerance; judge them on the test part."""
    from modelwright.methods.fairness.thresholds import choose_thresholds

    found = {}
    for constraint in CONSTRAINTS:
        for tolerance in TOLERANCES:
            scores, truly, groups = parts["validation"]
            chosen = choose_thresholds(scores, truly, groups, 2, constraint, tolerance)
            scores, truly, groups = parts["test"]
            answered = scores >= np.asarray(chosen.of_group)[groups]
            found[f"thresholds {constraint} {tolerance:g}"] = judge(answered, truly, groups)
    return found


class Known(ClassifierMixin, BaseEstimator):
    """State: nothing. A classifier to whom a row is its score."""

    classes_ = np.array([0, 1])

    def fit(self, scores, truly):
        return self

    def predict_proba(self, scores):
        return np.stack([1 - scores[:, 0], scores[:, 0]], axis=1)

    def predict(self, scores):
        return (scores[:, 0] >= 0.5).astype(int)

    def __sklearn_is_fitted__(self):
        return True


def fairlearn(parts) -> dict[str, dict[str, float]]:
    """Let fairlearn choose, from the same scores and rows."""
    from fairlearn.postprocessing import ThresholdOptimizer

    found = {}
    for constraint, theirs in zip(CONSTRAINTS, ("demographic_parity", "equalized_odds"), strict=True):
        optimiser = ThresholdOptimizer(
            estimator=Known(),
            constraints=theirs,
            objective="accuracy_score",
            prefit=True,
            predict_method="predict_proba",
        )
        scores, truly, groups = parts["validation"]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            optimiser.fit(scores[:, None], truly.astype(int), sensitive_features=groups)
            scores, truly, groups = parts["test"]
            answered = optimiser.predict(scores[:, None], sensitive_features=groups, random_state=0) == 1
        found[f"fairlearn {constraint}"] = judge(answered, truly, groups)
    return found


def reduce(runs: list[dict]) -> dict[str, dict]:
    """Return mean and standard deviation over the seeds of each measure of each answer."""
    return {
        answer: {
            name: {
                "mean": statistics.fmean(run[answer][name] for run in runs),
                "deviation": statistics.stdev(run[answer][name] for run in runs) if len(runs) > 1 else None,
            }
            for name in MEASURES
        }
        for answer in runs[0]
    }


class Panel:
    """State: where one plot lies in the picture, and what was drawn in it."""

    WIDTH, HEIGHT, LEFT, TOP = 380, 300, 56, 40

    def __init__(self, place: int, most: float, low: float, high: float) -> None:
        self.left, self.most, self.low, self.high = self.LEFT + place * (self.WIDTH + 90), most, low, high
        self.pieces: list[str] = []

    def x(self, gap: float) -> float:
        return self.left + self.WIDTH * gap / self.most

    def y(self, accuracy: float) -> float:
        return self.TOP + self.HEIGHT * (self.high - accuracy) / (self.high - self.low)

    def text(self, x: float, y: float, words: str, anchor: str = "start", style: str = "") -> None:
        self.pieces.append(f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{words}</text>')

    def frame(self, title: str) -> None:
        for tick in np.linspace(self.low, self.high, 5):
            self.pieces.append(f'<path class="grid" d="M{self.left} {self.y(tick):.1f}h{self.WIDTH}"/>')
            self.text(self.left - 8, self.y(tick) + 4, f"{tick:.3f}", "end")
        for tick in np.linspace(0, self.most, 6):
            self.text(self.x(tick), self.TOP + self.HEIGHT + 18, f"{tick:.2f}", "middle")
        self.text(self.left, self.TOP - 16, title, style="title")

    def curve(self, points: list[tuple[float, float, str]], colour: str) -> None:
        path = " ".join(f"{self.x(gap):.1f},{self.y(right):.1f}" for gap, right, _ in points)
        self.pieces.append(f'<polyline points="{path}" stroke="{colour}"/>')
        for gap, right, name in points:
            where = f'cx="{self.x(gap):.1f}" cy="{self.y(right):.1f}"'
            self.pieces.append(f'<circle {where} r="4.5" fill="{colour}"><title>{name}</title></circle>')


STYLE = (
    "text{font:12px sans-serif;fill:#475467}.title{font-weight:600;fill:#101828}.grid{stroke:#eaecf0}"
    "polyline{fill:none;stroke-width:2}"
)


def draw(report: dict[str, dict]) -> str:
    """Return the curves as SVG: accuracy against each gap; what lies further to the upper left is better."""
    rights = [item["accuracy"]["mean"] for item in report.values()]
    low, high = float(np.floor(min(rights) * 100) / 100), float(np.ceil(max(rights) * 200) / 200)
    pieces: list[str] = []
    for place, gap in enumerate(MEASURES[1:]):
        most = float(np.ceil(max(item[gap]["mean"] for item in report.values()) * 10) / 10)
        panel = Panel(place, most, low, high)
        panel.frame(f"accuracy against {gap.replace('_', ' ')}")
        shown = gap.removesuffix("_difference")
        for family, colour in COLOURS.items():
            chosen = [
                (item[gap]["mean"], item["accuracy"]["mean"], name)
                for name, item in report.items()
                if name.startswith(family) and (shown in name or family not in ("thresholds", "fairlearn"))
            ]
            panel.curve(sorted(chosen), colour)
        pieces += panel.pieces
    below = Panel.TOP + Panel.HEIGHT + 50
    for place, (family, colour) in enumerate(COLOURS.items()):
        across = Panel.LEFT + place * 165
        pieces.append(f'<circle cx="{across}" cy="{below - 4}" r="5" fill="{colour}"/>')
        pieces.append(f'<text x="{across + 12}" y="{below}">{family}</text>')
    size = f'width="{2 * Panel.WIDTH + 90 + Panel.LEFT + 30}" height="{below + 18}"'
    background = '<rect width="100%" height="100%" fill="#fff"/>'
    inside = "".join([f"<style>{STYLE}</style>", background, *pieces])
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{inside}</svg>\n'


def main() -> None:
    from modelwright.core.recipe import load_recipe

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", type=Path, default=HERE.parent / "recipes" / "adult.yaml")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "fairness_adult.json")
    parser.add_argument("--picture", type=Path, default=HERE.parent / "docs" / "images" / "fairness_adult.svg")
    options = parser.parse_args()
    recipe = load_recipe(options.recipe).edited(
        {"train.threads": 1, "evaluate.floor": "none", "evaluate.resamples": 100, "audit.fairness.columns": [COLUMN]}
    )
    runs = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(1, options.seeds + 1):
            found = {}
            for name, edits in TRAINED.items():
                place = Path(folder) / f"{seed}-{name.replace(' ', '-')}"
                parts = train(recipe.edited({"seed": seed, **edits}), place)
                scores, truly, groups = parts["test"]
                found[name] = judge(scores >= 0.5, truly, groups)
                if name == "plain":
                    found |= thresholds(parts) | fairlearn(parts)
                print(seed, name, {key: round(value, 4) for key, value in found[name].items()}, flush=True)
            runs.append(found)
    report = reduce(runs)
    result = {
        "what": "accuracy and gaps between women and men on the test part of adult, by mitigation",
        "date": datetime.date.today().isoformat(),
        "machine": describe_machine(),
        "versions": {
            name: importlib.metadata.version(name) for name in ("torch", "fairlearn", "scikit-learn", "numpy")
        },
        "remark": "other work shared the cores; nothing here is a time",
        "seeds": options.seeds,
        "means": report,
        "runs": runs,
    }
    options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    options.picture.write_text(draw(report), encoding="utf-8")
    for name, item in report.items():
        print(f"{name:<36}", *(f"{measure} {item[measure]['mean']:.4f}" for measure in MEASURES))


if __name__ == "__main__":
    main()
