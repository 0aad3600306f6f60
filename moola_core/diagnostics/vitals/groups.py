"""Parts of the windows that are compared with the rest, and ranks: what several signs share."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.stats import chi2_contingency, kruskal, rankdata

from moola_core.diagnostics.vitals.sign import Evidence, NotKnown

LEAST = 12  # windows in a part, and in the rest
HOURS = 6
CELLS = 12  # into which an order is cut; any run of neighbours among them is a stretch
FAR = 300.0  # −log10 p that floats still hold


def parts(evidence: Evidence, hours: bool = True) -> Iterator[tuple[str, np.ndarray]]:
    """Parts of the windows by grade, source, order of the file, time and (with hours) hour, each with its name and a mask [n] of its windows."""
    windows, n = evidence.windows, len(evidence.windows)
    for name in ("grade", "source", "instrument"):
        values = getattr(windows, name).astype(str)
        for value in np.unique(values):
            if value:
                yield from _large(f"{name} {value}", values == value)
    yield from _large("the last half of the file", np.arange(n) >= n / 2)
    time = windows.start_time
    if np.isnat(time).any():
        return
    order = places(time)
    yield from _large("the newest third", order >= 2 * n / 3)
    yield from _large("the newest half", order >= n / 2)
    if not hours:
        return
    hour = (time.astype("datetime64[h]").astype(np.int64) % 24) // HOURS * HOURS
    for value in np.unique(hour):
        yield from _large(f"{value:02d} to {value + HOURS:02d} h UTC", hour == value)


def _large(name: str, mask: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    if mask.sum() >= LEAST and (~mask).sum() >= LEAST:
        yield name, mask


def places(values: np.ndarray) -> np.ndarray:
    """The place [n] of each value in their order."""
    return np.argsort(np.argsort(values, kind="stable"), kind="stable")


def stretches(values: np.ndarray) -> Iterator[tuple[int, int, np.ndarray]]:
    """Runs of neighbours in the order of values [n]: the first and the last place of each, and a mask [n]; at most half of the windows."""
    n, cell = len(values), places(values) * CELLS // len(values)
    for first in range(CELLS):
        for last in range(first, min(first + CELLS // 2, CELLS)):
            mask = (cell >= first) & (cell <= last)
            if LEAST <= mask.sum() <= n / 2:
                yield int((cell < first).sum()), int((cell <= last).sum()) - 1, mask


def surprise(p: float, tried: int = 1) -> float:
    """−log10 of a p-value times how many were tried, within what floats hold."""
    return float(np.clip(-np.log10(max(p * tried, 1e-300)), 0.0, FAR))


def of_classes(mask: np.ndarray, target: np.ndarray, tried: int) -> float:
    """−log10 of the p-value that classes [n] are distributed alike inside and outside of a mask [n], times how many were tried."""
    classes = np.unique(target)
    if len(classes) < 2:
        raise NotKnown("All windows have one class.")
    table = np.array([[(target[part] == one).sum() for one in classes] for part in (mask, ~mask)])
    return surprise(chi2_contingency(table).pvalue, tried)


def evidence_of_order(values: np.ndarray, target: np.ndarray) -> float:
    """−log10 of the p-value that values [n] are distributed alike in all classes (Kruskal–Wallis). Raises NotKnown without two classes."""
    groups = [values[target == c] for c in np.unique(target)]
    if len(groups) < 2 or np.ptp(values) == 0:
        raise NotKnown("All windows have the same value.")
    return surprise(kruskal(*groups).pvalue)


def aurocs(values: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """AUROC [D] of each column of values [n, D] for a class, given as a mask [n]."""
    ranks = rankdata(values, axis=0)
    ones, zeros = positive.sum(), (~positive).sum()
    return (ranks[positive].sum(0) - ones * (ones + 1) / 2) / (ones * zeros)


def best_told(values: np.ndarray, target: np.ndarray) -> float:
    """The AUROC, of whichever sign, of values [n] for the class of target [n] that they tell best."""
    each = [aurocs(values[:, None], target == one)[0] for one in np.unique(target)]
    return float(max(max(one, 1 - one) for one in each))


def deviation_of_auroc(positive: np.ndarray) -> float:
    """Standard deviation of an AUROC at chance, of a mask [n] of the class."""
    ones, zeros = int(positive.sum()), int((~positive).sum())
    return float(np.sqrt((ones + zeros + 1) / (12 * ones * zeros)))
