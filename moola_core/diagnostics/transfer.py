"""Why transfer helps or hurts: what a linear probe can read from the encoder."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from moola_core.diagnostics.results import Probe, ProbeScore

PROBE_C = 0.01

# (repeat, training rows, test rows) of each fold
Split = tuple[int, np.ndarray, np.ndarray]


def linear_probe(representations: Mapping[str, np.ndarray], label: np.ndarray, folds: Sequence[Split]) -> Probe:
    """A standardised logistic regression (C = 0.01) on each representation [n, D], all on the same folds (Alain and Bengio 2016).

    AUROC is pooled out of fold for each repeat; above two classes it is the mean of each against the rest.
    """
    return Probe(len(label), tuple(_score(name, x, label.astype(str), folds) for name, x in representations.items()))


def aggregate(x: np.ndarray) -> np.ndarray:
    """Mean and standard deviation of each feature over a window's bars: [n, K, F] → [n, 2 F]."""
    return np.concatenate([x.mean(1), x.std(1)], axis=1)


def _score(name: str, x: np.ndarray, label: np.ndarray, folds: Sequence[Split]) -> ProbeScore:
    classes = np.unique(label)
    scores = []
    for repeat in sorted({fold[0] for fold in folds}):
        probability = np.full((len(label), len(classes)), np.nan)
        for _, train, test in (fold for fold in folds if fold[0] == repeat):
            model = make_pipeline(StandardScaler(), LogisticRegression(C=PROBE_C, max_iter=2000))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                probability[test] = model.fit(x[train], label[train]).predict_proba(x[test])
        known = ~np.isnan(probability[:, 0])
        truth = label[known]
        if len(classes) == 2:
            scores.append(float(roc_auc_score(truth == classes[1], probability[known, 1])))
        else:
            scores.append(float(roc_auc_score(truth, probability[known], multi_class="ovr", labels=classes)))
    std = float(np.std(scores, ddof=1)) if len(scores) > 1 else 0.0
    return ProbeScore(name, float(np.mean(scores)), std, tuple(scores))
