"""Where the predicted expansions lie: signed errors, shares near the true centers, and whether stated confidence comes true."""

from __future__ import annotations

import numpy as np
import pandas as pd

from moola_core.diagnostics import claims, intervals
from moola_core.diagnostics.calibration import calibration_error, draw, reliability
from moola_core.diagnostics.results import Near, Pointing, SignedError, SpanSet, StatedConfidence
from moola_core.errors import DataError
from moola_core.metrics.probability import BINS, bin_number
from moola_core.overlap import Overlap
from moola_core.runs.predictions import SPAN, STATED, TRUE_SPAN, Grid, PredictionTable
from moola_core.spans.conformal import cross_conformal
from moola_core.spans.decoding import NEAR_BARS

REACH_BARS = 10
LEVELS = (0.8, 0.9)
SHARES_BARS = (1, NEAR_BARS, 5)


def pointing(predictions: pd.DataFrame, known: Overlap | None = None) -> Pointing:
    """Where a run's predicted expansions lie.

    Parameters
    ----------
    predictions : DataFrame
        The columns of `predictions.parquet`.
    known : Overlap, optional
        Which windows share bars, for the intervals.

    Raises
    ------
    DataError
        When no window has both a true and a predicted expansion.
    """
    table = PredictionTable(predictions)
    if not (table.has_pointer and predictions[TRUE_SPAN].notna().all(axis=1).any()):
        raise DataError(
            "no window has both a labelled and a predicted expansion.",
            where="pointing",
            hint="Train the pointers, model.tasks=both or pointers, on windows with labelled expansions.",
        )
    grid = table.grid()
    shared = grid.shared(known)
    true, predicted = (np.stack([grid.numbers(name) for name in names]) for names in (TRUE_SPAN, SPAN))
    off = np.abs((predicted - true).sum(0) / 2)
    constant = np.stack([claims.other_folds_median(values[:1], grid.fold[:1]) for values in true])
    constant_off = np.abs((constant - true[:, :1]).sum(0) / 2)
    measured = np.isfinite(constant_off).any()
    within = np.arange(REACH_BARS + 1)
    confidence: tuple[StatedConfidence, ...] = ()
    excess = None
    if table.stated is not None:
        stated = np.where(np.isfinite(off), grid.numbers(STATED), np.nan)
        confidence = _confidence(stated, off <= NEAR_BARS, grid, shared)
        excess = intervals.of_windows(stated - (off <= NEAR_BARS), shared)
    return Pointing(
        windows=int(np.isfinite(off).any(0).sum()),
        reach=REACH_BARS,
        errors=tuple(_signed(part, values) for part, values in _parts(predicted - true).items()),
        near=tuple(_near(bars, off, constant_off, shared) for bars in SHARES_BARS),
        within=_shares(off, within),
        constant_within=_shares(constant_off, within) if measured else None,
        confidence=confidence,
        excess=excess,
        sets=tuple(_set(level, predicted - true, grid, shared) for level in LEVELS),
    )


def _parts(gap: np.ndarray) -> dict[str, np.ndarray]:
    """Signed errors [R, n] in bars of each part, from those of start and end [2, R, n]."""
    start, end = gap
    return {"start": start, "end": end, "center": (start + end) / 2, "length": end - start}


def _signed(part: str, values: np.ndarray) -> SignedError:
    known = values[np.isfinite(values)]
    low, median, high = np.quantile(known, [0.25, 0.5, 0.75])
    place = np.clip(np.floor(known + 0.5), -REACH_BARS, REACH_BARS).astype(int) + REACH_BARS
    shares = np.bincount(place, minlength=2 * REACH_BARS + 1) / len(known)
    return SignedError(part, float(median), float(low), float(high), shares)


def _near(bars: int, off: np.ndarray, constant_off: np.ndarray, shared: Overlap) -> Near:
    hit, constant = (np.where(np.isfinite(gap), gap <= bars, np.nan) for gap in (off, constant_off))
    share = float(np.nanmean(constant)) if np.isfinite(constant).any() else None
    interval = intervals.of_windows(hit, shared)
    return Near(bars, interval and interval.within(), share)


def _set(level: float, gap: np.ndarray, grid: Grid, shared: Overlap) -> SpanSet:
    """The sets of one level, from signed errors [2, R, n] of start and end in bars."""
    off, group = np.abs(gap).max(0), shared.groups()
    radii = np.stack([cross_conformal(own, fold, group, level) for own, fold in zip(off, grid.fold, strict=True)])
    known = np.isfinite(off)
    if not np.isfinite(radii[known]).all():
        return SpanSet(level, None, None)
    covered = np.where(known, off <= radii, np.nan)
    coverage = intervals.of_windows(covered, shared)
    return SpanSet(level, float(np.median(radii[known])), coverage and coverage.within())


def _shares(off: np.ndarray, within: np.ndarray) -> np.ndarray:
    """Share of the known distances [R, n] that are at most each of `within` [m] bars."""
    return (off[np.isfinite(off)][:, None] <= within).mean(0)


def _confidence(stated: np.ndarray, hit: np.ndarray, grid: Grid, shared: Overlap) -> tuple[StatedConfidence, ...]:
    """Reliability of the stated probabilities [R, n] of a hit [R, n], repeat by repeat."""
    rows = []
    for repeat, p, right in zip(grid.repeats, stated, hit, strict=True):
        known = np.isfinite(p)
        if not known.any():
            continue
        p, right = p[known], right[known]
        error, p_value = calibration_error(
            f"center within {NEAR_BARS} bars, {BINS} equal bins", p, right, draw(shared.rows(known)), bin_number(p)
        )
        rows.append(
            StatedConfidence(
                int(repeat), len(p), float(p.mean()), float(right.mean()), reliability(p, right), error, p_value
            )
        )
    return tuple(rows)
