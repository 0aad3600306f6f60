"""One window as it is shown: its candles, swings, features and pointers, and the facts next to them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from moola_core.charts.windows import SpanScores, Swing, View, candles
from moola_core.features.catalog import names
from moola_core.market.library import Dataset
from moola_core.market.windows import Windows
from moola_core.runs.predictions import PredictionTable
from moola_core.ui import loaders, window_table
from moola_core.ui.widgets import escape_markdown

FEATURES = names(("relativity",))


def view(
    windows: Windows,
    row: int,
    dataset: Dataset,
    predicted: pd.DataFrame,
    strips: bool,
    scores: SpanScores | None = None,
) -> View:
    """What the chart of window number `row` draws; scores: what a model of spans says of it."""
    prices = windows.prices[row]
    known = bool(windows.has_pointer[row])
    return View(
        prices=prices,
        times=times(windows, row, dataset),
        swings=_swings(prices),
        true=(float(windows.start[row]), float(windows.end[row])) if known else None,
        predicted=window_table.pointers(predicted),
        features=_features(prices) if strips else None,
        names=FEATURES if strips else (),
        scores=scores,
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


def facts(windows: Windows, row: int, judged: pd.Series, predicted: pd.DataFrame) -> None:
    """Label, prediction, probabilities and pointers of the window, as text."""
    right = window_table.outcome(judged)
    grade = f" :gray-badge[grade {escape_markdown(str(judged['grade']))}]" if judged["grade"] else ""
    st.markdown(f"#### {escape_markdown(str(judged['label']))}{grade}")
    if right == "unseen":
        st.caption("No prediction for this window in the selected run.")
    else:
        colour, icon, word = ("green", "check", "right") if right == "right" else ("orange", "close", "wrong")
        count = f" {judged['right']} of {judged['repeats']} repeats right" if judged["repeats"] > 1 else ""
        st.markdown(f":{colour}-badge[:material/{icon}: {word}]{count}")
        _probabilities(predicted, str(judged["label"]))
    _pointer_table(windows, row, predicted)
    _stated(predicted)
    if windows.spans_gap[row]:
        st.caption(":orange[:material/warning:] The window spans a gap or a roll.")


def _probabilities(predicted: pd.DataFrame, label: str) -> None:
    for name, values in PredictionTable(predicted).by_class.items():
        span = f" ({values.min():.2f} to {values.max():.2f})" if len(values) > 1 else ""
        mark = " ← label" if name == label else ""
        st.progress(
            float(np.clip(values.mean(), 0, 1)), text=f"{escape_markdown(name)} {values.mean():.2f}{span}{mark}"
        )


def _stated(predicted: pd.DataFrame) -> None:
    """The stated probability of the predicted expansion, where the model states one."""
    stated = PredictionTable(predicted).stated if len(predicted) else None
    if stated is None or not np.isfinite(stated).any():
        return
    low, high = np.nanmin(stated), np.nanmax(stated)
    spread = f" ({low:.2f} to {high:.2f})" if len(stated) > 1 else ""
    st.caption(f"Stated probability of a center within 3 bars: **{np.nanmean(stated):.2f}**{spread}")


def _pointer_table(windows: Windows, row: int, predicted: pd.DataFrame) -> None:
    pairs = window_table.pointers(predicted)
    start, end = windows.start[row], windows.end[row]
    if not (np.isfinite(start) or pairs):
        st.caption("The window has no expansion pointer.")
        return
    guess = np.mean(pairs, axis=0) if pairs else (np.nan, np.nan)
    rows = {"start": (start, guess[0]), "end": (end, guess[1]), "center": ((start + end) / 2, sum(guess) / 2)}
    table = pd.DataFrame(
        [(_number(true), _number(mean), _number(mean - true, "+.1f")) for true, mean in rows.values()],
        columns=["true", "predicted", "error"],
        index=pd.Index(rows, name="bars"),
    )
    st.table(table, border="horizontal")


def _number(value: float, form: str = ".1f") -> str:
    return f"{value:{form}}".replace("-", "−") if np.isfinite(value) else "–"


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
