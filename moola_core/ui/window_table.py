"""A run's predictions of each window, joined to the windows; filters and orders over them. Plain tables, no widgets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from moola_core.market.windows import Windows
from moola_core.runs.predictions import PredictionTable

ORDERS = {
    "file": "file order",
    "unsure": "least probability of the true class first",
    "error": "largest pointer error first",
}
OUTCOMES = {"right": "right", "wrong": "wrong", "unseen": "not predicted"}


@dataclass(frozen=True)
class Filter:
    """Which windows to show; empty fields select all.

    true, grade: class and grade of the window; predicted: a class that the run predicted in at least one of the selected
    repeats; outcome: right (in every selected repeat), wrong (in at least one), unseen (no prediction); error: least
    center error in bars.
    """

    true: str = ""
    grade: str = ""
    predicted: str = ""
    outcome: str = ""
    error: int = 0


def join(windows: Windows, predictions: pd.DataFrame | None, repeat: int | None = None) -> pd.DataFrame:
    """One row a window, in the windows' order, over one repeat or (None) all of them.

    Columns: window_id, label, grade, repeats (predictions counted), said (tuple of the predicted classes), right (in
    how many repeats), p_true (mean probability of the label, nan without predictions), p_most (the largest mean probability of a class),
    error (mean center error in bars, or nan).
    """
    table = pd.DataFrame({"window_id": windows.window_id, "label": windows.label, "grade": windows.grade})
    selected = _of_repeat(predictions, repeat)
    if selected is None or selected.empty:
        return table.assign(
            repeats=0,
            said=pd.Series([()] * len(table), dtype=object),
            right=0,
            p_true=np.nan,
            p_most=np.nan,
            error=np.nan,
        )
    judged = _judge(selected)
    rows = judged.groupby("window_id").agg(
        repeats=("predicted", "count"), right=("right", "sum"), p_true=("p_true", "mean"), error=("error", "mean")
    )
    answered = judged[judged["predicted"].notna()]
    predicted: dict[str, tuple[str, ...]] = {}
    for name, answer in zip(answered["window_id"], answered["predicted"], strict=True):
        predicted[name] = (*predicted.get(name, ()), answer)
    table = table.join(rows, on="window_id").join(_most(selected), on="window_id")
    table["repeats"] = table["repeats"].fillna(0).astype(int)
    table["right"] = table["right"].fillna(0).astype(int)
    table["said"] = [predicted.get(name, ()) for name in table["window_id"]]
    return table


def select(table: pd.DataFrame, criteria: Filter) -> np.ndarray:
    """Row numbers of the joined `table` that pass the filter."""
    keep = np.ones(len(table), bool)
    if criteria.true:
        keep &= (table["label"] == criteria.true).to_numpy()
    if criteria.grade:
        keep &= (table["grade"] == criteria.grade).to_numpy()
    if criteria.predicted:
        keep &= np.array([criteria.predicted in classes for classes in table["said"]], bool)
    if criteria.outcome:
        keep &= _outcome(table, criteria.outcome)
    if criteria.error:
        keep &= (table["error"] >= criteria.error).to_numpy()
    return np.flatnonzero(keep)


def order(table: pd.DataFrame, rows: np.ndarray, by: str) -> np.ndarray:
    """`rows` in the order called `by` (a key of ORDERS); windows without the value come last."""
    if by == "unsure":
        return rows[np.argsort(table["p_true"].to_numpy()[rows], kind="stable")]
    if by == "error":
        return rows[np.argsort(-table["error"].to_numpy()[rows], kind="stable")]
    return rows


def of_window(predictions: pd.DataFrame | None, window_id: str, repeat: int | None) -> pd.DataFrame:
    """The prediction rows of one window, over one repeat or all."""
    rows = _of_repeat(predictions, repeat)
    if rows is None:
        return pd.DataFrame()
    return rows[rows["window_id"].astype(str) == str(window_id)]


def pointers(rows: pd.DataFrame) -> list[tuple[float, float]]:
    """The predicted (start, end) of each row that has them, in bars."""
    if rows.empty or "start_pred" not in rows:
        return []
    pairs = rows[["start_pred", "end_pred"]].dropna().to_numpy(float)
    return [(float(start), float(end)) for start, end in pairs]


def repeats(predictions: pd.DataFrame | None) -> list[int]:
    return [] if predictions is None else sorted(int(value) for value in predictions["repeat"].unique())


def outcome(row: Mapping[str, Any] | pd.Series) -> str:
    """right, wrong or unseen, as the filter of that name understands it."""
    if not row["repeats"]:
        return "unseen"
    return "right" if row["right"] == row["repeats"] else "wrong"


def _outcome(table: pd.DataFrame, wanted: str) -> np.ndarray:
    seen, all_right = table["repeats"].to_numpy() > 0, (table["right"] == table["repeats"]).to_numpy()
    return {"right": seen & all_right, "wrong": seen & ~all_right, "unseen": ~seen}[wanted]


def _of_repeat(predictions: pd.DataFrame | None, repeat: int | None) -> pd.DataFrame | None:
    if predictions is None or repeat is None:
        return predictions
    return predictions[predictions["repeat"] == repeat]


def _most(rows: pd.DataFrame) -> pd.Series:
    """The largest mean probability of a class, by window id; nan where classes have none."""
    by_class = pd.DataFrame(PredictionTable(rows).by_class, index=rows["window_id"])
    return by_class.groupby(level=0).mean().max(axis=1).rename("p_most")


def _judge(rows: pd.DataFrame) -> pd.DataFrame:
    label, predicted = rows["label"].astype(str), rows["predicted"]
    judged = pd.DataFrame({"window_id": rows["window_id"], "predicted": predicted, "right": label == predicted})
    judged["p_true"] = PredictionTable(rows).true_probability
    judged["error"] = np.nan
    if "start_pred" in rows:
        middle = [(rows[f"start_{side}"] + rows[f"end_{side}"]).astype(float) / 2 for side in ("pred", "true")]
        judged["error"] = (middle[0] - middle[1]).abs()
    return judged
