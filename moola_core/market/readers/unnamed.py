"""Names for the columns of a text that has no header, from what stands in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from moola_core.market.questions import OpenQuestions, Question
from moola_core.market.readers.layout import DATE, NUMBER, Layout
from moola_core.specs import ReadOptions

ORDERS = (
    ("open", "high", "low", "close"),
    ("low", "high", "open", "close"),
    ("high", "low", "open", "close"),
    ("close", "high", "low", "open"),
    ("close", "open", "high", "low"),
)
_DAY = re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")
_MOMENT = re.compile(rf"{_DAY.pattern}[ T-]*\d{{4,6}}Z?|\d{{10}}(\.\d+)?|\d{{13}}|\d{{16}}|\d{{19}}")
_CLOCK = re.compile(r"\d{1,2}:\d\d(:\d\d(\.\d+)?)?( ?[AaPp][Mm])?")
_WHOLE_CLOCK = re.compile(r"(\d|1\d|2[0-3]|0\d)?[0-5]?\d([0-5]\d)?")


def name_columns(layout: Layout, reading: ReadOptions, where: str) -> Layout:
    """The layout with names for its columns where the file has none and they look like bars: time, prices, volume.

    Raises OpenQuestions where the first columns are a time and numbers that are not in any usual order of prices.
    """
    if layout.header or reading.column_names or len(layout.columns) < 5 or not layout.rows:
        return layout
    kinds = [_kind([row[i] for row in layout.rows if i < len(row)]) for i in range(len(layout.columns))]
    times = [i for i, kind in enumerate(kinds) if kind in ("moment", "day")]
    if not times:
        return layout
    names = list(layout.columns)
    first = times[0]
    names[first] = "time" if kinds[first] == "moment" else "date"
    rows = layout.rows
    word = next((i for i, kind in enumerate(kinds) if kind == "word" and rows[0][i]), None)
    if word is not None:  # the order of the prices is seen in the rows of one instrument
        names[word] = "symbol"
        rows = tuple(row for row in rows if row[word] == rows[0][word])
    numbers = _numbers(rows, layout)
    plain = [i for i in range(first + 1, len(kinds)) if kinds[i] in ("number", "moment")]
    if first + 1 < len(kinds) and kinds[first] == "day":
        after = kinds[first + 1]
        whole = (
            after == "number" and _order(numbers[:, plain[:4]], None) is None and _all(layout, first + 1, _WHOLE_CLOCK)
        )
        if after == "clock" or whole:
            names[first + 1] = "time"
            plain = [i for i in plain if i != first + 1]
    order = _order(numbers[:, plain[:4]], _newest_last(rows, first)) if len(plain) >= 4 else None
    if order is None:
        if len(plain) < 4 or len(layout.columns) > 40:
            return layout
        raise OpenQuestions([_which_columns(layout)], where=where)
    for i, name in zip(plain[:4], order, strict=True):
        names[i] = name
    if len(plain) > 4:
        names[plain[4]] = "volume"
    return replace(layout, columns=tuple(names))


def _kind(cells: Sequence[str]) -> str:
    """What a column holds: moment, day, clock, number, word."""
    cells = [cell for cell in cells if cell.strip()]
    tests: dict[str, Callable[[str], object]] = {
        "moment": lambda cell: _MOMENT.fullmatch(cell) or (DATE.search(cell) and _CLOCK.search(cell)),
        "day": lambda cell: _DAY.fullmatch(cell) or DATE.fullmatch(cell),
        "clock": _CLOCK.fullmatch,
        "number": NUMBER.fullmatch,
    }
    return next((kind for kind, test in tests.items() if cells and all(map(test, cells))), "word")


def _all(layout: Layout, column: int, pattern: re.Pattern[str]) -> bool:
    return all(pattern.fullmatch(row[column]) for row in layout.rows)


def _numbers(rows: Sequence[Sequence[str]], layout: Layout) -> np.ndarray:
    """The rows of a sample as numbers [rows, columns], nan where a cell is none."""

    def value(cell: str) -> float:
        cell = cell.replace(layout.thousands or "\0", "").replace(layout.decimal, ".")
        try:
            return float(cell)
        except ValueError:
            return np.nan

    return np.array([[value(cell) for cell in row] for row in rows], float)


def _newest_last(rows: Sequence[Sequence[str]], column: int) -> bool | None:
    """Whether the rows run from the oldest to the newest; None where their dates do not start with the year."""
    first, last = rows[0][column], rows[-1][column]
    if not re.match(r"\d{4}", first) or first == last:
        return None
    return first < last


def _order(prices: np.ndarray, newest_last: bool | None) -> tuple[str, ...] | None:
    """The order of the four columns [rows, 4] in which they are prices of bars and each opens near the close before it.

    newest_last: whether the rows run on in time; where it is not known, the usual order is taken if it fits.
    """
    if prices.shape[1] < 4:
        return None
    fits = {}
    for order in ORDERS:
        o, h, low, c = (prices[:, order.index(name)] for name in ORDERS[0])
        if ((h >= np.maximum(o, c)) & (low <= np.minimum(o, c))).all():
            if newest_last is None:
                return order
            fits[order] = float(np.abs(o[1:] - c[:-1] if newest_last else o[:-1] - c[1:]).sum())
    return min(fits, key=lambda order: (fits[order], ORDERS.index(order))) if fits else None


def _which_columns(layout: Layout) -> Question:
    answers = {}
    for order in ORDERS[:3]:
        names = ["time", *order, "volume", *(f"other{i}" for i in range(1, len(layout.columns)))]
        answers[",".join(names[: len(layout.columns)])] = ""
    return Question(
        "column_names",
        f"Its columns have no names, and a row such as {', '.join(layout.rows[0][:8])} fits no usual order of prices.",
        answers,
        "--columns",
        open_ended=True,
    )
