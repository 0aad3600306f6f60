"""The windows that the viewer gets at a time: prices, pointers, what the run predicts of them, as values that JSON can hold."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from moola_core.market.bars import Bars
from moola_core.market.windows import Windows
from moola_core.runs.predictions import SPAN, PredictionTable
from moola_core.runs.store import Run
from moola_core.ui import window_spans, window_table

AROUND_BARS = 40  # bars of the market that are shown before a window, and after it
UNSURE_BELOW, FAR_BARS = 0.65, 3.0
MOST_DECIMALS = 8


@dataclass(frozen=True)
class Shown:
    """What is drawn next to candles and pointers: the strips of features, the probability of each bar, the swings."""

    strips: bool = False
    scores: bool = False
    swings: bool = False


@dataclass(frozen=True, eq=False)
class Source:
    """Where the viewer's windows come from: bars may be unknown, and so may a run with its predictions of the repeats shown."""

    windows: Windows
    bars: Bars | None
    run: Run | None
    predictions: pd.DataFrame | None
    shown: Shown


def chunk(source: Source, table: pd.DataFrame, rows: np.ndarray) -> list[dict[str, Any]]:
    """The windows at `rows` of the joined `table`, in that order."""
    ids = tuple(table["window_id"].astype(str).iloc[rows])
    predicted = _by_window(source.predictions, ids)
    scores = _scores(source, ids) if source.shown.scores else {}
    return [
        _market(source, int(row)) | _judged(facts, predicted.get(name)) | {"id": name, "scores": scores.get(name)}
        for row, name, facts in zip(rows, ids, table.iloc[rows].itertuples(), strict=True)
    ]


def marks(table: pd.DataFrame, rows: np.ndarray) -> str:
    """A hexadecimal digit a window: 1 wrong, 2 unsure (no class has `UNSURE_BELOW`), 4 far (the center is more than `FAR_BARS` off)."""
    selected = table.iloc[rows]
    seen = selected["repeats"].to_numpy() > 0
    wrong = seen & (selected["right"] != selected["repeats"]).to_numpy()
    unsure = (selected["p_most"] < UNSURE_BELOW).to_numpy()
    far = (selected["error"] > FAR_BARS).to_numpy()
    return "".join(f"{mark:x}" for mark in wrong * 1 + unsure * 2 + far * 4)


def decimals(prices: np.ndarray) -> int:
    """With how many decimals these prices are written in full."""
    for digits in range(MOST_DECIMALS):
        if np.allclose(prices, prices.round(digits), rtol=0, atol=10.0**-MOST_DECIMALS):
            return digits
    return MOST_DECIMALS


def packed(values: np.ndarray, kind: str = "<f4") -> str:
    """An array as base64 of little-endian numbers."""
    return base64.b64encode(np.ascontiguousarray(values, kind).tobytes()).decode("ascii")


def _market(source: Source, row: int) -> dict[str, Any]:
    """Prices and times of the window and of the bars around it, its true pointer, its features and swings."""
    windows, bars = source.windows, source.bars
    prices, first, before = windows.prices[row], int(windows.position[row]), 0
    own, known = prices, bars is not None and first >= 0
    times: np.ndarray | None = None
    if known and bars is not None:
        before = min(AROUND_BARS, first)
        around = slice(first - before, first + windows.bars + AROUND_BARS)
        # Back-adjusted bars lie at other prices than the window that was cut from them before.
        prices = bars.ohlc[around] + (own[0, 0] - bars.ohlc[first, 0])
        prices[before : before + windows.bars] = own
        times = bars.time[around]
    elif not np.isnat(windows.start_time[row]):
        step = np.timedelta64(round(windows.interval_s * 1e9), "ns")
        times = windows.start_time[row] + np.arange(windows.bars) * step
    base = float(own[0, 0])
    pointer = windows.has_pointer[row]
    return {
        "prices": packed(prices - base),
        "base": base,
        "before": before,
        **times_of(times),
        "true": [float(windows.start[row]), float(windows.end[row])] if pointer else None,
        "gap": bool(windows.spans_gap[row]),
        "strips": packed(_features(own)) if source.shown.strips else None,
        "swings": _swings(own) if source.shown.swings else [],
    }


def times_of(times: np.ndarray | None) -> dict[str, Any]:
    """The first time in seconds and all others as seconds after it; nothing for unknown times and for those below a second."""
    if times is None:
        return {"start": 0, "times": None}
    seconds = times.astype("datetime64[s]").astype(np.int64)
    if (np.diff(seconds) <= 0).any():
        return {"start": 0, "times": None}
    return {"start": int(seconds[0]), "times": packed(seconds - seconds[0], "<i4")}


def _judged(row: Any, predicted: _Predicted | None) -> dict[str, Any]:
    """What the window is, and what the run predicts of it; row: a named tuple of the joined table."""
    facts = {
        "label": str(row.label),
        "grade": str(row.grade),
        "outcome": window_table.outcome(row._asdict()),
        "repeats": int(row.repeats),
        "right": int(row.right),
        "classes": [],
        "predicted": [],
        "stated": None,
    }
    if predicted is None:
        return facts
    stated = predicted.stated[np.isfinite(predicted.stated)]
    return facts | {
        "classes": [[name, *_spread(own)] for name, own in predicted.classes.items() if np.isfinite(own).all()],
        "predicted": predicted.pointers[np.isfinite(predicted.pointers).all(axis=1)].tolist(),
        "stated": _spread(stated) if len(stated) else None,
    }


@dataclass(frozen=True, eq=False)
class _Predicted:
    """What is predicted of one window, a row a repeat: probabilities by class, pointers [n, 2], stated probabilities, none or n."""

    classes: dict[str, np.ndarray]
    pointers: np.ndarray
    stated: np.ndarray


def _spread(values: np.ndarray) -> list[float]:
    return [round(float(value), 6) for value in (values.mean(), values.min(), values.max())]


def _by_window(predictions: pd.DataFrame | None, ids: tuple[str, ...]) -> dict[str, _Predicted]:
    if predictions is None:
        return {}
    rows = predictions[predictions["window_id"].astype(str).isin(ids)]
    if rows.empty:
        return {}
    table = PredictionTable(rows)
    by_class, stated = table.by_class, table.stated
    pointers = rows[SPAN].to_numpy(float) if SPAN[0] in rows else np.empty((len(rows), 0))
    parts = {}
    for name, own in rows.reset_index(drop=True).groupby("window_id", sort=False).indices.items():
        parts[str(name)] = _Predicted(
            {label: values[own] for label, values in by_class.items()},
            pointers[own] if pointers.shape[1] else np.empty((0, 2)),
            np.empty(0) if stated is None else stated[own],
        )
    return parts


def _scores(source: Source, ids: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """What a model of spans says of each bar and of other spans, where the run has it."""
    if source.run is None or source.predictions is None:
        return {}
    return {
        name: {
            "bars": packed(one.per_bar),
            "runners": [list(runner) for runner in one.runners_up],
            "stated": [p if np.isfinite(p) else None for p in one.stated],
        }
        for name, one in window_spans.of_windows(source.run, source.predictions, ids).items()
    }


def _features(prices: np.ndarray) -> np.ndarray:
    # Imported where it is used: the kernels bring numba, which no other page needs.
    from moola_core.features.relativity import relativity

    return np.nan_to_num(relativity(prices, len(prices)))


def _swings(prices: np.ndarray) -> list[list[int]]:
    from moola_core.features.zigzag import swings

    result = swings(prices)
    return [[int(high), int(bar)] for high, bar in zip(result.high, result.bar, strict=True)]
