"""The scikit-learn estimators: scikit-learn's own suite, and real data from inside scikit-learn."""

import pickle

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from modelwright import ImageClassifier, TabularClassifier, TextClassifier

FAST = {"length": "3 epochs"}


def test_tabular_passes_check_estimator():
    results = check_estimator(TabularClassifier(train=FAST), on_fail=None, on_skip=None)
    failed = [(result["check_name"], result["exception"]) for result in results if result["status"] == "failed"]
    assert not failed
    assert sum(result["status"] == "passed" for result in results) >= 50


def test_tabular_learns_and_survives_pickling():
    inputs, labels = load_breast_cancer(return_X_y=True)
    train, test, train_labels, test_labels = train_test_split(inputs, labels, random_state=0, stratify=labels)
    model = TabularClassifier().fit(train, train_labels)
    assert model.score(test, test_labels) >= 0.93
    copy = pickle.loads(pickle.dumps(model))
    assert np.array_equal(copy.predict_proba(test), model.predict_proba(test))


def test_works_in_a_pipeline_and_a_search():
    inputs, labels = load_breast_cancer(return_X_y=True)
    search = GridSearchCV(
        make_pipeline(StandardScaler(), TabularClassifier(train=FAST)),
        {"tabularclassifier__random_state": [0, 1]},
        cv=2,
    )
    assert search.fit(inputs[:200], labels[:200]).best_score_ > 0.7


def test_images_and_texts():
    digits = load_digits()
    images = (digits.images * (255 / 16)).astype(np.uint8)
    model = ImageClassifier(train={"length": "4 epochs"}).fit(images[:600], digits.target[:600])
    assert model.score(images[600:900], digits.target[600:900]) >= 0.85
    texts = ["what a good meal"] * 25 + ["a bad, bad meal"] * 25
    answers = TextClassifier(train={"length": "8 epochs"}).fit(texts, ["good"] * 25 + ["bad"] * 25)
    assert list(answers.predict(["good", "bad"])) == ["good", "bad"]


def test_refuses_what_it_cannot_read():
    with pytest.raises(ValueError, match="uint8 pictures"):
        ImageClassifier().fit(np.zeros((4, 3)), [0, 1, 0, 1])
    with pytest.raises(ValueError, match="list of texts"):
        TextClassifier().fit("not a list", ["a"])
    with pytest.raises(ValueError, match="one class"):
        TabularClassifier().fit([[1.0], [2.0]], [1, 1])
