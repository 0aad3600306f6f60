"""Where a run is wrong: metrics by slice, confident errors, possible label errors."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from moola_core.diagnostics import claims, intervals
from moola_core.diagnostics.results import Errors, Slice, Suspect
from moola_core.diagnostics.results.interval import SUPPORTED, above
from moola_core.market import sessions
from moola_core.market.stamps import one_bar
from moola_core.market.windows import Windows
from moola_core.metrics import Predictions, measure
from moola_core.overlap import Overlap
from moola_core.runs.predictions import PredictionTable

LISTED = 12
LEAST_AUC = 0.65
THIRDS = ("low", "middle", "high")


def errors(
    predictions: pd.DataFrame,
    windows: Windows,
    exchange_tz: str = "America/New_York",
    known: Overlap | None = None,
) -> Errors:
    """Slices and suspects of a run's out-of-fold predictions on its windows (matched by window_id). known: which windows share bars."""
    rows = predictions.merge(describe(windows, exchange_tz), on="window_id", how="left")
    table = PredictionTable(predictions)
    classes = table.classes if table.has_probabilities else ()
    if classes:
        rows = rows.assign(target=table.target, answered=table.number(predictions["predicted"].to_numpy()))
    slices = tuple(
        of_slice(by, str(value), part, classes, known)
        for by in ("grade", "session", "hour", "volatility", "expansion", "source")
        for value, part in _parts(rows, by)
    )
    if not classes:
        return Errors(
            slices, (), (), "There are no probabilities of the classes, so label errors cannot be looked for."
        )
    means = _means(predictions, classes)
    wrong = means[means["answer"] != means["label"]].sort_values("p_answer", ascending=False)
    grid = table.grid()
    surely = claims.beats_chance(grid, grid.shared(known))
    doubted, note = _second_look(means, classes, above(surely, 0.5) == SUPPORTED)
    return Errors(slices, _suspects(wrong), _suspects(doubted), note)


def describe(windows: Windows, exchange_tz: str) -> pd.DataFrame:
    """What the windows are sliced by: grade, source, session and hour of the exchange's day, thirds of volatility and expansion length."""
    mean_range = (windows.prices[:, :, 1] - windows.prices[:, :, 2]).mean(1)
    times = pd.DatetimeIndex(windows.start_time).tz_localize("UTC").tz_convert(exchange_tz)
    last = windows.start_time + (windows.bars - 1) * one_bar(windows.interval_s)
    hour = np.where(np.isnat(windows.start_time), "", [f"{h:02.0f}:00" if h == h else "" for h in times.hour])
    return pd.DataFrame(
        {
            "window_id": windows.window_id.astype(str),
            "grade": windows.grade.astype(str),
            "source": windows.source.astype(str),
            "session": sessions.kinds(windows.start_time, last, exchange_tz),
            "hour": hour,
            "volatility": _thirds(mean_range),
            "expansion": _thirds(windows.end - windows.start + 1),
        }
    )


def _thirds(values: np.ndarray) -> np.ndarray:
    known = np.isfinite(values)
    thirds = np.full(len(values), "", object)
    if known.sum() >= len(THIRDS) and np.ptp(values[known]) > 0:
        edges = np.quantile(values[known], [1 / 3, 2 / 3])
        thirds[known] = np.array(THIRDS, object)[np.searchsorted(edges, values[known], "left")]
    return thirds


def _parts(rows: pd.DataFrame, by: str) -> Iterator[tuple[object, pd.DataFrame]]:
    """The parts of `rows` by a column in which more than one value occurs."""
    known = rows[rows[by].notna() & (rows[by] != "")]
    if known[by].nunique() > 1:
        order = {name: i for i, name in enumerate(THIRDS)}
        yield from sorted(known.groupby(by), key=lambda pair: (order.get(str(pair[0]), 0), str(pair[0])))


def of_slice(by: str, value: str, part: pd.DataFrame, classes: tuple[str, ...], known: Overlap | None) -> Slice:
    names = part["window_id"].unique()
    shared = Overlap.none(len(names)) if known is None else known.of(names)
    accuracy = low = high = f1 = None
    if classes and part["predicted"].notna().all():
        accuracy = float((part["predicted"].astype(str) == part["label"].astype(str)).mean())
        low, high = intervals.of_share(accuracy, shared.independent)
        target, answered = (part[name].to_numpy() for name in ("target", "answered"))
        # F1 needs only predicted classes: the probabilities say that a class was predicted.
        own = Predictions(classes, target, np.eye(len(classes))[answered], answered=answered)
        weight = (part["repeat"].to_numpy() == part["repeat"].unique()[:, None]).astype(float)
        f1 = float(measure(own, weight, names=["f1_macro"])["f1_macro"].mean())
    off = ((part["start_pred"] + part["end_pred"] - part["start_true"] - part["end_true"]) / 2).abs()
    by_window = off.groupby(part["window_id"]).mean().reindex(names).to_numpy()[None]
    center = intervals.of_windows(by_window, shared)
    mean = float(np.nanmean(by_window)) if np.isfinite(by_window).any() else None
    ends = (None, None) if center is None else (max(center.low, 0.0), center.high)
    return Slice(by, value, len(names), accuracy, low, high, f1, mean, *ends)


def _means(predictions: pd.DataFrame, classes: tuple[str, ...]) -> pd.DataFrame:
    """One row a window: label, probabilities averaged over the repeats, the predicted class, and its and the label's probability."""
    names = [f"p_{name}" for name in classes]
    means = predictions.groupby("window_id").agg({"label": "first", **dict.fromkeys(names, "mean")}).reset_index()
    p = means[names].to_numpy(float)
    place = np.array([classes.index(str(label)) for label in means["label"]])
    means["answer"] = np.array(classes)[p.argmax(1)]
    means["p_answer"], means["p_label"] = p.max(1), p[np.arange(len(p)), place]
    return means


def _second_look(means: pd.DataFrame, classes: tuple[str, ...], surely: bool) -> tuple[pd.DataFrame, str]:
    """Windows whose other class is as probable as it is on average for windows that bear it (Northcutt et al. 2021)."""
    p = means[[f"p_{name}" for name in classes]].to_numpy(float)
    label = means["label"].astype(str).to_numpy()
    target = np.array([classes.index(name) for name in label])
    auc = float(measure(Predictions(classes, target, p), names=["auroc"])["auroc"])
    if not (auc >= LEAST_AUC and surely):
        shown = "unknown" if np.isnan(auc) else f"{auc:.2f}"
        why = "with an interval that reaches 0.5" if auc >= LEAST_AUC else f"below {LEAST_AUC}"
        return means.iloc[:0], (
            f"The out-of-fold AUROC is {shown}, {why}: where the models can hardly separate the classes, their "
            "disagreement with a label says nothing about it."
        )
    usual = np.array([p[label == name, i].mean() for i, name in enumerate(classes)])
    doubted = (means["answer"].to_numpy() != label) & (p.max(1) >= usual[p.argmax(1)])
    suspects = means[doubted].sort_values("p_label")
    return suspects, "" if len(
        suspects
    ) else "No window with another predicted class reaches the usual probability of that class."


def _suspects(rows: pd.DataFrame) -> tuple[Suspect, ...]:
    return tuple(
        Suspect(str(row.window_id), str(row.label), str(row.answer), float(row.p_answer), float(row.p_label))
        for row in rows.head(LISTED).itertuples()
    )
