"""What a run's model of spans says of windows: probabilities of their bars, and other spans that the expansion may be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from moola_core.runs.predictions import SPAN, PredictionTable
from moola_core.runs.store import Run
from moola_core.ui import loaders

LEAST = 0.005  # less probable spans would not be seen
PER_BAR = ["p_start", "p_end", "p_inside"]


@dataclass(frozen=True, eq=False)
class SpanScores:
    """What a model of spans says of one window, averaged over the repeats shown.

    per_bar [K, 3]: probability of each bar to be the first, to be the last, and to lie inside the expansion; runners_up: other spans
    (start, end, probability) in bars; stated: probability of each predicted expansion, in the order of the predictions.
    """

    per_bar: np.ndarray
    runners_up: tuple[tuple[float, float, float], ...] = ()
    stated: tuple[float, ...] = ()


def has_scores(run: Run | None) -> bool:
    """Whether the run's model states a probability of each bar."""
    return run is not None and all((run.folder / f"{name}.parquet").is_file() for name in ("per_bar", "spans"))


def of_windows(run: Run, predictions: pd.DataFrame, ids: tuple[str, ...]) -> dict[str, SpanScores]:
    """The scores of these windows by id, averaged over the repeats of the `predictions`; without those that have none."""
    per_bar, spans = (loaders.rows_of_windows(run, name, ids) for name in ("per_bar", "spans"))
    rows = predictions[predictions["window_id"].astype(str).isin(ids)]
    if per_bar is None or spans is None or rows.empty:
        return {}
    shown = set(rows["repeat"])
    bars = per_bar[per_bar["repeat"].isin(shown)].groupby(["window_id", "bar"], sort=True)[PER_BAR].mean()
    scores = {str(name): own.to_numpy(float) for name, own in bars.groupby(level=0)}
    others = runners_up(spans[spans["repeat"].isin(shown)], rows)
    stated = _stated(rows)
    return {name: SpanScores(own, others.get(name, ()), stated.get(name, ())) for name, own in scores.items()}


def runners_up(spans: pd.DataFrame, predictions: pd.DataFrame) -> dict[str, tuple[tuple[float, float, float], ...]]:
    """By window the spans that are not predicted: (start, end, mean probability), the most probable first.

    A span that is not among a repeat's best counts 0 there.
    """
    repeats = predictions.groupby("window_id")["repeat"].nunique()
    predicted = set(zip(predictions["window_id"], predictions[SPAN[0]], predictions[SPAN[1]], strict=True))
    total = spans.groupby(["window_id", "start", "end"])["p"].sum().sort_values(ascending=False)
    rows: dict[str, list[tuple[float, float, float]]] = {}
    for (name, start, end), p in total.items():
        mean = p / repeats.get(name, 1)
        if mean >= LEAST and (name, start, end) not in predicted:
            rows.setdefault(str(name), []).append((float(start), float(end), float(mean)))
    return {name: tuple(own) for name, own in rows.items()}


def _stated(predictions: pd.DataFrame) -> dict[str, tuple[float, ...]]:
    """By window the stated probability of each prediction that has a pointer."""
    located = predictions[predictions[SPAN].notna().all(axis=1)]
    stated = PredictionTable(located).stated
    if stated is None:
        return {}
    rows: dict[str, tuple[float, ...]] = {}
    for name, p in zip(located["window_id"].astype(str), stated.tolist(), strict=True):
        rows[name] = (*rows.get(name, ()), p)
    return rows
