"""Bars to per-bar matrices, and windows gathered from them by index."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from moola_core.errors import DataError, StoreError
from moola_core.features.catalog import FEATURES, PRICE_PATH, names
from moola_core.features.relativity import relativity
from moola_core.market.bars import Bars
from moola_core.market.windows import Windows
from moola_core.specs import Features

LAYOUT = 1  # part of the cache key: raise it when a column's definition changes


def bar_matrix(bars: Bars, length_bars: int, cache: str | Path | None = None) -> np.ndarray:
    """The relativity columns of each bar.

    State runs on over the bars and starts anew at contract rolls.

    Parameters
    ----------
    bars : Bars
        n bars.
    length_bars : int
        Window length, the divisor of columns that count bars.
    cache : str or Path, optional
        A folder in which the matrix is kept by content, to be memory-mapped by later calls.

    Returns
    -------
    ndarray of float32, shape (n, 12)
        In the order of `catalog.FEATURES`; read-only where it comes from the cache.

    Raises
    ------
    StoreError
        When the cache cannot be written.
    """
    if cache is None:
        return relativity(bars.ohlc, length_bars, bars.rolls)
    key = hashlib.sha256(
        f"{LAYOUT} {bars.content_hash} {length_bars} {[f.name for f in FEATURES]}".encode()
    ).hexdigest()[:24]
    path = Path(cache) / f"{key}.npy"
    if not path.is_file():
        _write(path, relativity(bars.ohlc, length_bars, bars.rolls))
    return np.load(path, mmap_mode="r")


def _write(path: Path, matrix: np.ndarray) -> None:
    """Save under a name of this process's own and rename, so that no reader meets half a file."""
    draft = path.with_name(f".{path.stem}.{os.getpid()}.npy")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(draft, matrix)
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise StoreError(
            f"the feature cache cannot be written: {error.strerror}.",
            where=str(path.parent),
            hint="Free some disk space.",
        ) from None


def gather(matrix: np.ndarray, first: np.ndarray, length_bars: int) -> np.ndarray:
    """Windows of a matrix of bars, as one copy of just these rows.

    Parameters
    ----------
    matrix : ndarray, shape (n, columns)
        A row for each bar.
    first : ndarray of int, shape (m,)
        The bar at which each window starts.
    length_bars : int
        Window length in bars.

    Returns
    -------
    ndarray, shape (m, length_bars, columns)
    """
    return matrix[np.asarray(first)[:, None] + np.arange(length_bars)]


def price_path(prices: np.ndarray) -> np.ndarray:
    """Prices relative to the start of each window.

    Parameters
    ----------
    prices : ndarray of float, shape (n, K, 4)
        Open, high, low and close of each bar.

    Returns
    -------
    ndarray of float32, shape (n, K, 4)
        Prices less the first close, in units of the window's mean range (high less low).
    """
    mean_range = (prices[:, :, 1] - prices[:, :, 2]).mean(1)
    scale = np.where(mean_range > 0, mean_range, 1.0)
    return ((prices - prices[:, :1, 3:]) / scale[:, None, None]).astype(np.float32)


def standardised_path(x: np.ndarray, mean: np.ndarray, std: np.ndarray, features: Sequence[str]) -> np.ndarray:
    """The price path again, from features as a network reads them.

    Parameters
    ----------
    x : ndarray of float32, shape (n, K, F)
        Standardised features.
    mean, std : ndarray, shape (F,)
        What they were standardised by.
    features : sequence of str
        Their F names; the price path is among them.

    Returns
    -------
    ndarray of float64, shape (n, K, 4)
        Open, high, low, close less the first close, in mean ranges.
    """
    columns = [list(features).index(feature.name) for feature in PRICE_PATH]
    return x[:, :, columns].astype(np.float64) * std[columns] + mean[columns]


def window_matrix(
    windows: Windows, spec: Features, bars: Bars | None = None, cache: str | Path | None = None
) -> np.ndarray:
    """What a model reads of labelled windows.

    Parameters
    ----------
    windows : Windows
        n windows of K bars.
    spec : Features
        Which columns, and whether their state starts at each window (``"per_window"``) or runs on over the bars (``"streaming"``).
    bars : Bars, optional
        The bars that the windows were cut from; needed for continuous state.
    cache : str or Path, optional
        As of :func:`bar_matrix`.

    Returns
    -------
    ndarray of float32, shape (n, K, columns)
        In the order of ``names(spec.columns)``.

    Raises
    ------
    DataError
        When continuous state is asked for without bars, or for windows that are not located in them.
    """
    wanted = names(spec.columns)
    blocks: dict[str, np.ndarray] = {}
    if any(feature.name in wanted for feature in FEATURES):
        columns = _continuous(windows, bars, cache) if spec.state == "streaming" else _restarted(windows)
        blocks |= {feature.name: columns[:, :, i] for i, feature in enumerate(FEATURES)}
    if any(feature.name in wanted for feature in PRICE_PATH):
        path = price_path(windows.prices)
        blocks |= {feature.name: path[:, :, i] for i, feature in enumerate(PRICE_PATH)}
    return np.ascontiguousarray(np.stack([blocks[name] for name in wanted], axis=2))


def _restarted(windows: Windows) -> np.ndarray:
    n, length = windows.prices.shape[:2]
    starts = np.arange(n) * length
    return relativity(windows.prices.reshape(n * length, 4), length, starts).reshape(n, length, len(FEATURES))


def _continuous(windows: Windows, bars: Bars | None, cache: str | Path | None) -> np.ndarray:
    if bars is None:
        raise DataError(
            "continuous state needs the bars.",
            where="features.state",
            hint="Give data.bars, or use features.state=per_window.",
        )
    lost = windows.position < 0
    if lost.any():
        raise DataError(
            f"{int(lost.sum())} windows are not in the bars, first {', '.join(map(str, windows.window_id[lost][:5]))}.",
            where=windows.path,
            hint="Give the bars that they were cut from, or use features.state=per_window.",
        )
    return gather(bar_matrix(bars, windows.bars, cache), windows.position, windows.bars)
