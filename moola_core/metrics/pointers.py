"""How far predicted pointers lie from the true ones. Bars are 0-based, ends inclusive; windows without a true pointer do not count."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from moola_core.metrics.metric import Metric, Predictions, ratio

TOLERANCES_BARS = (3, 5)
TINY = 1e-9
PARTS = ("center", "length", "start", "end")


def overlap(span: np.ndarray, true_span: np.ndarray) -> np.ndarray:
    """Intersection over union of inclusive bar intervals.

    Parameters
    ----------
    span, true_span : ndarray of float, shape (..., 2)
        Start and end in bars, both inclusive.

    Returns
    -------
    ndarray of float, shape (...)
        Between 0 and 1; nan where either interval is nan.

    Examples
    --------
    >>> float(overlap(np.array([10.0, 19.0]), np.array([15.0, 24.0])))
    0.3333333333333333
    """
    (p, q), (a, b) = (np.moveaxis(np.asarray(each, float), -1, 0) for each in (span, true_span))
    shared = np.maximum(np.minimum(b, q) - np.maximum(a, p) + 1, 0)
    return shared / ((b - a + 1) + (q - p + 1) - shared)


def distances(p: Predictions) -> np.ndarray:
    """Absolute errors of center, length, start and end in bars, and whether there is a pointer: shape (..., n, 5)."""
    return np.stack([*(p.gaps[part] for part in PARTS), p.located], axis=-1)


def hits(p: Predictions) -> np.ndarray:
    """Whether the center, then both ends, lie within each tolerance, and whether there is a pointer: shape (..., n, 5)."""
    gaps = p.gaps
    center = [gaps["center"] <= bars for bars in TOLERANCES_BARS]
    ends = [(gaps["start"] <= bars) & (gaps["end"] <= bars) for bars in TOLERANCES_BARS]
    return np.stack([*(hit & p.located for hit in (*center, *ends)), p.located], axis=-1)


def overlaps(p: Predictions) -> np.ndarray:
    """Intersection over union, and whether there is a pointer: shape (..., n, 2)."""
    assert p.span is not None and p.true_span is not None
    return np.stack([np.where(p.located, overlap(p.span, p.true_span), 0.0), p.located], axis=-1)


def joint_hits(p: Predictions) -> np.ndarray:
    """Whether the class is right and the center within 3 bars, and whether there is a pointer: shape (..., n, 2)."""
    return np.stack([p.right & p.located & (p.gaps["center"] <= TOLERANCES_BARS[0]), p.located], axis=-1)


def median_center_error(p: Predictions, weight: np.ndarray) -> np.ndarray:
    """Weighted median of the absolute error of the center, of windows that have both pointers: shape (...); nan where none has."""
    gap, weight = np.broadcast_arrays(p.gaps["center"], weight * p.located)
    order = np.argsort(gap, axis=-1, kind="stable")
    gap, total = np.take_along_axis(gap, order, -1), np.take_along_axis(weight, order, -1).cumsum(-1)
    half = total[..., -1:] / 2
    low, high = ((total < half - TINY).sum(-1), (total <= half + TINY).sum(-1))
    at = [np.minimum(place, gap.shape[-1] - 1)[..., None] for place in (low, high)]
    middle = sum(np.take_along_axis(gap, place, -1)[..., 0] for place in at) / 2
    return np.where(half[..., 0] > 0, middle, np.nan)


def _influence_on_median(p: Predictions) -> np.ndarray:
    """The median and what each window does to it: ± half of the inverse density there, from the middle fifth of the errors."""
    gap = np.where(p.located, p.gaps["center"], np.nan)
    if not p.located.any():
        return gap
    low, middle, high = np.nanquantile(gap, [0.4, 0.5, 0.6])
    return np.where(p.located, middle + np.sign(gap - middle) * (high - low) / 0.4, np.nan)


def _mean_of(column: int, in_windows: bool = False) -> Callable[[np.ndarray, Predictions], np.ndarray]:
    def value(sums: np.ndarray, p: Predictions) -> np.ndarray:
        mean = ratio(sums[..., column], sums[..., -1], np.nan)
        return mean / p.window_bars if in_windows else mean

    return value


def _errors(column: int, part: str) -> list[Metric]:
    title = f"{part.capitalize()} error"
    target = 0.02 if part == "center" else None
    return [
        Metric(
            name=f"{part}_mae_bars",
            shown=("errors", "terminal", "arms") if part == "center" else ("errors",),
            compared=part == "center",
            monitored=part in ("center", "length"),
            title=title,
            short=part.capitalize(),
            better="lower",
            task="pointer",
            unit="bars",
            margin=1.0,
            digits=1,
            statistics=distances,
            value=_mean_of(column),
            description=f"Mean absolute error of the expansion's {part} in bars.",
        ),
        Metric(
            name=f"{part}_mae_frac",
            shown=(),
            title=title,
            short=part.capitalize(),
            better="lower",
            task="pointer",
            unit="of the window",
            margin=0.01,
            high=target,
            statistics=distances,
            value=_mean_of(column, in_windows=True),
            description=f"Mean absolute error of the expansion's {part} as a fraction of the window.",
        ),
    ]


def _shares(column: int, bars: int) -> list[Metric]:
    return [
        Metric(
            name=f"hit_at_{bars}",
            shown=("hits", "terminal") if bars == TOLERANCES_BARS[0] else ("hits",),
            compared=bars == TOLERANCES_BARS[0],
            monitored=True,
            title=f"Center within {bars} bars",
            better="higher",
            task="pointer",
            low=0.60 if bars == TOLERANCES_BARS[0] else None,
            statistics=hits,
            value=_mean_of(column),
            description=f"Share of windows whose center is at most {bars} bars off.",
        ),
        Metric(
            name=f"ends_hit_at_{bars}",
            shown=(),
            title=f"Both ends within {bars} bars",
            better="higher",
            task="pointer",
            statistics=hits,
            value=_mean_of(column + len(TOLERANCES_BARS)),
            description=f"Share of windows whose start and end are each at most {bars} bars off.",
        ),
    ]


MEMBERS = (
    *(metric for column, part in enumerate(PARTS) for metric in _errors(column, part)),
    *(metric for column, bars in enumerate(TOLERANCES_BARS) for metric in _shares(column, bars)),
    Metric(
        name="center_median_bars",
        shown=("pointers",),
        compared=True,
        title="Median center error",
        better="lower",
        task="pointer",
        unit="bars",
        margin=1.0,
        digits=1,
        score=median_center_error,
        influence=_influence_on_median,
        description="Median absolute error of the expansion's center in bars: half of the windows are closer.",
    ),
    Metric(
        name="iou",
        shown=("pointers",),
        title="Overlap with the true expansion (IoU)",
        better="higher",
        task="pointer",
        statistics=overlaps,
        value=_mean_of(0),
        description="Mean intersection over union of the predicted and the true expansion.",
    ),
    Metric(
        name="joint_at_3",
        shown=("pointers", "terminal", "arms"),
        compared=True,
        title="Class right and center within 3 bars",
        better="higher",
        task="both",
        statistics=joint_hits,
        value=_mean_of(0),
        description="Share of windows with a pointer whose class is right and whose center is at most 3 bars off.",
    ),
)
