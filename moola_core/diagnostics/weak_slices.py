"""Parts of the windows in which a run is worse than in the rest, with the false discovery rate controlled over all parts searched."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.stats import false_discovery_control, norm, ttest_ind

from moola_core.diagnostics.results.weak_slices import WeakSlice
from moola_core.diagnostics.vitals.groups import LEAST, aurocs, parts
from moola_core.diagnostics.vitals.prices import mean_range
from moola_core.diagnostics.vitals.sign import Evidence

THIRDS = ("lowest", "middle", "highest")


def weak_slices(evidence: Evidence) -> tuple[WeakSlice, ...]:
    """Every part of at least 12 windows, for the class and for the pointer, the surest first; empty where nothing was predicted."""
    if evidence.predictions is None:
        return ()
    spread, p, off = _shared_bars(evidence), _probability(evidence), _distance(evidence)
    rows = []
    for name, mask in masks(evidence).items():
        rows += [(name, mask, *one) for one in _of_class(evidence, p, mask, spread)]
        if (
            "expansion" not in name
        ):  # a constant is farthest from the first and the last third, whatever the windows hold
            rows += [(name, mask, *one) for one in _of_pointer(off, mask, spread)]
    q = false_discovery_control([row[-1] for row in rows]) if rows else []
    made = [
        WeakSlice(name, what, int(mask.sum()), inside, outside, float(rate), evidence.some(mask))
        for (name, mask, what, inside, outside, _), rate in zip(rows, q, strict=True)
    ]
    return tuple(sorted(made, key=lambda one: one.q))


def masks(evidence: Evidence) -> dict[str, np.ndarray]:
    """The parts that are searched: a mask [n] of the windows of each, by its name."""
    return dict([*parts(evidence), *_thirds(evidence)])


def _shared_bars(evidence: Evidence) -> float:
    """By how much errors are larger than of as many windows that share no bars."""
    shared = evidence.folds.shared if evidence.folds is not None else None
    return 1.0 if shared is None else float(np.sqrt(max(len(evidence.windows) / max(shared.independent, 1.0), 1.0)))


def _thirds(evidence: Evidence) -> Iterator[tuple[str, np.ndarray]]:
    """Thirds of the windows by volatility, price level, and place and length of the pointer."""
    windows = evidence.windows
    level = windows.prices[:, :, 3].mean(1)
    by = {
        "volatility": mean_range(windows.prices) / level,
        "price level": level,
        "place of the expansion": (windows.start + windows.end) / 2,
        "length of the expansion": windows.end - windows.start,
    }
    for name, values in by.items():
        known = np.isfinite(values)
        if known.sum() < 3 * LEAST or np.ptp(values[known]) == 0:
            continue
        third = np.searchsorted(np.quantile(values[known], [1 / 3, 2 / 3]), values, "left")
        for i, word in enumerate(THIRDS):
            mask = known & (third == i)
            if LEAST <= mask.sum() <= len(mask) - LEAST:
                yield f"{name}, {word} third", mask


def _probability(evidence: Evidence) -> np.ndarray | None:
    """The probability of the first class for each window; None where none was predicted."""
    return _by_window(evidence, evidence.table.columns[0]) if evidence.table.has_probabilities else None


def _distance(evidence: Evidence) -> np.ndarray | None:
    """How many bars the center of each window is off; None where none was predicted."""
    if not evidence.table.has_pointer:
        return None
    start, end = (
        _by_window(evidence, f"{side}_pred") - _by_window(evidence, f"{side}_true") for side in ("start", "end")
    )
    return np.abs(start + end) / 2


def _of_class(
    evidence: Evidence, p: np.ndarray | None, mask: np.ndarray, spread: float
) -> Iterator[tuple[str, float, float, float]]:
    """AUROC inside and outside of a part, and the p-value that it is not lower inside; for the first class."""
    if p is None:
        return
    positive = evidence.label == evidence.table.classes[0]
    sides = [np.isfinite(p) & side for side in (mask, ~mask)]
    if any(min(positive[side].sum(), (~positive[side]).sum()) < 5 for side in sides):
        return
    inside, outside = (float(aurocs(p[side, None], positive[side])[0]) for side in sides)
    errors = [_deviation(value, positive[side]) for value, side in zip((inside, outside), sides, strict=True)]
    z = (outside - inside) / (np.hypot(errors[0], errors[1]) * spread)
    yield "class", inside, outside, float(norm.sf(z))


def _of_pointer(off: np.ndarray | None, mask: np.ndarray, spread: float) -> Iterator[tuple[str, float, float, float]]:
    """Mean error of the center in bars inside and outside of a part, and the p-value that it is not larger inside."""
    if off is None:
        return
    inside, outside = off[mask & np.isfinite(off)], off[~mask & np.isfinite(off)]
    if min(len(inside), len(outside)) < LEAST:
        return
    t = float(ttest_ind(inside, outside, equal_var=False).statistic) / spread
    yield "pointer", float(inside.mean()), float(outside.mean()), float(norm.sf(t))


def _by_window(evidence: Evidence, column: str) -> np.ndarray:
    """The mean over repeats of a column of the predictions, for each window; nan where there is none."""
    frame = evidence.table.frame
    means = frame[column].astype(float).groupby(frame["window_id"].astype(str)).mean()
    return means.reindex(evidence.ids).to_numpy(float)


def _deviation(auroc: float, positive: np.ndarray) -> float:
    """Standard deviation of an AUROC (Hanley and McNeil 1982)."""
    ones, zeros = int(positive.sum()), int((~positive).sum())
    a = float(np.clip(auroc, 0.02, 0.98))
    variance = a * (1 - a) + (ones - 1) * (a / (2 - a) - a * a) + (zeros - 1) * (2 * a * a / (1 + a) - a * a)
    return float(np.sqrt(variance / (ones * zeros)))
