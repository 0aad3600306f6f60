"""Rows of the file that a window's label may have been taken from in the place of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import permutations

import numpy as np
from scipy.stats import norm

from moola_core.diagnostics.vitals.sign import Evidence

LAGS = (-2, -1, 1, 2)
FARTHEST = 60  # rows by which a column may have slipped, such as by those of a header, a page or a filter
FILE, TIME = "the file", "time"


def other_rows(evidence: Evidence) -> list[tuple[str, np.ndarray]]:
    """What may have become of the rows, in words, and for each row of the file the row [N] that its label would have come from, -1 for none.

    A column has slipped by a row or two, in the file's order or in that of time or ids, or it was joined by row where rows stood in
    another order. Each assignment comes once.
    """
    return evidence.kept("other_rows", lambda: _each_once(evidence, _assignments(_orders(evidence))))


def far_rows(evidence: Evidence) -> list[tuple[str, np.ndarray]]:
    """The same of a column that has slipped by more rows, in the order of the file or of time: far more ways, each less likely."""
    return evidence.kept("far_rows", lambda: _each_once(evidence, _far_slips(evidence)))


def _far_slips(evidence: Evidence) -> Iterator[tuple[str, np.ndarray]]:
    orders = {name: order for name, order in _orders(evidence).items() if name in (FILE, TIME)}
    farthest = min(FARTHEST, len(evidence.every) // 2)
    lags = [lag for lag in range(-farthest, farthest + 1) if abs(lag) > max(LAGS)]
    return (_slipped(name, order, lag) for name, order in orders.items() for lag in lags)


def _each_once(evidence: Evidence, ways: Iterable[tuple[str, np.ndarray]]) -> list[tuple[str, np.ndarray]]:
    kept: dict[bytes, tuple[str, np.ndarray]] = {np.arange(len(evidence.every)).tobytes(): ("", np.zeros(0, int))}
    for words, source in ways:
        kept.setdefault(source.tobytes(), (words, source))
    return list(kept.values())[1:]


def _slipped(name: str, order: np.ndarray, lag: int) -> tuple[str, np.ndarray]:
    source = np.full(len(order), -1)
    inside = slice(max(-lag, 0), len(order) - max(lag, 0))
    source[order[inside]] = order[inside.start + lag : inside.stop + lag]
    where = "" if name == FILE else f" in the order of {name}"
    return f"{abs(lag)} {'row' if abs(lag) == 1 else 'rows'} {'below' if lag > 0 else 'above'}{where}", source


def _assignments(orders: dict[str, np.ndarray]) -> Iterator[tuple[str, np.ndarray]]:
    for name, order in orders.items():
        for lag in LAGS:
            yield _slipped(name, order, lag)
    count = len(orders[FILE])
    partner = np.arange(count) ^ 1
    yield "of the other row of its pair", np.where(partner < count, partner, -1)
    for (name, order), (other, theirs) in permutations(orders.items(), 2):
        source = np.full(len(order), -1)
        source[order] = theirs
        yield f"at its place where windows are in the order of {name} and labels in that of {other}", source


def _orders(evidence: Evidence) -> dict[str, np.ndarray]:
    """The orders [N] in which the rows of the file may have stood, by name."""
    every = evidence.every
    ids = every.window_id.astype(str)
    orders = {FILE: np.arange(len(every)), "the file backwards": np.arange(len(every))[::-1].copy()}
    if not np.isnat(every.start_time).any():
        orders[TIME] = np.argsort(every.start_time, kind="stable")
    orders["ids as text"] = np.argsort(ids, kind="stable")
    orders["ids as numbers"] = np.array(sorted(range(len(ids)), key=lambda i: _natural(str(ids[i]))))
    return orders


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", name)]


def of_several(deviations: float, tried: int) -> float:
    """The deviations that one out of as few as there are LAGS would have by chance as seldom as one out of `tried` has these."""
    return float(min(deviations, norm.isf(min(norm.sf(deviations) * max(tried / len(LAGS), 1.0), 0.5))))
