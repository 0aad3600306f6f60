"""Simple models on the same folds: what any network must beat."""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifierCV, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from moola_core.errors import SpecError
from moola_core.specs import Finetune
from moola_core.training import seeds
from moola_core.training.folds import Fold, thin
from moola_core.training.inputs import Inputs, Replicate

LAST_BARS = 20
LOGISTIC_C = 0.05
RIDGE_ALPHA = 100.0
TREES = 200
ALPHAS = np.logspace(-3, 3, 10)
CALIBRATION_PARTS = 3
NAMES = ("majority", "logistic", "extra_trees", "minirocket")


def fit_reference(spec: Finetune, inputs: Inputs, fold: Fold) -> Replicate:
    """One fit of the simple model that spec.reference names, on the fold's training and inner windows together.

    A simple model stops nowhere early, so it needs no inner windows. Raises SpecError where its package is missing.
    """
    started = time.perf_counter()
    fold = thin(fold, inputs.label, spec.training)
    rows = np.sort(np.r_[fold.train, fold.inner])
    seed = int(seeds.stream(spec.training.seed, fold.repeat, fold.fold, seeds.WEIGHTS).generate_state(1)[0])
    described = _describe(spec.reference, inputs.x, rows, seed)
    classifier, regressor = _models(spec.reference, seed)
    known = rows[np.isfinite(inputs.pointer[rows]).all(1)]
    probabilities, span = None, None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of constant columns and small classes: the predictions show enough
        if spec.model.tasks != "pointers":
            classifier.fit(described[rows], inputs.target[rows])
            probabilities = np.zeros((len(fold.test), len(inputs.classes)))
            probabilities[:, classifier.classes_] = classifier.predict_proba(described[fold.test])
        if spec.model.tasks != "class" and len(known):
            regressor.fit(described[known], np.stack([inputs.start[known], inputs.end[known]], axis=1))
            span = np.clip(regressor.predict(described[fold.test]), 0, inputs.window_bars - 1)
    return Replicate(
        fold.repeat,
        fold.fold,
        fold.test,
        probabilities,
        None if span is None else span.min(1),
        None if span is None else span.max(1),
        0,
        0,
        {},
        {},
        None,
        None,
        0,
        0,
        time.perf_counter() - started,
        "cpu",
    )


def _models(name: str, seed: int) -> tuple[Any, Any]:
    """Classifier and pointer regressor on the description that `_describe` makes."""
    if name == "majority":
        return DummyClassifier(strategy="prior"), DummyRegressor(strategy="median")
    if name == "logistic":
        return (
            make_pipeline(StandardScaler(), LogisticRegression(C=LOGISTIC_C, max_iter=2000)),
            make_pipeline(StandardScaler(), Ridge(RIDGE_ALPHA)),
        )
    if name == "extra_trees":
        return (
            ExtraTreesClassifier(TREES, min_samples_leaf=2, random_state=seed, n_jobs=2),
            ExtraTreesRegressor(TREES, max_features="sqrt", min_samples_leaf=5, random_state=seed, n_jobs=2),
        )
    ridge = make_pipeline(StandardScaler(with_mean=False), RidgeClassifierCV(ALPHAS))
    return CalibratedClassifierCV(ridge, cv=CALIBRATION_PARTS), make_pipeline(
        StandardScaler(with_mean=False), RidgeCV(ALPHAS)
    )


def _describe(name: str, x: np.ndarray, rows: np.ndarray, seed: int) -> np.ndarray:
    """Windows x [n, K, F] as the model reads them [n, D]; random parts are drawn from the training `rows` alone."""
    if name == "logistic":
        return np.concatenate([x.mean(1), x.std(1), x[:, -LAST_BARS:].mean(1)], axis=1)
    if name == "minirocket":
        return _rocket(x, rows, seed)
    return x.reshape(len(x), -1)


def _rocket(x: np.ndarray, rows: np.ndarray, seed: int) -> np.ndarray:
    try:
        from aeon.transformations.collection.convolution_based import MiniRocket
    except ImportError:
        raise SpecError(
            "minirocket needs the package aeon.", where="reference", hint='pip install "moola[aeon]", or leave it out.'
        ) from None
    channels = np.ascontiguousarray(x.transpose(0, 2, 1), dtype=np.float32)
    return np.asarray(MiniRocket(random_state=seed).fit(channels[rows]).transform(channels))
