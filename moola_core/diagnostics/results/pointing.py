"""How far predicted expansions lie from the true ones, and whether the confidence that a model states comes true."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from moola_core.diagnostics.results.calibration import CalibrationError, ReliabilityBin
from moola_core.diagnostics.results.interval import Interval


@dataclass(frozen=True)
class SignedError:
    """Predicted less true bar of one part, over all windows with an expansion and all repeats.

    part: start, end, center or length; median, low and high: the median and the quartiles, bars; shares [2 · reach + 1]: share of the
    predictions whose error rounds to −reach … reach bars, larger ones counted at the ends.
    """

    part: str
    median: float
    low: float
    high: float
    shares: np.ndarray


@dataclass(frozen=True)
class Near:
    """Share of the windows whose predicted center lies within `bars` of the true one, and of the constant pointer's.

    share: with its 95% interval over windows and repeats; None with a single group of windows. constant: of the first repeat's folds;
    None with one fold.
    """

    bars: int
    share: Interval | None
    constant: float | None


@dataclass(frozen=True)
class StatedConfidence:
    """Whether the stated probability of a center within 3 bars comes true in one repeat.

    windows: those with an expansion; stated: mean stated probability; hit_rate: share of the centers within 3 bars; bins: reliability,
    `accuracy` is the hit rate; error: expected calibration error over 10 bins; p_value: share of calibrated models with no smaller one.
    """

    repeat: int
    windows: int
    stated: float
    hit_rate: float
    bins: tuple[ReliabilityBin, ...]
    error: CalibrationError
    p_value: float


@dataclass(frozen=True)
class SpanSet:
    """All spans whose first and last bars both lie within `radius` bars of the predicted ones: a set that holds the labelled span with
    probability `level`, calibrated for each fold on the others.

    radius: the median over folds and repeats; coverage: share of the labelled spans that lie in the sets, with its 95% interval over
    windows and repeats. Both None where there are too few groups of windows for the level.
    """

    level: float
    radius: float | None
    coverage: Interval | None


@dataclass(frozen=True)
class Pointing:
    """Where a run's predicted expansions lie, out of fold.

    windows: those with an expansion; errors: by part; near: at 1, 3 and 5 bars; within, constant_within [reach + 1]: share of the
    centers at most 0 … reach bars off, of the model and of a constant pointer (the median of the other folds; None with one fold);
    confidence: by repeat, empty where the model states none; excess: stated probability less hit rate, with its 95% interval over
    windows and repeats: above 0 the model is overconfident. sets: of spans, at several levels; empty in results of earlier versions.
    """

    windows: int
    reach: int
    errors: tuple[SignedError, ...]
    near: tuple[Near, ...]
    within: np.ndarray
    constant_within: np.ndarray | None
    confidence: tuple[StatedConfidence, ...]
    excess: Interval | None
    sets: tuple[SpanSet, ...] = ()
