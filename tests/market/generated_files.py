"""Files of bars and of labels written from a known truth in many layouts; what is expected of each stands next to it.

Nothing here uses the readers: a file is put together from texts, and its truth is kept as arrays.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ZONES = ("UTC", "America/New_York", "America/Chicago", "Europe/Berlin", "Asia/Tokyo", "Etc/GMT-2")
DAYS = {"ymd": "%Y-%m-%d", "dmy": "%d/%m/%Y", "mdy": "%m/%d/%Y"}
PRICES = ("open", "high", "low", "close")
CLASSES = ("consolidation", "retracement")


@dataclass
class Made:
    """A file, its truth, and the answers that only its writer knows. time [n] datetime64[ns] UTC starts; ohlc [n, 4]."""

    path: Path
    what: str
    time: np.ndarray
    ohlc: np.ndarray
    answers: dict[str, Any] = field(default_factory=dict)


def market(
    rng: np.random.Generator, n: int, minutes: int, base: float = 16800.0
) -> tuple[pd.DatetimeIndex, np.ndarray]:
    """Times of bars in sessions of New York, most with the daily break of futures, some of stocks or round the clock; and prices."""
    start = pd.Timestamp("2023-01-02") + pd.Timedelta(days=int(rng.integers(0, 700)))
    kind = rng.choice(["futures", "stocks", "always"])
    clock = pd.date_range(start, periods=n * 5 + 6000 // minutes, freq=f"{minutes}min")
    minute = clock.hour * 60 + clock.minute
    if kind == "futures":
        open_ = (clock.hour != 17) & (clock.dayofweek != 5) & ~((clock.dayofweek == 4) & (clock.hour > 17))
        open_ &= ~((clock.dayofweek == 6) & (clock.hour < 18))
    elif kind == "stocks":
        open_ = (clock.dayofweek < 5) & (minute >= 570) & (minute < 960)
    else:
        open_ = np.ones(len(clock), bool)
    clock = clock[np.asarray(open_)]
    first = (
        int(np.flatnonzero(np.diff(clock.asi8, prepend=0) != np.diff(clock.asi8).min())[0]) if kind != "always" else 0
    )
    clock = clock[first : first + n]
    utc = clock.tz_localize("America/New_York", ambiguous="NaT", nonexistent="NaT").tz_convert("UTC")
    utc = utc[~utc.isna()]
    return utc, walk(rng, len(utc), base)


def walk(rng: np.random.Generator, n: int, base: float) -> np.ndarray:
    """Prices [n, 4] of a random walk in quarters."""
    close = base + np.cumsum(rng.integers(-4, 5, n)) * 0.25
    first = np.r_[base, close[:-1]]
    high = np.maximum(first, close) + rng.integers(0, 4, n) * 0.25
    low = np.minimum(first, close) - rng.integers(0, 4, n) * 0.25
    return np.stack([first, high, low, close], axis=1)


def bars_file(folder: Path, rng: np.random.Generator) -> Made:
    """A file of bars with a zone, a date order, a stamp, a scale, a separator and instruments that are drawn by chance."""
    minutes = int(rng.choice([1, 1, 1, 5, 15]))
    times, ohlc = market(rng, int(rng.integers(150, 900)), minutes)
    answers: dict[str, Any] = {}
    end = rng.random() < 0.25
    stamped = times + pd.Timedelta(minutes=minutes) if end else times
    answers["stamp"] = "end" if end else "start"
    table, notes = _clock_columns(stamped, rng, answers)
    scale = 1e9 if rng.random() < 0.1 else 1.0
    separator = str(rng.choice([",", ";", "\t", "|"]))
    decimal = "," if separator == ";" and rng.random() < 0.5 else "."
    texts = [[_price(value, scale, decimal) for value in row] for row in ohlc]
    prices = pd.DataFrame(texts, columns=list(PRICES))
    answers |= {"scale": 1e-9 if scale > 1 else 1.0, "decimal": decimal}
    names = list(table) + list(PRICES)
    rows = pd.concat([table.reset_index(drop=True), prices], axis=1)
    if rng.random() < 0.5:
        rows["volume"], names = rng.integers(1, 500, len(rows)).astype(str), [*names, "volume"]
    mixed = rng.random()
    if mixed < 0.15:
        rows, answers["contract"] = _two_contracts(rows, rng, mixed < 0.07)
        names.append("symbol")
    if rng.random() < 0.1:
        rows = rows.iloc[::-1]
    header = rng.random() < 0.8 or "symbol" in names or _looks_like_a_vendor(separator, notes, answers)
    lines = [separator.join(names)] * header + [separator.join(map(str, row)) for row in rows.to_numpy()]
    if rng.random() < 0.1:
        lines = ["# downloaded by hand", *lines]
    if rng.random() < 0.1:
        lines.append("End of file")
    path = folder / f"bars.{rng.choice(['csv', 'txt', 'csv.gz'])}"
    data = ("\n".join(lines) + "\n").encode(str(rng.choice(["utf-8", "utf-8-sig", "utf-16"], p=[0.8, 0.1, 0.1])))
    path.write_bytes(gzip.compress(data) if path.name.endswith("gz") else data)
    what = f"{notes}, {answers}, separator {separator!r}, header {header}, {minutes} min"
    return Made(path, what, times.tz_localize(None).to_numpy("datetime64[ns]"), ohlc, answers)


def _looks_like_a_vendor(separator: str, notes: str, answers: dict[str, Any]) -> bool:
    """Whether the file would be one of NinjaTrader or of Kibot by its looks, without a header, and is in another zone or stamp."""
    ninja = separator == ";" and notes.startswith("digits") and (answers["tz"], answers["stamp"]) != ("UTC", "end")
    kibot = separator == "," and notes.startswith("two") and answers["date_order"] == "mdy"
    return ninja or (kibot and (answers["tz"], answers["stamp"]) != ("America/New_York", "start"))


def _price(value: float, scale: float, decimal: str) -> str:
    return str(round(value * scale)) if scale > 1 else f"{value:.2f}".replace(".", decimal)


def _clock_columns(
    times: pd.DatetimeIndex, rng: np.random.Generator, answers: dict[str, Any]
) -> tuple[pd.DataFrame, str]:
    """The columns with the times, and their form in words; sets the answers that the form needs."""
    form = rng.choice(["offset", "epoch", "naive", "naive", "two", "digits"])
    if form == "offset":
        zone = str(rng.choice(ZONES))
        texts = [moment.isoformat() for moment in times.tz_convert(zone)]
        return pd.DataFrame({"time": texts}), f"offset of {zone}"
    if form == "epoch":
        unit = int(rng.choice([1, 10**3, 10**6, 10**9]))
        seconds = times.tz_localize(None).to_numpy("datetime64[s]").astype(np.int64)
        return pd.DataFrame({"time": (seconds * unit).astype(str)}), f"epoch × {unit}"
    zone, order = str(rng.choice(ZONES)), str(rng.choice(list(DAYS)))
    local = times.tz_convert(zone)
    answers |= {"tz": zone, "date_order": order}
    if form == "digits":
        return pd.DataFrame({"time": local.strftime("%Y%m%d %H%M%S")}), f"digits in {zone}"
    day = local.strftime(DAYS[order])
    if form == "two":
        return pd.DataFrame(
            {"date": day, "time": local.strftime(str(rng.choice(["%H:%M", "%H:%M:%S"])))}
        ), f"two in {zone}"
    return pd.DataFrame({"time": day + " " + local.strftime("%H:%M")}), f"{order} in {zone}"


def _two_contracts(rows: pd.DataFrame, rng: np.random.Generator, interleaved: bool) -> tuple[pd.DataFrame, str]:
    """The rows as those of one contract among those of another at the same times, and the name of the first."""
    other = rows.copy()
    mine, theirs = rows.assign(symbol="NQH4"), other.assign(symbol="NQM4")
    both = pd.concat([mine, theirs])
    return (both.sort_index(kind="stable") if interleaved else both), "NQH4"


@dataclass
class MadeLabels(Made):
    """A file of labels: time [n] starts of the windows, ohlc unused; label [n], start and end [n] (nan: none), length in bars."""

    label: np.ndarray = field(default_factory=lambda: np.empty(0))
    start: np.ndarray = field(default_factory=lambda: np.empty(0))
    end: np.ndarray = field(default_factory=lambda: np.empty(0))
    length: int = 105


def labels_file(folder: Path, rng: np.random.Generator, times: np.ndarray) -> MadeLabels:
    """Labels of windows in bars of 1 minute at `times` [n], given in one of many forms."""
    length = int(rng.choice([105, 105, 60, 40]))
    first = np.arange(16) * 150 + rng.integers(0, 45)  # windows that do not overlap: a region lies in one of them alone
    if rng.random() < 0.5:
        first = first + rng.integers(0, 150 - length, 16)
    label = np.array(CLASSES)[rng.permutation(np.arange(16) % 2)]
    start = rng.integers(5, length // 2, 16).astype(float)
    end = start + rng.integers(1, length // 3, 16)
    answers: dict[str, Any] = {"lengths": "center"}
    last = first + length - 1
    step = np.timedelta64(60, "s")
    iso = lambda moments: [f"{str(m)[:23]}Z" for m in moments]  # noqa: E731
    ends = str(rng.choice(["exclusive", "inclusive", "inside"]))
    after = {"exclusive": times[last] + step, "inclusive": times[last], "inside": times[last] + np.timedelta64(31, "s")}
    answers["ends"] = "inclusive" if ends == "inclusive" else "exclusive"
    clicked = np.timedelta64(int(rng.choice([0, 0, 17])), "s")
    if clicked and ends == "exclusive":
        clicked = np.timedelta64(0, "s")
    form = str(rng.choice(["times", "numbers", "tasks", "regions", "zone"]))
    table = pd.DataFrame({"start_time": iso(times[first] + clicked), "end_time": iso(after[ends]), "label": label})
    path = folder / ("labels.json" if form in ("tasks", "regions") else "labels.csv")
    pointers = rng.random() < 0.7
    if not pointers:
        start, end = np.full(16, np.nan), np.full(16, np.nan)
    if form in ("tasks", "regions"):
        rows = zip(first, label, start, end, strict=True)
        made = [_results(times, int(f), length, str(name), a, b, form) for f, name, a, b in rows]
        whole = [
            {
                "id": i,
                "data": {"start_time": iso(times[[f]])[0], "end_time": iso(times[[f + length - 1]] + step // 2)[0]},
                "annotations": [{"result": results}],
            }
            for i, (f, results) in enumerate(zip(first, made, strict=True))
        ]
        series = [
            {
                "id": 1,
                "data": {"csv": "nq.csv"},
                "annotations": [{"result": [item for results in made for item in results]}],
            }
        ]
        path.write_text(json.dumps(whole if form == "tasks" else series), encoding="utf-8")
    else:
        if form == "numbers":
            table = table.drop(columns=["start_time", "end_time"]).assign(
                start_idx=first, end_idx=last + (ends == "exclusive")
            )
            answers["ends"] = "exclusive" if ends == "exclusive" else "inclusive"
        if form == "zone":
            answers["tz"] = str(rng.choice(ZONES))
            local = pd.DatetimeIndex(times[first]).tz_localize("UTC").tz_convert(answers["tz"])
            late = pd.DatetimeIndex(after[ends]).tz_localize("UTC").tz_convert(answers["tz"])
            table["start_time"], table["end_time"] = (c.strftime("%Y-%m-%d %H:%M:%S") for c in (local, late))
        if pointers:
            in_file = rng.random() < 0.3
            table["expansion_start"], table["expansion_end"] = (e + first * in_file for e in (start, end))
        table.to_csv(path, index=False)
    what = f"{form}, {length} bars, ends {ends}, clicked {clicked}, {answers}"
    return MadeLabels(path, what, times[first], np.empty(0), answers, label, start, end, length)


def _results(times: np.ndarray, first: int, length: int, label: str, start: float, end: float, form: str) -> list[Any]:
    """What an annotator made of one window: its class and its expansion, clicked within the bars."""

    def region(name: str, bars: tuple[int, int], key: str) -> dict[str, Any]:
        a, b = (int(times[first + bar].astype("datetime64[ms]").astype(np.int64)) + 20_000 for bar in bars)
        return {
            "id": f"{key}{first}",
            "type": "timeserieslabels",
            "value": {"start": a, "end": b, "timeserieslabels": [name]},
        }

    own = (
        [{"id": "c", "type": "choices", "from_name": "cls", "value": {"choices": [label]}}]
        if form == "tasks"
        else [region(label, (0, length - 1), "p")]
    )
    return own + ([region("expansion", (int(start), int(end)), "e")] if np.isfinite(start) else [])
