"""Simple models on the same folds: what the windows give without a network, beside what a run's model made of them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from moola_core.diagnostics.doctor.flips import flip_rate
from moola_core.diagnostics.doctor.reading import Seen

LINEAR_C = 0.01
MOST_REPEATS = 3
DRAWS = 400
TREES, LEAF, FIFTHS = 200, 3, 5


def aggregated(x: np.ndarray, parts: int = 1) -> np.ndarray:
    """Mean of each feature over each of `parts` parts of a window, and its deviation over the whole: [n, K, F] → [n, (parts + 1) F]."""
    return np.concatenate([*(part.mean(1) for part in np.array_split(x, parts, axis=1)), x.std(1)], axis=1)


def linear() -> Pipeline:
    """A standardised logistic regression."""
    return make_pipeline(StandardScaler(), LogisticRegression(C=LINEAR_C, max_iter=2000))


def trees() -> ExtraTreesClassifier:
    """Extremely randomised trees (Geurts, Ernst and Wehenkel 2006): reads what a line does not."""
    return ExtraTreesClassifier(TREES, min_samples_leaf=LEAF, random_state=0)


def out_of_fold(model: Callable[[], Any], described: np.ndarray, folds: pd.DataFrame, seen: Seen) -> np.ndarray:
    """Probabilities [n, C] of a simple model on described [n, D], averaged over (at most 3) repeats; nan where none."""
    place = {name: i for i, name in enumerate(seen.window_id.astype(str))}
    label = seen.label.astype(str)
    classes = np.unique(label)
    total, count = np.zeros((len(label), len(classes))), np.zeros(len(label))
    for _, part in folds[folds["repeat"] < MOST_REPEATS].groupby(["repeat", "fold"], sort=True):
        rows = {
            role: np.array([place[name] for name in ids.astype(str)]) for role, ids in part.groupby("role")["window_id"]
        }
        test = rows["test"]
        train = np.unique(np.r_[rows.get("train", np.array([], int)), rows.get("inner", np.array([], int))].astype(int))
        train = train[~np.isin(train, test)]
        if len(np.unique(label[train])) < len(classes):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            total[test] += model().fit(described[train], label[train]).predict_proba(described[test])
        count[test] += 1
    return np.where(count[:, None] > 0, total / np.maximum(count, 1)[:, None], np.nan)


def beside(predictions: pd.DataFrame, folds: pd.DataFrame, seen: Seen, seed: int = 0) -> dict[str, Any]:
    """AUROC of the run and of two simple models, with 95% bootstrap intervals over windows of each and of the differences.

    reference: a linear model on means and deviations; trees: extra trees on the means of fifths. Probabilities are averaged over the
    repeats first. best_auroc: of whichever of the three tells the classes best; flip_*: how many labels the three together contradict.
    """
    label = seen.label.astype(str)
    classes = tuple(str(name) for name in np.unique(label))
    names = [f"p_{name}" for name in classes]
    means = predictions.groupby("window_id")[names].mean().reindex(seen.window_id.astype(str)).to_numpy(float)
    simple = {
        "reference": out_of_fold(linear, aggregated(seen.x), folds, seen),
        "trees": out_of_fold(trees, aggregated(seen.x, FIFTHS), folds, seen),
    }
    known = np.isfinite(means).all(1) & np.isfinite(simple["reference"]).all(1)
    y, ours = label[known], means[known]
    again = np.random.default_rng(seed).multinomial(len(y), np.full(len(y), 1 / len(y)), DRAWS)
    again = np.concatenate([np.ones((1, len(y))), again])  # the first row is the windows as they are
    model = aurocs(y, ours, classes, again)
    facts = {"auroc": float(model[0]), "auroc_low": float(np.nanquantile(model[1:], 0.025))}
    facts["best_auroc"] = facts["auroc"]
    for name, p in simple.items():
        theirs = aurocs(y, p[known], classes, again)
        facts["best_auroc"] = max(facts["best_auroc"], float(theirs[0]))
        low, high = np.nanquantile(model[1:] - theirs[1:], [0.025, 0.975])
        facts |= {
            f"{name}_auroc": float(theirs[0]), f"{name}_auroc_low": float(np.nanquantile(theirs[1:], 0.025)),
            f"{name}_gap_low": float(low), f"{name}_gap_high": float(high),
        }  # fmt: skip
    return facts | flip_rate(np.searchsorted(classes, y), [ours, *(p[known] for p in simple.values())])


def aurocs(label: np.ndarray, p: np.ndarray, classes: tuple[str, ...], counts: np.ndarray) -> np.ndarray:
    """Macro AUROC [d], each class against the rest, of windows taken `counts` [d, n] times; nan where a class is missing.

    label [n]; p [n, C]. By comparing every pair once (Mann and Whitney 1947), which is quick for many draws of few windows.
    """
    each = []
    for i, name in enumerate(classes):
        inside, score = label == name, p[:, i]
        above = np.sign(score[inside][:, None] - score[~inside][None]) / 2 + 0.5
        inner, outer = counts[:, inside].astype(float), counts[:, ~inside].astype(float)
        pairs = inner.sum(1) * outer.sum(1)
        won = ((inner @ above) * outer).sum(1)
        each.append(np.divide(won, pairs, out=np.full(len(counts), np.nan), where=pairs > 0))
    return np.mean(each, axis=0)
