"""What every estimator keeps, whoever adds one."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from moola_core.errors import CheckpointError
from moola_core.estimators import ESTIMATORS, TrainingWindows, storage
from moola_core.specs.choices import ESTIMATORS as NAMES
from moola_core.specs.choices import IMPORTED, JOINED
from tests.estimators.windows import make_windows

pytestmark = pytest.mark.xdist_group("compiled")  # where nothing is compiled yet, each process takes 20 s for it

PROBLEMS = {
    "two classes": {},
    "three classes": {"classes": 3},
    "windows of 10 bars": {"bars": 10},
    "windows of 200 bars": {"bars": 200, "n": 24},
}


def part(windows: TrainingWindows, rows: np.ndarray) -> TrainingWindows:
    arrays = {name: value[rows] for name, value in vars(windows).items() if isinstance(value, np.ndarray)}
    return dataclasses.replace(windows, **arrays)


def test_every_estimator_is_a_choice_with_a_sentence():
    assert set(ESTIMATORS) == set(NAMES) - {"network", IMPORTED, JOINED}
    assert all(NAMES.values())


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("name", list(ESTIMATORS))
def test_predictions_are_probabilities_and_spans_inside_the_window_and_survive_storage(name, problem, tmp_path):
    windows = make_windows(**{"n": 36, **PROBLEMS[problem]})
    rows = np.arange(len(windows.target))
    bars = windows.x.shape[1]
    train, test = part(windows, rows[:-8]), part(windows, rows[-8:])
    fitted = ESTIMATORS[name](seed=1).fit(train)
    predicted = fitted.predict(test.x, test.prices)
    assert predicted.probabilities.shape == (8, windows.classes)
    np.testing.assert_allclose(predicted.probabilities.sum(1), 1)
    start, end = predicted.span.T
    assert (start >= 0).all() and (start <= end).all() and (end <= bars - 1).all()
    path = tmp_path / "estimator.skops"
    path.write_bytes(storage.dumps(fitted))
    again = storage.load(path, ESTIMATORS[name]).predict(test.x, test.prices)
    np.testing.assert_array_equal(again.probabilities, predicted.probabilities)
    np.testing.assert_array_equal(again.span, predicted.span)
    assert (again.spans is None) == (predicted.spans is None)
    for field in dataclasses.fields(predicted.spans) if predicted.spans else ():
        np.testing.assert_array_equal(
            getattr(again.spans, field.name), getattr(predicted.spans, field.name), field.name
        )


@pytest.mark.parametrize("name", list(ESTIMATORS))
def test_the_same_seed_gives_the_same_predictions(name):
    windows = make_windows(30)
    first, second = (ESTIMATORS[name](seed=3).fit(windows).predict(windows.x, windows.prices) for _ in range(2))
    np.testing.assert_array_equal(first.probabilities, second.probabilities)
    np.testing.assert_array_equal(first.span, second.span)


@pytest.mark.parametrize("tasks", ["class", "pointers"])
@pytest.mark.parametrize("name", list(ESTIMATORS))
def test_only_the_task_that_is_asked_for_is_predicted(name, tasks):
    windows = dataclasses.replace(make_windows(30), tasks=tasks)
    predicted = ESTIMATORS[name](seed=0).fit(windows).predict(windows.x, windows.prices)
    assert (predicted.probabilities is None) == (tasks == "pointers")
    assert (predicted.span is None) == (tasks == "class")


@pytest.mark.parametrize("missing", ["some", "one class", "all"])
@pytest.mark.parametrize("name", list(ESTIMATORS))
def test_expansions_may_be_missing(name, missing):
    windows = make_windows(36)
    without = {"some": np.arange(36) % 3 == 0, "one class": windows.target == 1, "all": np.ones(36, bool)}[missing]
    windows = dataclasses.replace(windows, span=np.where(without[:, None], np.nan, windows.span))
    predicted = ESTIMATORS[name](seed=0).fit(windows).predict(windows.x, windows.prices)
    assert np.isfinite(predicted.probabilities).all()
    assert (predicted.span is None) == (missing == "all")


def test_a_file_that_names_other_classes_is_refused(tmp_path):
    import skops.io
    from sklearn.linear_model import LogisticRegression

    path = tmp_path / "estimator.skops"
    path.write_bytes(skops.io.dumps(LogisticRegression()))
    with pytest.raises(CheckpointError, match="cannot be read"):
        storage.load(path, ESTIMATORS["logistic"])
    path.write_bytes(skops.io.dumps({"run": pytest.raises}))
    with pytest.raises(CheckpointError, match="names classes"):
        storage.load(path, ESTIMATORS["logistic"])
    path.write_bytes(b"no archive")
    with pytest.raises(CheckpointError, match="cannot be read"):
        storage.load(path, ESTIMATORS["logistic"])
