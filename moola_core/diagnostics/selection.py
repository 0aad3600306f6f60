"""The score of the best of several configurations, less what it owes to having been picked (Tsamardinos, Greasidou and Borboudakis 2018).

The best of k equal configurations looks better than it is, since their scores differ by luck. BBC-CV draws windows with replacement, takes the
configuration that is best in the bag, and scores it on the windows that are not in it: the mean over the draws is the score to expect
of whatever is picked so.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from moola_core.diagnostics.results import Interval, Selection
from moola_core.errors import DataError
from moola_core.metrics import METRICS, Predictions, better, measure

DRAWS = 500
CELLS = 2_000_000  # weights in memory at once


def select_best(
    configurations: dict[str, Predictions],
    metric: str = "f1_macro",
    group: np.ndarray | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    scored: str = "",
) -> Selection:
    """The best configuration and its bias-corrected score, by bootstrapping the pick on stored predictions.

    Parameters
    ----------
    configurations : dict of str to Predictions
        Out-of-fold predictions of the same n windows in the same order, of shape (n,), or (R, n) for R repeats, over which the metric
        is averaged.
    metric : str, default "f1_macro"
        A metric with one value, of which higher or lower is better.
    group : ndarray of int, shape (n,), optional
        Windows that share bars: whole groups are drawn. Each window is a group of its own unless given.
    draws : int, default 500
        Bags.
    seed : int, default 0
        Of the draws.
    scored : str, optional
        The metric whose score to expect is worked out, of what is picked by `metric`; `metric` itself unless given.

    Returns
    -------
    Selection

    Raises
    ------
    DataError
        When there is no configuration, when they are not of the same windows, or when all windows form one group.
    """
    names = tuple(configurations)
    n = _windows(configurations, metric)
    group = np.arange(n) if group is None else np.unique(group, return_inverse=True)[1]
    groups = int(group.max()) + 1
    if groups < 2:
        raise DataError(
            "all windows share bars, so none is left out of a bag.", where="selection", hint="Use more windows."
        )
    sign = 1.0 if better(metric) == "higher" else -1.0
    selecting = _scorer(configurations, metric, group)
    score = selecting if scored in ("", metric) else _scorer(configurations, scored, group)
    every = np.ones((1, groups))
    best = int(np.argmax(np.nan_to_num(sign * selecting(every)[0], nan=-np.inf)))
    random = np.random.default_rng(seed)
    scores: list[float] = []
    winners: list[int] = []
    while len(scores) < draws:
        size = min(draws - len(scores), max(1, CELLS // n))
        bag = random.multinomial(groups, np.full(groups, 1 / groups), size)
        inside, outside = selecting(bag.astype(float)), score((bag == 0).astype(float))
        at = np.argmax(np.nan_to_num(sign * inside, nan=-np.inf), axis=1)
        winners += at.tolist()
        scores += outside[np.arange(size), at].tolist()
    known = np.array(scores)[np.isfinite(scores)]
    if not len(known):
        raise DataError(f"{metric} is defined in no draw.", where="selection", hint="Compare another metric.")
    low, high = np.quantile(known, [0.025, 0.975])
    share = np.bincount(winners, minlength=len(names)) / len(winners)
    expected = Interval(float(known.mean()), float(low), float(high))
    measured = float(score(every)[0, best])
    return Selection(scored or metric, names[best], measured, expected, dict(zip(names, share.tolist(), strict=True)))


def _windows(configurations: dict[str, Predictions], metric: str) -> int:
    """How many windows they all are of."""
    if not configurations:
        raise DataError(
            "there is no configuration to pick.", where="selection", hint="Give the predictions of one or more."
        )
    if METRICS[metric].by_class:
        raise DataError(f"{metric} has a value per class.", where="selection", hint="Give a metric with one value.")
    targets = [np.atleast_2d(one.target)[0] for one in configurations.values()]
    if any(not np.array_equal(targets[0], target) for target in targets):
        raise DataError(
            "the configurations are not of the same windows.",
            where="selection",
            hint="Give predictions of the same windows in the same order.",
        )
    return len(targets[0])


def _scorer(
    configurations: dict[str, Predictions], metric: str, group: np.ndarray
) -> Callable[[np.ndarray], np.ndarray]:
    """The metric of each configuration [d, C], the mean over repeats, as a function of weights [d, G] of the groups of windows."""
    repeats = [
        [one] if one.target.ndim == 1 else [one.repeat(r) for r in range(len(one.target))]
        for one in configurations.values()
    ]
    formula = METRICS[metric]
    if formula.statistics is None or formula.value is None:

        def measured(weight: np.ndarray) -> np.ndarray:
            each = [[measure(one, weight[:, group], [metric])[metric] for one in own] for own in repeats]
            return np.stack([np.mean(own, axis=0) for own in each], axis=1)

        return measured
    statistics, value = formula.statistics, formula.value
    tables = [_by_group(statistics(one).astype(float), group) for own in repeats for one in own]
    table = np.concatenate(tables, axis=1)

    def summed(weight: np.ndarray) -> np.ndarray:
        sums = iter(np.split(weight @ table, len(tables), axis=1))
        return np.stack([np.mean([value(next(sums), one) for one in own], axis=0) for own in repeats], axis=1)

    return summed


def _by_group(each: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Sums [G, m] over the windows of each group of each [n, m]."""
    return np.stack([np.bincount(group, column) for column in each.T], axis=1)
