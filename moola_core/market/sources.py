"""What a file of bars says: its rows under our names, in order, with UTC start times; what it leaves open is asked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import available_timezones

import numpy as np
import pandas as pd

from moola_core.errors import DataError
from moola_core.market import contracts, readers, stamps, tables, times, vendors, zones
from moola_core.market.questions import Asking, Question, which_zone
from moola_core.market.tables import PRICES
from moola_core.specs import ReadOptions

FIXED_POINT, LARGE, LEAST_STEP = 1e9, 1e5, 5
_ZONE = re.compile(r"\b[A-Z][A-Za-z]+/[A-Z][A-Za-z_]+\b")
_CURRENCY = r"^[$€£¥]\s*|\s*[$€£¥]$"
_SIZES = {"K": 1e3, "M": 1e6, "B": 1e9}


@dataclass(frozen=True, eq=False)
class Source:
    """Rows of a file as bars: time [n] datetime64[ns] UTC starts, ohlc [n, 4], volume [n] and contract [n] where there are any."""

    time: np.ndarray
    ohlc: np.ndarray
    volume: np.ndarray | None
    contract: np.ndarray | None
    notes: tuple[str, ...]
    reader: str = ""
    confidence: float = 1.0


def read(path: str | Path, reading: ReadOptions, asking: Asking) -> Source:
    """The file as a `Source`. Raises DataError when it holds no bars; questions go to `asking`."""
    where = str(path)
    layout = readers.read_layout(path, reading)
    name, vendor, confidence, reason = vendors.recognise(layout)
    asking.reader, asking.confidence = name, confidence
    raw = _rows(path, reading)
    own_names = [str(column) for column in raw.columns]
    raw, time_name = times.one_column(raw, reading)
    mapped = reading.column_map | ({"time": time_name} if time_name else {})
    table = tables.rename(raw, reading.model_copy(update={"column_map": mapped}))
    tables.require(table, ("time", *PRICES), where, own_names)
    if not len(table):
        raise DataError("no bars in it.", where=where, hint="Export the file again.")
    named = "contract" in table
    table, notes = contracts.rolling_contract(table, raw)
    moments = times.parse(table["time"], reading.date_order or vendor.date_order, where, asking)
    rows, contract_notes = contracts.one_series(table, moments.times, reading, where, asking, named and bool(notes))
    if (
        len(rows) == len(table) and (np.diff(rows) == 1).all()
    ):  # most files: a copy of all of them would only take memory
        table, clock, order_notes = _in_order(table, moments.times)
    else:
        table, clock, order_notes = _in_order(table.iloc[rows].reset_index(drop=True), moments.times[rows])
    stamp, stamp_notes = stamps.stamp(clock, time_name, vendor, reading.stamp, asking)
    trusted = vendor.stamp in (None, stamp) and all(question.id != "stamp" for question in asking.questions)
    if stamp == "end":
        clock = clock + stamps.before_the_edge(clock) - stamps.one_bar(np.nan_to_num(stamps.interval_s(clock)))
    zone_notes: list[str] = []
    if not moments.absolute:
        in_title = [zone for zone in _ZONE.findall(layout.title) if zone in available_timezones()]
        zone = moments.zone or (in_title or [None])[0] or zones.of_column(raw) or zones.of_name(time_name)
        clock, zone_notes = _in_utc(clock, zone, vendor.tz if trusted else None, reading, asking)
    by_convention = [*stamp_notes, *zone_notes]
    by_source = [f"Read as {name}: {reason}."] if by_convention and confidence > vendors.LEAST_SCORE else []
    ohlc, scale_notes = _prices(_without_currency(table), vendor, reading, where, asking)
    contract = table["contract"].astype(str).to_numpy(object) if "contract" in table else None
    notes += _labelled(raw)
    if reading.adjust and contract is not None:
        ohlc = contracts.back_adjusted(ohlc, contract)
    return Source(
        clock,
        ohlc,
        _volume(table["volume"]) if "volume" in table else None,
        contract,
        (
            *by_source,
            *layout.notes,
            *moments.notes,
            *notes,
            *order_notes,
            *contract_notes,
            *by_convention,
            *scale_notes,
        ),
        name,
        confidence,
    )


def _rows(path: str | Path, reading: ReadOptions) -> pd.DataFrame:
    """The rows of the file with columns of one level, and an index that is more than a count as one of them."""
    table = tables.of_one_level(readers.read_table(path, reading))
    if isinstance(table.index, pd.RangeIndex) and table.index.name is None:
        return table
    table = table.reset_index(drop=False)
    counted = "index" in table and _is_count(table["index"])
    return table.drop(columns="index") if counted else table


def _labelled(raw: pd.DataFrame) -> list[str]:
    """A note when the bars have a column of labels."""
    names = [column for column in raw.columns if tables.plain(column) in tables.LABEL_NAMES["label"]]
    unread = "The column {} is not read with the bars. To make windows of it, give the file as windows."
    return [unread.format(name) for name in names[:1]]


def _is_count(values: pd.Series) -> bool:
    return pd.api.types.is_integer_dtype(values) and bool((values.to_numpy() == np.arange(len(values))).all())


def _in_order(table: pd.DataFrame, clock: np.ndarray) -> tuple[pd.DataFrame, np.ndarray, list[str]]:
    """The rows from the oldest to the newest, where the file has them the other way round."""
    steps = np.diff(clock).astype(np.int64)
    if len(clock) < 2 or np.isnat(clock).any() or not ((steps <= 0).all() and (steps < 0).any()):
        return table, clock, []
    return (
        table.iloc[::-1].reset_index(drop=True),
        clock[::-1],
        ["The bars run from the newest to the oldest; they are turned round."],
    )


def _in_utc(
    clock: np.ndarray, written: str | None, usual: str | None, reading: ReadOptions, asking: Asking
) -> tuple[np.ndarray, list[str]]:
    """Naive times in UTC: by what the user set, the zone `written` in the file, the `usual` one of its source, or the sessions; else asked.

    A source's usual zone that the sessions contradict is asked about too.
    """
    zone, why = reading.tz or written, ""
    if zone is None:
        zone, why = zones.of_sessions(clock)
        by_usual, by_sessions = (zones.to_utc(clock, one or "UTC", asking.where)[0] for one in (usual, zone))
        if usual and zone and not np.array_equal(by_usual, by_sessions):
            zone = None
        elif usual:
            zone, why = usual, "its source writes them so"
    if zone is None:
        asking.ask(which_zone(times.example(clock)))
    utc, notes = zones.to_utc(clock, zone or "UTC", asking.where)
    notes += _contradiction(clock, utc, asking.where) if reading.tz else []
    because = f", because {why}" if why else ""
    return utc, [f"Times are read as {zone}{because}."] * bool(zone and not reading.tz) + notes


def _contradiction(clock: np.ndarray, utc: np.ndarray, where: str) -> list[str]:
    """A note when the sessions of naive times [n] are those of a market that is known, but in another zone than was set."""
    zone, why = zones.of_sessions(clock)
    if zone is None or np.array_equal(zones.to_utc(clock, zone, where)[0], utc):
        return []
    return [f"Another time zone is likely, {zone}: in it, {why}."]


def _without_currency(table: pd.DataFrame) -> pd.DataFrame:
    """`table` with prices such as $1,234.50 as numbers; other texts stay as they are."""
    texts = [column for column in PRICES if not pd.api.types.is_numeric_dtype(table[column])]
    plain = {column: table[column].astype("str").str.strip().str.replace(_CURRENCY, "", regex=True) for column in texts}
    return table.assign(
        **{column: values.where(values != table[column], table[column]) for column, values in plain.items()}
    )


def _prices(
    table: pd.DataFrame, vendor: vendors.Vendor, reading: ReadOptions, where: str, asking: Asking
) -> tuple[np.ndarray, list[str]]:
    """Prices [n, 4]; whole numbers in a fixed-point scale are multiplied by it. Raises DataError for text that is no number."""
    if reading.repair == "refuse":
        for column in PRICES:
            _refuse_text(table[column], column, where)
    columns = [pd.to_numeric(table[column], errors="coerce").to_numpy(float, na_value=np.nan) for column in PRICES]
    ohlc = np.ascontiguousarray(np.stack(columns, axis=1))
    whole = all(pd.api.types.is_integer_dtype(table[column]) for column in PRICES)
    scale = reading.scale or (vendor.scale if whole else None)
    scales = _scales(ohlc) if scale is None and whole and len(ohlc) else ()
    if scales:
        number = int(table["close"].iloc[0])
        answers = {one: f"{number} is {number * float(one):,.9f}".rstrip("0").rstrip(".") for one in (*scales, "1")}
        asking.ask(Question("scale", f"Its prices are whole numbers such as {number}.", answers, "--scale", True))
    if scale in (None, 1.0):
        return ohlc, []
    digits = max(0, -int(np.floor(np.log10(scale))))
    return np.round(ohlc * scale, digits), [f"Prices are whole numbers and are multiplied by {scale:g}."]


def _scales(ohlc: np.ndarray) -> tuple[str, ...]:
    """In which scales whole-number prices [n, 4] may be: large ones, all multiples of one step, are hardly prices as they are."""
    typical = float(np.median(np.abs(ohlc[:, 3])))
    if typical >= FIXED_POINT:
        return ("1e-9",)
    step = int(np.gcd.reduce(ohlc[np.isfinite(ohlc)].astype(np.int64)))
    return ("0.01", "0.0001") if typical >= LARGE and step >= LEAST_STEP and typical > step else ()


def _refuse_text(values: pd.Series, column: str, where: str) -> None:
    if pd.api.types.is_numeric_dtype(values):
        return
    bad = np.flatnonzero(
        pd.to_numeric(values, errors="coerce").isna() & values.notna() & (values.astype(str).str.strip() != "")
    )
    if len(bad):
        raise DataError(
            f"the {column} in row {bad[0]} is {str(values.iloc[bad[0]])!r}, which is no number"
            + (f", and so are {len(bad) - 1} others." if len(bad) > 1 else "."),
            where=where,
            hint="Set the decimal mark with --decimal, correct the rows, or read with --repair drop.",
        )


def _volume(values: pd.Series) -> np.ndarray:
    """Volumes [n]; 1.2K is 1200."""
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(float, na_value=np.nan, copy=True)
    if pd.api.types.is_numeric_dtype(values):
        return numbers
    texts = values.astype("str").str.strip().str.upper()
    for sign, size in _SIZES.items():
        rows = texts.str.endswith(sign, na=False).to_numpy()
        numbers[rows] = pd.to_numeric(texts[rows].str[:-1], errors="coerce").to_numpy(float, na_value=np.nan) * size
    return numbers
