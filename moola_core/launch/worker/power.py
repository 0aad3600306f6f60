"""What a study of labelled windows would find: quick models on the folds that it would have."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import numpy as np

from moola_core.diagnostics.intervals import auroc, within_folds
from moola_core.diagnostics.power import power
from moola_core.diagnostics.results import Power
from moola_core.errors import DataError
from moola_core.features.catalog import names
from moola_core.launch.worker.labelled import Labelled, inputs_of
from moola_core.metrics import Predictions, measure
from moola_core.specs import Diagnose, Faults, Finetune, Training, change
from moola_core.training.baselines import fit_baseline
from moola_core.training.folds import Fold, make_folds
from moola_core.training.inputs import Inputs

QUICK, BEST = "logistic", "locate_then_classify"
REPEATS = 3


def powered(spec: Diagnose, material: Labelled) -> Power:
    """Measure the quick model in 3 repeats, and the model that locates first, where there are expansions, in one."""
    inputs = inputs_of(material.trainable, material.x, names(spec.features.columns))
    training = Training(folds=spec.folds, repeats=REPEATS, seed=spec.seed)
    asked = Finetune(data=spec.data, features=spec.features, training=training)
    folds = make_folds(inputs.label, inputs.shared, training, Faults())
    values, f1 = _measured(change(asked, {"estimator": QUICK}), inputs, folds)
    best, best_f1 = None, None
    if np.isfinite(inputs.pointer).all(1).any():
        with suppress(DataError):  # too few expansions to learn where they lie
            own, own_f1 = _measured(change(asked, {"estimator": BEST}), inputs, [f for f in folds if f.repeat == 0])
            best = auroc(own, inputs.shared)
            best_f1 = None if best is None else own_f1
    return power(values, f1, inputs.shared, best, best_f1)


def _measured(spec: Finetune, inputs: Inputs, folds: Sequence[Fold]) -> tuple[np.ndarray, float]:
    """What each window adds to the AUROC [R, n] of a model, and its macro F1 pooled over the folds of a repeat."""
    repeats, n = 1 + max(fold.repeat for fold in folds), len(inputs.label)
    p, place = np.full((repeats, n, len(inputs.classes)), np.nan), np.full((repeats, n), -1)
    for fold in folds:
        fitted = fit_baseline(spec, inputs, fold)
        p[fold.repeat, fold.test], place[fold.repeat, fold.test] = fitted.probabilities, fold.fold
    scores = [measure(Predictions(inputs.classes, inputs.target, own), names=["f1_macro"])["f1_macro"] for own in p]
    return within_folds(inputs.target, p, place), float(np.mean(scores))
