"""What a run's model of spans says of one window: probabilities of its bars, and other spans that the expansion may be."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from moola_core.charts.windows import SpanScores
from moola_core.runs.predictions import SPAN, PredictionTable
from moola_core.runs.store import Run
from moola_core.ui import loaders, window_table

NOTE = (
    "Under the candles: the probability of each bar to be the start, to be the end, and to lie inside the expansion. Lines there, and faint "
    "bands over the candles, are other spans that the expansion may be. The number over a prediction is its stated probability: that "
    "the true center lies within 3 bars. Repeats are averaged."
)
LEAST = 0.005  # less probable spans would not be seen
PER_BAR = ["p_start", "p_end", "p_inside"]


def switch(run: Run | None, window_id: str, predicted: pd.DataFrame) -> SpanScores | None:
    """Draw the switch and return the window's scores; without a switch, None, where the run has none."""
    made = scores(run, window_id, predicted) if run is not None else None
    if made is None:
        return None
    return made if st.toggle("Probability of each bar", value=True, key="bar_scores", persist_state="session") else None


def scores(run: Run, window_id: str, predicted: pd.DataFrame) -> SpanScores | None:
    """The window's scores, averaged over the repeats in its rows of predictions; None where there are none."""
    per_bar, spans = (loaders.rows_of_window(run, name, window_id) for name in ("per_bar", "spans"))
    if per_bar is None or spans is None or predicted.empty:
        return None
    shown = set(predicted["repeat"])
    per_bar, spans = per_bar[per_bar["repeat"].isin(shown)], spans[spans["repeat"].isin(shown)]
    if per_bar.empty:
        return None
    stated = PredictionTable(predicted).stated
    located = predicted[SPAN].notna().all(axis=1).to_numpy()
    return SpanScores(
        per_bar.groupby("bar", sort=True)[PER_BAR].mean().to_numpy(float),
        runners_up(spans, window_table.pointers(predicted), len(shown)),
        () if stated is None else tuple(stated[located].tolist()),
    )


def runners_up(
    spans: pd.DataFrame, predicted: list[tuple[float, float]], repeats: int
) -> tuple[tuple[float, float, float], ...]:
    """The spans that are not predicted: (start, end, mean probability), the most probable first.

    A span that is not among a repeat's best counts 0 there.
    """
    mean = spans.groupby(["start", "end"])["p"].sum() / repeats
    rows = [(float(start), float(end), float(p)) for (start, end), p in mean.sort_values(ascending=False).items()]
    return tuple(row for row in rows if row[2] >= LEAST and row[:2] not in set(predicted))
