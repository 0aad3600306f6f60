"""Means over windows that share bars, and over repeats: how sure they are; AUROC among the windows of a fold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# What scipy.stats calls for t and norm, without the checks around it, which take many times as long for one number.
from scipy.special import ndtri, stdtr, stdtrit

from moola_core.diagnostics.results.interval import Interval
from moola_core.metrics.ranking import placements
from moola_core.overlap import Overlap

LEVEL, POWER = 0.95, 0.80
MOST = 100  # times as many windows or repeats: beyond that it is no advice


@dataclass(frozen=True)
class Widening:
    """How many times too small a variance over windows is: `factor` + `falling` / m times, for m windows that would be independent."""

    factor: float
    falling: float


# The variance over windows of cross-validated models is too small: each window is tested by models that the others trained, and trains the
# models that test the others, so that each pair counts twice, or a little less in a difference of two arms. A part falls with the
# number of windows. Both were chosen by simulation with models that are fitted anew (docs/methods.md).
ONE_MODEL, TWO_MODELS = Widening(2.0, 12.0), Widening(1.9, 4.0)
NOT_WIDENED = Widening(1.0, 0.0)


@dataclass(frozen=True)
class Estimate:
    """A mean with Student's t about it: `value`, and `freedom`, the degrees of freedom.

    of_windows, of_repeats, of_pretraining: the parts of the squared error that windows, repeats and the seeds of pre-training have.
    """

    value: float
    freedom: float
    of_windows: float
    of_repeats: float = 0.0
    of_pretraining: float = 0.0

    @property
    def error(self) -> float:
        """The standard error."""
        return float(np.sqrt(self.of_windows + self.of_repeats + self.of_pretraining))

    def reach(self, level: float = LEVEL) -> float:
        """Half the width of the interval."""
        return float(stdtrit(self.freedom, (1 + level) / 2) * self.error)

    def interval(self, level: float = LEVEL) -> Interval:
        """The confidence interval; with a flat prior it is the credible one too."""
        reach = self.reach(level)
        return Interval(self.value, self.value - reach, self.value + reach)

    @property
    def p(self) -> float:
        """Two-sided p of a mean of 0."""
        if self.error == 0:
            return 1.0 if self.value == 0 else 0.0
        return float(2 * stdtr(self.freedom, -abs(self.value) / self.error))

    def above(self, limit: float) -> float:
        """The probability that the true mean is larger than `limit`."""
        if self.error == 0:
            return float(self.value > limit)
        return float(stdtr(self.freedom, (self.value - limit) / self.error))

    def resolvable(self, level: float = LEVEL) -> float:
        """The smallest true value that is told from 0 with 80% power."""
        return self.reach(level) + float(ndtri(POWER)) * self.error

    def windows_needed(self, windows: int, level: float = LEVEL) -> int | None:
        """With how many windows in all a true value of this size is told from 0 with 80% power; None where none would do.

        All of the error but that of pre-trainings falls with the root of their number.
        """
        return _at_least(windows, self.of_windows + self.of_repeats, self._allowed(level) - self.of_pretraining)

    def repeats_needed(self, repeats: int, level: float = LEVEL) -> int | None:
        """With how many repeats it is; None where the windows alone leave too much."""
        return _at_least(repeats, self.of_repeats, self._allowed(level) - self.of_pretraining - self.of_windows)

    def _allowed(self, level: float) -> float:
        return (self.value / float(stdtrit(self.freedom, (1 + level) / 2) + ndtri(POWER))) ** 2


def _at_least(size: int, part: float, left: float) -> int | None:
    if left <= 0 or part > MOST * left:
        return None
    return max(int(np.ceil(size * part / left)), size + 1)


def estimate(
    values: np.ndarray,
    shared: Overlap,
    widening: Widening = NOT_WIDENED,
    pretraining: np.ndarray | None = None,
) -> Estimate | None:
    """The mean of values [R, n] (repeats, windows; nan: not known) of windows of which `shared` says how many bars they have in common.

    The variance over windows is that of the mean over repeats, with neighbours correlated by the share of their bars, and widened
    by `widening`; Student's t has as many degrees of freedom as windows would be independent, less one. The variance
    of the repeats' means is added; with `pretraining` [R], the pre-training that each repeat started from, also that between
    pre-trainings which repeats of one do not show. None where less than two windows tell.
    """
    known = np.isfinite(values)
    present = known.any(0)
    if not present.any():
        return None
    values, known, shared = values[:, present], known[:, present], shared.rows(present)
    independent = shared.independent
    if independent < 1.5:
        return None
    mean = float(values[known].mean())
    off = np.where(known, values - mean, 0.0).sum(0) / known.sum()
    of_windows = (widening.factor + widening.falling / independent) * shared.variance(off)
    repeats = np.array([row[seen].mean() if seen.any() else np.nan for row, seen in zip(values, known, strict=True)])
    seen = np.isfinite(repeats)
    count = int(seen.sum())
    of_repeats = float(repeats[seen].var(ddof=1)) / count if count > 1 else 0.0
    between = 0.0 if pretraining is None else _between(repeats[seen], pretraining[seen])
    if of_windows + of_repeats == 0 and mean != 0:
        # Perfect or constant answers do not vary, yet a few windows cannot show that for certain: as wide as of a model at chance.
        of_windows = 1 / (3 * independent)
    return Estimate(mean, max(independent - 1, 1.0), of_windows, of_repeats, between)


def _between(means: np.ndarray, pretraining: np.ndarray) -> float:
    """What the pre-trainings add to the variance of the mean of all repeats: analysis of variance, at least 0."""
    names, size = np.unique(pretraining, return_counts=True)
    if len(names) < 2 or len(means) == len(names):
        return 0.0
    centers = np.array([means[pretraining == name].mean() for name in names])
    squares = sum(((means[pretraining == name] - c) ** 2).sum() for name, c in zip(names, centers, strict=True))
    within = float(squares) / (len(means) - len(names))
    between = float((size * (centers - means.mean()) ** 2).sum()) / (len(names) - 1)
    each = (len(means) - (size**2).sum() / len(means)) / (len(names) - 1)
    return max(0.0, (between - within) / each) / len(names)


def of_windows(values: np.ndarray, shared: Overlap, given: bool = False, level: float = LEVEL) -> Interval | None:
    """Interval of the mean of values [R, n] (repeats, windows; nan: not known) over windows that share bars.

    given: the values are such as no fit to the same windows changes; else they are those of cross-validated models, whose variance
    over windows is taken 2 + 12 / m times for m windows that would be independent. None where less than two windows tell.
    """
    mean = estimate(values, shared, NOT_WIDENED if given else ONE_MODEL)
    return None if mean is None else mean.interval(level)


def of_share(share: float, independent: float, level: float = LEVEL) -> tuple[float, float]:
    """Wilson's interval (1927) of a share of so many windows, counted as the fewer that would be independent where they share bars."""
    z = float(ndtri((1 + level) / 2))
    n = max(independent, 1.0)
    middle, reach = share + z**2 / (2 * n), z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return max(0.0, (middle - reach) / (1 + z**2 / n)), min(1.0, (middle + reach) / (1 + z**2 / n))


def of_stretches(values: np.ndarray, stretches: int = 20) -> Interval | None:
    """Interval of the mean of values [n] in time order, taken together in equal stretches, so that neighbours may depend on each other."""
    group = np.arange(len(values)) * min(stretches, len(values)) // max(len(values), 1)
    return of_windows(np.asarray(values, float)[None], Overlap.of_groups(group), given=True)


def within_folds(target: np.ndarray, p: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """What each window adds to the AUROC among the windows of a fold [R, n], each class against the rest (`metrics.ranking.placements`).

    target [n] class numbers; p [R, n, C]; fold [R, n]. Pairs of windows of different folds are left out of its value: their models differ,
    and noise alone would score below 0.5 with them. nan where p is not known.
    """
    values = np.full(fold.shape, np.nan)
    for row, probability, place in zip(values, p, fold, strict=True):
        known = np.isfinite(probability[:, 0])
        row[known] = placements(target[known], probability[known], place[known])
    return values


def auroc(values: np.ndarray, shared: Overlap) -> Interval | None:
    """The AUROC of `within_folds` with its interval."""
    interval = of_windows(values, shared)
    return interval and interval.within()
