"""One window as a chart that is not stepped through: its candles, swings, features and pointers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from moola_core.charts.windows import Swing, View, candles
from moola_core.features.catalog import names
from moola_core.market.library import Dataset
from moola_core.market.windows import Windows
from moola_core.ui import loaders, window_table

FEATURES = names(("relativity",))


def view(
    windows: Windows,
    row: int,
    dataset: Dataset,
    predicted: pd.DataFrame,
) -> View:
    """What the chart of window number `row` draws."""
    prices = windows.prices[row]
    known = bool(windows.has_pointer[row])
    return View(
        prices=prices,
        times=times(windows, row, dataset),
        swings=_swings(prices),
        true=(float(windows.start[row]), float(windows.end[row])) if known else None,
        predicted=window_table.pointers(predicted),
        features=_features(prices),
        names=FEATURES,
    )


# Stepping back and forth draws the same windows again.
@st.cache_resource(max_entries=64, show_spinner=False)
def drawn(view: View, look: str) -> go.Figure:
    """The window's chart."""
    return candles(view, look)


def times(windows: Windows, row: int, dataset: Dataset) -> list[str]:
    """The K bars' times in the exchange's zone; empty when they are unknown."""
    zone = loaders.exchange_zone(dataset)
    first = int(windows.position[row])
    if dataset.bars and first >= 0:
        stamps = loaders.bars_of(dataset.bars).time[first : first + windows.bars]
    elif np.isnat(windows.start_time[row]):
        return []
    else:
        step = np.timedelta64(round(windows.interval_s * 1e9), "ns")
        stamps = windows.start_time[row] + np.arange(windows.bars) * step
    return list(pd.DatetimeIndex(stamps, tz="UTC").tz_convert(zone).strftime("%a %d %b %Y %H:%M"))


def _swings(prices: np.ndarray) -> list[Swing]:
    # Imported where it is used: the kernels bring numba, which no other page needs.
    from moola_core.features.zigzag import swings

    result = swings(prices)
    return [
        Swing("high" if high else "low", int(bar), float(price), int(confirmed))
        for high, bar, price, confirmed in zip(result.high, result.bar, result.price, result.confirmed, strict=True)
    ]


def _features(prices: np.ndarray) -> np.ndarray:
    from moola_core.features.relativity import relativity

    return relativity(prices, len(prices))
