"""scikit-learn estimators over the same recipe, run and predictor: fit trains a recipe, predict asks its model.

Set `model` to the name of a registered model and `train` to a section of a recipe to say more than the defaults.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from ..core import registry
from ..core.execute import run
from ..core.recipe import recipe_from

# Below so many rows in the rarest class, no row can be spared: validation repeats the training rows and decides nothing.
RAREST = 20
VALIDATION = 0.1


def _deal_out(codes: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return which rows to hand over, and the part of each.

    Shapes: codes (n,) int -> rows (m,) int, parts (m,) text
    """
    if np.bincount(codes).min() < RAREST:
        return np.tile(np.arange(len(codes)), 2), np.repeat(["train", "validation"], len(codes))
    generator = np.random.default_rng(seed)
    parts = np.full(len(codes), "train", dtype="<U10")
    for code in range(codes.max() + 1):
        rows = generator.permutation(np.flatnonzero(codes == code))
        parts[rows[: round(VALIDATION * len(rows))]] = "validation"
    return np.arange(len(codes)), parts


class _Classifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """What the three estimators share. State after fit: `classes_`, `files_`, `predictor_`, `evidence_`, `n_iter_`."""

    task: ClassVar[dict[str, Any]]
    content: ClassVar[str]

    def __init__(self, model: Any = "auto", train: dict[str, Any] | None = None, random_state: int = 0) -> None:
        self.model = model
        self.train = train
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> _Classifier:
        """Train on rows X with labels y; a tenth of the rows decides when to stop."""
        inputs, labels = self._check(X, y)
        check_classification_targets(labels)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        rows, parts = _deal_out(codes, int(self.random_state))
        inputs, codes = inputs[rows], codes[rows]
        if len(self.classes_) < 2:
            raise ValueError(f"{type(self).__name__} can't train when only one class is present")
        with TemporaryDirectory() as place:
            folder = Path(place)
            np.save(folder / "inputs.npy", inputs, allow_pickle=False)
            np.save(folder / "labels.npy", codes, allow_pickle=False)
            np.save(folder / "parts.npy", parts, allow_pickle=False)
            made = run(recipe_from(self._recipe(), folder), until="train", folder=folder / "run")
            self.evidence_ = made.evidence()
            model = made.artifact("model")
            if model is None:
                raise AssertionError("a trained run has a model")
            self.files_ = {path.name: path.read_bytes() for path in model.path.iterdir() if path.is_file()}
        self.predictor_ = _open(self.files_)
        steps = next((item.value for item in self.evidence_ if item.name == "steps"), 0)
        # scikit-learn's convention: a fitted model has taken at least one step.
        self.n_iter_ = max(1, int(steps or 0))
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each class, in the order of `classes_`.

        Shapes: X n rows -> (n, classes) float64
        """
        check_is_fitted(self)
        inputs = self._check(X, None)[0]
        known = [int(name) for name in self.predictor_.learnt["classes"]]
        answers = np.zeros((len(inputs), len(self.classes_)))
        answers[:, known] = registry.function_of("action", "answer")(self.predictor_, self.content, inputs)
        return answers

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable class of each row."""
        check_is_fitted(self)
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def __getstate__(self) -> dict[str, Any]:
        # The model travels as its plain files; an opened predictor holds functions, which cannot travel.
        return {name: value for name, value in super().__getstate__().items() if name != "predictor_"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "files_" in state:
            self.predictor_ = _open(self.files_)

    def _recipe(self) -> dict[str, Any]:
        train = {
            "length": "20 epochs",
            "batch": 32,
            "optimiser": {"kind": "adam", "lr": 5e-3},
            "keep": "last",
            "threads": 1,
            **(self.train or {}),
        }
        return {
            "version": 1,
            "name": "estimator",
            "seed": int(self.random_state),
            "task": self.task,
            "data": {"kind": "arrays", "path": ".", "content": self.content},
            "model": self._model() if self.model == "auto" else self.model,
            # The caller holds his own test rows back; equal rows are his to keep.
            "prepare": {"split": {"test": 0.0}, "overlap": "keep"},
            "train": train,
        }

    def _model(self) -> Any:
        raise NotImplementedError

    def _check(self, X: Any, y: Any) -> tuple[np.ndarray, Any]:
        raise NotImplementedError


def _open(files: dict[str, bytes]) -> Any:
    with TemporaryDirectory() as place:
        for name, content in files.items():
            (Path(place) / name).write_bytes(content)
        return registry.function_of("action", "open")(Path(place))


class TabularClassifier(_Classifier):
    """Classify rows of numbers. State after fit: see `_Classifier`."""

    task = {"kind": "tabular"}
    content = "table"

    def _model(self) -> Any:
        return {"kind": "mlp", "hidden": [64, 32]}

    def _check(self, X: Any, y: Any) -> tuple[np.ndarray, Any]:
        if y is None:
            return validate_data(self, X, dtype=np.float64, reset=False), None
        return validate_data(self, X, y, dtype=np.float64)


class ImageClassifier(_Classifier):
    """Classify pictures, (n, h, w) or (n, h, w, c) uint8. State after fit: see `_Classifier`."""

    task = {"kind": "image"}
    content = "image"

    def _model(self) -> Any:
        return {"kind": "cnn", "padding": "same", "dropout": 0.2}

    def _check(self, X: Any, y: Any) -> tuple[np.ndarray, Any]:
        images = np.asarray(X)
        if images.dtype != np.uint8 or images.ndim not in (3, 4):
            raise ValueError(
                f"found {images.dtype} of shape {images.shape}, expected uint8 pictures (n, h, w) or (n, h, w, c)"
            )
        return (images[..., None] if images.ndim == 3 else images), (None if y is None else np.asarray(y))


class TextClassifier(_Classifier):
    """Classify texts. State after fit: see `_Classifier`."""

    task = {"kind": "text"}
    content = "text"

    def _model(self) -> Any:
        return {"kind": "bag", "dropout": 0.2, "buckets": 50_000}

    def _check(self, X: Any, y: Any) -> tuple[np.ndarray, Any]:
        if isinstance(X, str) or not all(isinstance(text, str) for text in X):
            raise ValueError("found something that is not a list of texts, expected one string per row")
        return np.asarray(list(X), dtype=np.str_), (None if y is None else np.asarray(y))
