"""The span model's statistics as terms that a network adds to its own scores: of every span, and of the classes.

Spans have a conditional logit, linear in standardised statistics. Both terms are fitted before the network, on the training windows of its fit
alone, and stay as they are. The network trains on top of terms that were fitted without the window in question, so that it learns what they
miss, not what they know by heart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from sklearn.model_selection import GroupKFold

from moola_core.estimators.spans.class_term import ClassTerm, logarithms
from moola_core.estimators.spans.locator import SpanLocator
from moola_core.estimators.spans.temperature import fit_temperature
from moola_core.spans.candidates import Candidates
from moola_core.spans.noise import LabelNoise, label_probabilities

PARTS = 5
LEAST_ELSEWHERE = 0.01  # share of the labels that may lie anywhere, however exact they look
NEVER = -1e4  # for spans that leave the window
PREFIX = "statistics."


@dataclass(frozen=True, eq=False)
class Terms:
    """What the statistics of n windows say.

    Attributes
    ----------
    spans : ndarray of float32, shape (n, K, K)
        Logarithm of the probability of each span, by first bar and length, to be labelled; -1e4 where it leaves the window.
    logits : ndarray of float32, shape (n, C), or None
        Logarithms of the probabilities of the classes; None where only spans are scored.
    """

    spans: np.ndarray
    logits: np.ndarray | None


class SpanTerms:
    """The terms of spans and, where there are classes to predict, of classes.

    Attributes
    ----------
    locator : SpanLocator
    of_class : ClassTerm or None
    """

    def __init__(self, locator: SpanLocator, of_class: ClassTerm | None) -> None:
        self.locator, self.of_class = locator, of_class

    def __call__(self, prices: np.ndarray) -> Terms:
        """The terms of windows from prices [n, K, 4] in any unit, less any constant."""
        locator = self.locator
        posterior = locator.posterior(prices)
        labelled = label_probabilities(posterior, locator.candidates_, locator.noise_, LEAST_ELSEWHERE)
        with np.errstate(divide="ignore"):
            spans = np.maximum(np.log(labelled), NEVER).astype(np.float32)
        of_class = self.of_class
        return Terms(spans, None if of_class is None else of_class(prices, posterior, locator.candidates_))

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything, as arrays by name."""
        locator, candidates = self.locator, self.locator.candidates_
        noise, of_class = locator.noise_, self.of_class
        numbers = (candidates.window_bars, candidates.step_bars, noise.scatter_bars, noise.misplaced_frac)
        own: dict[str, np.ndarray] = {
            "start": candidates.start,
            "end": candidates.end,
            "share": candidates.share,
            "numbers": np.array([*numbers, locator.general_, locator.penalty_, locator.sharpness_], float),
            "mean": locator.mean_,
            "std": locator.std_,
            "coef": locator.coef_,
        }
        own |= {} if of_class is None else {f"class_{name}": value for name, value in vars(of_class).items()}
        return {PREFIX + name: np.ascontiguousarray(value) for name, value in own.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> SpanTerms:
        """What `arrays` gave."""
        own = {name.removeprefix(PREFIX): value for name, value in arrays.items()}
        window_bars, step_bars, scatter, misplaced, general, penalty, sharpness = own["numbers"].tolist()
        locator = SpanLocator.restored(
            Candidates(own["start"], own["end"], int(window_bars), own["share"], int(step_bars)),
            LabelNoise(scatter, misplaced),
            {"general_": bool(general), "penalty_": penalty, "sharpness_": sharpness}
            | {f"{name}_": own[name] for name in ("mean", "std", "coef")},
        )
        of_class = {name.removeprefix("class_"): value for name, value in own.items() if name.startswith("class_")}
        return cls(locator, ClassTerm(**of_class) if of_class else None)


def fit_terms(
    prices: np.ndarray, span: np.ndarray, group: np.ndarray, target: np.ndarray | None, classes: int
) -> tuple[SpanTerms, Terms]:
    """The terms fitted to training windows, and what terms that were fitted without them say of these windows.

    Parameters
    ----------
    prices : ndarray, shape (n, K, 4)
    span : ndarray, shape (n, 2)
        First and last bar of each expansion; nan where a window has none. At least one window has one.
    group : ndarray, shape (n,)
        Equal for windows that share bars.
    target : ndarray of int, shape (n,), or None
        Class numbers; None for terms of spans alone.
    classes : int
        How many classes there are.
    """
    start, end = span.T
    known = np.isfinite(span).all(1)
    locator = SpanLocator().fit(prices[known], start[known], end[known], group[known])
    full = _with_class(locator, prices, start, end, target, classes)
    parts = min(PARTS, len(np.unique(group)))
    if parts < 2 or len(np.unique(group[known])) < parts:
        return full, full(prices)
    n, bars = prices.shape[:2]
    without = Terms(
        np.empty((n, bars, bars), np.float32), None if target is None else np.empty((n, classes), np.float32)
    )
    for train, test in GroupKFold(parts).split(prices, groups=group):
        rows = train[known[train]]
        other = locator.refitted(prices[rows], start[rows], end[rows], group[rows]) if len(rows) else locator
        own = None if target is None else target[train]
        own_terms = _with_class(other, prices[train], start[train], end[train], own, classes)(prices[test])
        without.spans[test] = own_terms.spans
        if without.logits is not None and own_terms.logits is not None:
            without.logits[test] = own_terms.logits
    return _tempered(full, without, target)


def _tempered(full: SpanTerms, without: Terms, target: np.ndarray | None) -> tuple[SpanTerms, Terms]:
    """The same with the temperature of the class that the windows which were held out want."""
    if full.of_class is None or without.logits is None or target is None:
        return full, without
    p = np.exp(without.logits.astype(float))
    temperature = fit_temperature(p, target)
    of_class = replace(full.of_class, temperature=np.array(temperature))
    return SpanTerms(full.locator, of_class), Terms(without.spans, logarithms(p, temperature))


def _with_class(
    locator: SpanLocator,
    prices: np.ndarray,
    start: np.ndarray,
    end: np.ndarray,
    target: np.ndarray | None,
    classes: int,
) -> SpanTerms:
    if target is None:
        return SpanTerms(locator, None)
    candidates, top = locator.candidates_, locator.posterior_given(prices, start, end).argmax(1)
    return SpanTerms(locator, ClassTerm.fit(prices, candidates.start[top], candidates.end[top], target, classes))
