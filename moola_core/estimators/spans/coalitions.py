"""The span model with some groups of its statistics left out: what attribution asks.

The score of a span is linear in its statistics, so each group's share of it is computed once and added up; a group that is left out has its
mean over the candidates, which is 0. A group of the class's statistics that is left out has its median over the training windows.
"""

from __future__ import annotations

import numpy as np

from moola_core.estimators.spans import shapes, statistics
from moola_core.estimators.spans.locate_then_classify import SPANS, LocateThenClassify, averaged
from moola_core.estimators.spans.temperature import tempered
from moola_core.spans.decoding import best_spans, decode

OF_SPAN = tuple(f"span: {name}" for name in statistics.GROUPS)
OF_CLASS = tuple(f"class: {name}" for name in shapes.GROUPS)


def locate(model: LocateThenClassify, prices: np.ndarray, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the expansion of one window is, from some groups of the spans' statistics.

    Parameters
    ----------
    model : LocateThenClassify
        Fitted.
    prices : ndarray, shape (K, 4)
        The window.
    kept : ndarray of bool, shape (c, G)
        Which groups of `OF_SPAN` are kept.

    Returns
    -------
    posterior : ndarray, shape (c, S)
        The probability of every candidate.
    span : ndarray, shape (c, 2)
        First and last bar of the expansion.
    """
    locator = model.locator_
    posterior = locator.probabilities(kept @ locator.contributions(prices[None])[0].T)
    return posterior, decode(posterior, locator.candidates_, locator.noise_)[0]


def classify(model: LocateThenClassify, prices: np.ndarray, posterior: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Probabilities of the classes from some groups of the class's statistics, for each of the places that the expansion may have.

    Parameters
    ----------
    model : LocateThenClassify
        Fitted.
    prices : ndarray, shape (K, 4)
        The window.
    posterior : ndarray, shape (s, S)
        Probabilities of the candidates.
    kept : ndarray of bool, shape (c, G)
        Which groups of `OF_CLASS` are kept.

    Returns
    -------
    ndarray, shape (c, s, C)
    """
    candidates, classifier = model.locator_.candidates_, model.classifier_
    top, p = best_spans(posterior, SPANS)
    spans, place = np.unique(top, return_inverse=True)  # each span is described once, however often it is likely
    windows = np.broadcast_to(prices, (len(spans), *prices.shape))
    described = classifier.describe(windows, candidates.start[spans], candidates.end[spans])
    kept_statistics = kept[:, None, shapes.group_numbers(len(prices))[classifier.kept_]]
    rows = np.where(kept_statistics, described, classifier.medians().astype(described.dtype))
    each = classifier.predict_described(rows.reshape(-1, rows.shape[2])).reshape(*rows.shape[:2], -1)
    mean = np.stack([averaged(p, own[place.reshape(top.shape)]) for own in each])
    return tempered(mean, model.temperature_)
