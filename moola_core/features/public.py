"""The features of bars and windows, for notebooks and scripts."""

from __future__ import annotations

import numpy as np

from moola_core.arguments import a_kind, whole
from moola_core.features.matrix import bar_matrix, window_matrix
from moola_core.market.bars import Bars
from moola_core.market.windows import LONGEST, SHORTEST, Windows
from moola_core.specs import Features, build

BARS_WANTED = "Give bars from load_bars or bars_from_arrays."
WINDOWS_WANTED = "Give windows from load_windows or windows_from_arrays."


def bar_features(bars: Bars, window_bars: int = 105) -> np.ndarray:
    """The 12 relativity features of every bar.

    Parameters
    ----------
    bars : Bars
        From :func:`moola_core.load_bars` or :func:`moola_core.bars_from_arrays`.
    window_bars : int, default 105
        Window length in bars, by which two of the features are divided.

    Returns
    -------
    ndarray of float32, shape (bars, 12)
        Columns in the order of ``moola_core.features.catalog.FEATURES``.
    """
    a_kind(bars, Bars, "bars", BARS_WANTED)
    whole(window_bars, "window_bars", SHORTEST, LONGEST)
    return bar_matrix(bars, window_bars)


def window_features(
    windows: Windows, columns: tuple[str, ...] = ("relativity",), bars: Bars | None = None
) -> np.ndarray:
    """The features of labelled windows, each computed from the window's own bars.

    Parameters
    ----------
    windows : Windows
        From :func:`moola_core.load_windows` or :func:`moola_core.windows_from_arrays`.
    columns : tuple of str, default ("relativity",)
        Feature names, or the groups ``"relativity"`` and ``"price_path"``.
    bars : Bars, optional
        The bars that the windows were located in; their features then run on from the bars before each window.

    Returns
    -------
    ndarray of float32, shape (windows, K, features)

    Examples
    --------
    >>> from moola_core import make_demo, window_features
    >>> window_features(make_demo(bars=3_000, windows=20, seed=1).windows).shape[1:]
    (105, 12)
    """
    a_kind(windows, Windows, "windows", WINDOWS_WANTED)
    if bars is not None:
        a_kind(bars, Bars, "bars", BARS_WANTED)
    named = (columns,) if isinstance(columns, str) else columns
    features = build(Features, {"columns": named, "state": "per_window" if bars is None else "streaming"}, "columns")
    return window_matrix(windows, features, bars)
