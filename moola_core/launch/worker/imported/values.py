"""Probabilities, classes and pointers as people write them, brought into ours."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from moola_core.errors import DataError
from moola_core.launch.worker.imported.columns import PredictionReading, plain
from moola_core.market.checks import SHOWN
from moola_core.market.windows import Windows

EMPTY = ("", "nan", "none", "null", "na", "n/a", "nat", "-")
DECIMAL_COMMA = re.compile(r"-?\d+,\d+\s*%?")
LEAST_MOVED = 1e-3  # a sum of probabilities may be off by rounding


class Rows:
    """The rows of a table, to refuse some of them by name."""

    def __init__(self, window_id: Sequence[str], where: str) -> None:
        self.window_id, self.where = list(window_id), where

    def refuse(self, wrong: Any, what: str, hint: str = "Correct or drop these rows.") -> None:
        """Raise DataError that names the first rows which are wrong, if any is."""
        wrong = np.asarray(wrong)
        if wrong.any():
            rows = np.flatnonzero(wrong)[:SHOWN]
            first = ", ".join(f"row {i} ({' '.join(self.window_id[i].split())})" for i in rows)
            raise DataError(f"{int(wrong.sum())} rows: {what}, first {first}.", where=self.where, hint=hint)


def texts(column: pd.Series) -> pd.Series:
    """The column as stripped text, empty where nothing is given."""
    text = column.astype(object).where(column.notna(), "").astype(str).str.strip()
    return text.where(~text.str.lower().isin(EMPTY), "")


def numbers(text: pd.Series) -> np.ndarray:
    """Text as numbers [n], nan where it is none; a decimal comma where every number has one."""
    given = text[text != ""]
    if len(given) and given.str.fullmatch(DECIMAL_COMMA).all():
        text = text.str.replace(",", ".", regex=False)
    return pd.to_numeric(text, errors="coerce").to_numpy(float)


def probabilities(
    scores: pd.DataFrame, classes: Sequence[str], answers: PredictionReading, rows: Rows
) -> tuple[np.ndarray, list[str]]:
    """Probabilities [n, C] with sum 1, nan in the rows that give none; and how they were understood."""
    cells = scores.apply(texts)
    empty = (cells == "").to_numpy()
    marked = cells.apply(lambda column: column.str.endswith("%")).to_numpy()
    p = np.stack([numbers(cells[name].str.rstrip("% ")) for name in cells], axis=1)
    partly = empty.any(1) & ~empty.all(1)
    rows.refuse((np.isnan(p) & ~empty).any(1), "has probabilities that are no numbers")
    rows.refuse(np.isinf(p).any(1), "has probabilities that are not finite")
    rows.refuse(partly, "has probabilities of some classes alone")
    if marked.any() and not marked[~empty].all():
        rows.refuse((~marked & ~empty).any(1), "has probabilities without a % sign next to others with one")
    given = ~empty.any(1)
    if not given.any():
        raise DataError("no row has probabilities.", where=rows.where, hint="Export the predictions again.")
    notes: list[str] = []
    if answers.logits:
        p = _softmax(p)
        notes.append("The scores were turned into probabilities by the softmax.")
    elif marked.any() or _is_percent(p[given], len(classes)):
        p = p / 100
        notes.append("The probabilities are percentages; they were divided by 100.")
    if p.shape[1] == 1:
        p, more = _other_class(p[:, 0], scores.columns[0], classes, rows)
        notes += more
    else:
        p = p[:, [list(scores.columns).index(name) for name in classes]]
    _refuse_improbable(p, given, classes, rows)
    with np.errstate(invalid="ignore"):
        return p / p.sum(1, keepdims=True), notes


def _is_percent(p: np.ndarray, classes: int) -> bool:
    total = p.sum(1) if p.shape[1] > 1 else np.full(len(p), 100.0)
    return bool(
        (p >= 0).all() and p.max() > 1.5 and p.max() <= 100.5 and np.isclose(np.median(total), 100, atol=0.5 * classes)
    )


def _softmax(p: np.ndarray) -> np.ndarray:
    if p.shape[1] == 1:
        return 1 / (1 + np.exp(-np.clip(p, -700, 700)))
    shifted = np.exp(p - np.nanmax(np.where(np.isnan(p), -np.inf, p), axis=1, keepdims=True, initial=-1e300))
    return shifted / shifted.sum(1, keepdims=True)


def _other_class(p: np.ndarray, label: str, classes: Sequence[str], rows: Rows) -> tuple[np.ndarray, list[str]]:
    """Probabilities of both of two classes where those of one are given."""
    others = [name for name in classes if name != label]
    if len(others) != 1:
        missing = ", ".join(f"no column p_{name}" for name in others)
        raise DataError(
            f"it has {missing}.",
            where=rows.where,
            hint=f"Give p_<class> for each class: {', '.join(classes)}, or map them.",
        )
    rows.refuse((p < 0) | (p > 1), f"has a p_{label} that is not 0 to 1", "If these are logits, give --logits.")
    both = np.stack([p if name == label else 1 - p for name in classes], axis=1)
    return both, [f"Only p_{label} is given; p_{others[0]} is 1 less it."]


def _refuse_improbable(p: np.ndarray, given: np.ndarray, classes: Sequence[str], rows: Rows) -> None:
    """Raise DataError for numbers that are no probabilities, which says what they look like."""
    total = p.sum(1)
    known = p[given]
    digits = 3 if (np.abs(known * 1000 - np.round(known * 1000)) > 1e-6).any() else 2
    tolerance = LEAST_MOVED + (
        0.005 * len(classes) if digits == 2 or not (np.abs(known * 100 - np.round(known * 100)) > 1e-6).any() else 0
    )
    wrong = given & (~(np.abs(total - 1) <= tolerance) | (p < 0).any(1) | (p > 1 + tolerance).any(1))
    if not wrong.any():
        return
    hint = "Correct or drop these rows."
    what = "has probabilities that are not 0 to 1 with sum 1, nor percentages with sum 100"
    if (known <= 1e-9).all() and np.isclose(np.exp(known).sum(1), 1, atol=0.02).mean() > 0.9:
        what, hint = (
            f"{what}: they look like logarithms of probabilities",
            "Give --logits to turn them into probabilities.",
        )
    elif (known < 0).any() or (wrong[given].mean() > 0.5 and (known > 1.5).any()):
        what, hint = f"{what}: they look like logits", "Give --logits to turn them into probabilities."
    elif wrong[given].mean() > 0.5:
        what, hint = (
            f"{what}: they look like independent scores of each class",
            "Normalise them so that each row has the sum 1.",
        )
    rows.refuse(wrong, what, hint)


def predicted(
    column: pd.Series, classes: Sequence[str], mapped: Mapping[str, str], rows: Rows
) -> tuple[np.ndarray, list[str]]:
    """Predicted classes [n], empty where there is none; and whether they were recognised by another spelling."""
    text = texts(column)
    by_plain = {plain(name): name for name in classes} | {plain(theirs): ours for theirs, ours in mapped.items()}
    answer = text.map(lambda name: name if name in classes else mapped.get(name) or by_plain.get(plain(name)) or name)
    known = answer.isin([*classes, ""])
    names = ", ".join(sorted(set(answer[~known]))[:SHOWN])
    rows.refuse(
        ~known,
        f"predicts a class that the windows have not ({names})",
        f"The classes are {', '.join(classes)}; give --class THEIRS=OURS.",
    )
    other = sorted({f"{theirs} is {ours}" for theirs, ours in zip(text, answer, strict=True) if theirs != ours})
    return answer.to_numpy(str), [f"Classes under other names: {', '.join(other[:SHOWN])}."] if other else []


def pointers(
    table: pd.DataFrame, windows: Windows, place: np.ndarray, answers: PredictionReading, rows: Rows
) -> tuple[np.ndarray, list[str]]:
    """Predicted starts and ends [n, 2] in bars, nan in both where one is missing; and how they were understood."""
    first, second = (
        ("center_pred", "length_pred")
        if "start_pred" not in table and "center_pred" in table
        else ("start_pred", "end_pred")
    )
    lone = [name for name in (first, second) if name in table]
    if not lone:
        return np.full((len(table), 2), np.nan), []
    if len(lone) == 1:
        raise DataError(
            f"it has {lone[0]} alone.", where=rows.where, hint=f"Give both {first} and {second}, or neither."
        )
    cells = [texts(table[name]) for name in (first, second)]
    pair = np.stack([numbers(cell) for cell in cells], axis=1)
    lost = np.stack(
        [(cell != "").to_numpy() & np.isnan(column) for cell, column in zip(cells, pair.T, strict=True)], axis=1
    )
    unit = answers.pointers or ("times" if lost.any() and not np.isfinite(pair).any() and first == "start_pred" else "")
    notes: list[str] = []
    if unit == "times":
        pair = _from_times(cells, windows, place, rows)
        notes.append("Predicted starts and ends are times; they are the bars that begin at or before them.")
        lost = np.zeros_like(lost)
    for i, name in enumerate((first, second)):
        rows.refuse(
            lost[:, i] | np.isinf(pair[:, i]), f"has a {name} that is no bar number of a window of {windows.bars} bars"
        )
    known = pair[np.isfinite(pair)]
    fractions = unit == "fractions" or (
        not unit and len(known) > 0 and bool((known % 1 != 0).any() and np.abs(known).max() <= 1)
    )
    if fractions:
        pair = pair * windows.bars
        notes.append(
            f"Predicted pointers are fractions of the window; they were multiplied by its {windows.bars} bars."
        )
    for i, name in enumerate((first, second)):
        rows.refuse(
            np.abs(pair[:, i]) > 2 * windows.bars,
            f"has a {name} that is no bar number of a window of {windows.bars} bars",
        )
    if first == "center_pred":
        pair = np.stack([pair[:, 0] - pair[:, 1] / 2, pair[:, 0] + pair[:, 1] / 2], axis=1)
    half = np.isnan(pair).sum(1) == 1
    pair[half] = np.nan
    turned = pair[:, 0] > pair[:, 1]
    rows.refuse(turned, "has an expansion that ends before it starts")
    return pair, notes + (
        [f"{int(half.sum())} rows give one end of the expansion alone; it counts as none."] if half.any() else []
    )


def _from_times(cells: Sequence[pd.Series], windows: Windows, place: np.ndarray, rows: Rows) -> np.ndarray:
    """Times as bars of their windows: whole intervals since the window's start."""
    start = windows.start_time[place]
    if np.isnat(start).any():
        raise DataError(
            "predicted starts and ends are times, and some windows have no start time.",
            where=rows.where,
            hint="Give bar numbers, or --bars FILE to locate the windows.",
        )
    columns = []
    for cell in cells:
        times = pd.to_datetime(cell.where(cell != ""), errors="coerce", utc=True, format="mixed")
        rows.refuse((cell != "") & times.isna(), "has a start or an end that is no time")
        since = (times.dt.tz_localize(None).to_numpy("datetime64[ns]") - start) / np.timedelta64(1, "s")
        columns.append(np.floor(since / windows.interval_s))
    return np.stack(columns, axis=1)
