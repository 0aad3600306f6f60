"""Tables under our column names."""

from __future__ import annotations

import ast
import re
import unicodedata
from collections.abc import Iterable

import pandas as pd

from moola_core.errors import DataError
from moola_core.specs import ReadOptions

Names = dict[str, tuple[str, ...]]
PRICES = ("open", "high", "low", "close")

# Names as `plain` writes them. Of several that a file has, the first one counts.
BAR_NAMES: Names = {
    "time": (
        *("timestamp", "datetime", "date", "time", "ts_event", "ts", "date_time", "open_time", "window_start", "t"),
        *("gmt_time", "local_time", "utc_time", "utc", "gmt", "time_utc", "datetime_utc", "timestamp_utc", "date_utc"),
        *("time_gmt", "est", "time_est", "et", "start_time", "bar_start", "time_start", "time_period_start", "start"),
        *(
            "unix",
            "unix_timestamp",
            "epoch",
            "unixtime",
            "dtyyyymmdd",
            "dt_yyyymmdd",
            "trade_date",
            "timestamp_ms",
            "ts_ms",
            "begin",
        ),
        *(
            "datum",
            "zeit",
            "uhrzeit",
            "datum_zeit",
            "datum_uhrzeit",
            "fecha",
            "hora",
            "fecha_hora",
            "heure",
            "horodatage",
        ),
        *("index", "index_level_0", "close_time", "time_close", "bar_end", "end_time"),
    ),
    "open": (
        *(
            "open",
            "o",
            "op",
            "open_price",
            "price_open",
            "px_open",
            "mid_o",
            "first_trade_price",
            "bidopen",
            "bid_open",
        ),
        *("eroffnung", "eroffnungskurs", "erster", "ouverture", "ouv", "apertura"),
    ),
    "high": (
        *("high", "h", "hi", "high_price", "price_high", "px_high", "mid_h", "high_trade_price", "bidhigh", "bid_high"),
        *("hoch", "hochst", "hochstkurs", "tageshoch", "haut", "plus_haut", "maximo", "massimo"),
    ),
    "low": (
        *("low", "l", "lo", "low_price", "price_low", "px_low", "mid_l", "low_trade_price", "bidlow", "bid_low"),
        *("tief", "tiefst", "tiefstkurs", "tagestief", "bas", "plus_bas", "minimo"),
    ),
    "close": (
        *(
            "close",
            "c",
            "cl",
            "last",
            "close_price",
            "price_close",
            "close_last",
            "px_last",
            "latest",
            "mid_c",
            "settle",
        ),
        *("last_trade_price", "schluss", "schlusskurs", "letzter", "cloture", "clot", "cierre", "chiusura", "bidclose"),
        *("bid_close", "price"),
    ),
    "volume": (
        "volume",
        "v",
        "tickvol",
        "tick_volume",
        "vol",
        "qty",
        "total_volume",
        "volumefrom",
        "volumen",
        "umsatz",
    ),
    "contract": (
        "contract",
        "symbol",
        "instrument",
        "instrument_id",
        "ticker",
        "sym",
        "ric",
        "asset",
        "security",
        "pair",
    ),
}
LABEL_NAMES: Names = {
    "time": ("timestamp", "datetime", "date", "time", "ts", "date_time"),
    "window_id": ("window_id", "id", "sample_id"),
    "label": (
        *("label", "class", "pattern", "cls", "category", "class_name", "pattern_type", "pattern_name", "label_name"),
        *("klasse", "kategorie", "etikett", "muster", "classe", "clase", "etiqueta", "etiquette"),
    ),
    "expansion_start": ("expansion_start", "exp_start", "pointer_start", "expansion_start_idx", "expansion_start_bar"),
    "expansion_end": ("expansion_end", "exp_end", "pointer_end", "expansion_end_idx", "expansion_end_bar"),
    "expansion_bars": ("expansion_bars", "expansion_length", "exp_length", "exp_len", "pointer_length"),
    "features": ("features", "ohlc", "bars"),
    "grade": ("grade", "quality"),
    "start_time": (
        "start_time",
        "window_start",
        "start",
        "begin",
        "start_ts",
        "start_datetime",
        "from",
        "t_start",
        "beginn",
        "von",
    ),
    "end_time": ("end_time", "window_end", "end", "end_ts", "end_datetime", "to", "t_end", "ende", "bis"),
    "start_bar": ("start_idx", "start_index", "start_bar", "first_bar", "bar_start", "idx_start", "start_row"),
    "end_bar": ("end_idx", "end_index", "end_bar", "last_bar", "bar_end", "idx_end", "end_row"),
    "length_bars": ("length_bars", "length", "n_bars", "num_bars", "window_length", "window_bars", "duration_bars"),
    "length_min": ("length_min", "length_minutes", "duration_min", "duration_minutes", "minutes", "mins"),
    "length_s": ("length_s", "length_seconds", "duration_s", "duration_sec", "duration_seconds", "seconds"),
    "duration": ("duration", "dauer", "duree", "duracion"),
    "start_s": ("start_s", "start_sec", "start_seconds", "offset_s"),
    "end_s": ("end_s", "end_sec", "end_seconds"),
    "source": ("source", "batch"),
    "contract": BAR_NAMES["contract"],
}


def plain(column: object) -> str:
    """A column's name in small letters, its words (`OpenPrice` has two) joined by underscores, without brackets, quotes and a number in
    front."""
    text = unicodedata.normalize("NFKD", str(column).replace("ß", "ss")).encode("ascii", "ignore").decode()
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", text.strip().strip("\"'<>[]#"))
    text = re.sub(r"^\d+\.\s*", "", text.lower())
    return re.sub(r"[^a-z0-9%]+", "_", text).strip("_")


def rename(table: pd.DataFrame, reading: ReadOptions, names: Names = BAR_NAMES) -> pd.DataFrame:
    """`table` under our column names: the reading's map first, then the usual names in any case."""
    table = table.reset_index() if isinstance(table.index, pd.DatetimeIndex) else table
    given = {theirs: ours for ours, theirs in reading.column_map.items()}
    taken = set(given.values())
    columns = {column: given[column] for column in table.columns if column in given}
    known: dict[str, object] = {}
    for column in table.columns:
        known.setdefault(plain(column), column)
    priced = _priced(table.columns) if "close" in names else []
    if len(priced) == 1 and not _has_prices(known):
        known |= {ours: theirs for ours, theirs in priced[0].items() if ours not in known}
    for ours, usual in names.items():
        theirs = next((known[name] for name in usual if name in known and known[name] not in columns), None)
        if ours not in taken and theirs is not None:
            columns[theirs] = ours
    named = table[list(columns)].rename(columns=columns)
    named.attrs["columns"] = [str(column) for column in table.columns]
    return named


def _has_prices(known: dict[str, object]) -> bool:
    """Whether each of the four prices is among the columns under a usual name."""
    return all(any(name in known for name in BAR_NAMES[ours]) for ours in PRICES)


def _priced(columns: Iterable[object]) -> list[dict[str, object]]:
    """Our names to the columns of each set of four prices whose names share what stands around the word, such as NQ_open and NQ_close."""
    sets: dict[tuple[str, ...], dict[str, object]] = {}
    for column in columns:
        words = plain(column).split("_")
        own = [word for word in words if word in (*PRICES, "volume")]
        if len(own) == 1:
            around = tuple(word for word in words if word != own[0])
            sets.setdefault(around, {}).setdefault(own[0], column)
    return [columns for columns in sets.values() if set(PRICES) <= columns.keys()]


def of_one_level(table: pd.DataFrame) -> pd.DataFrame:
    """`table` with columns of one level: fields and tickers, as yfinance has them, become one row for each ticker."""
    pairs = [_pair(column) for column in table.columns]
    tickers = sorted({pair[1] for pair in pairs if pair is not None and pair[1]})
    if not tickers:
        return table
    parts = []
    for ticker in tickers:
        mine = [i for i, pair in enumerate(pairs) if pair is None or pair[1] in ("", ticker)]
        names = [pair[0] if (pair := pairs[i]) is not None else table.columns[i] for i in mine]
        part = table.iloc[:, mine].set_axis(names, axis=1)
        parts.append(part.assign(symbol=ticker) if len(tickers) > 1 else part)
    return pd.concat(parts) if len(parts) > 1 else parts[0]


def _pair(column: object) -> tuple[str, str] | None:
    """The field and the ticker of a column of two levels, whichever is written first; None for any other column."""
    if isinstance(column, str) and column.startswith("('"):
        try:
            column = ast.literal_eval(column)
        except (ValueError, SyntaxError):
            return None
    if isinstance(column, str) and column.count("|") == 1:
        column = tuple(column.split("|"))
    if not isinstance(column, tuple) or len(column) != 2:
        return None
    first, second = map(str, column)
    fields = {name for ours in ("open", "high", "low", "close", "volume") for name in BAR_NAMES[ours]} | {"adj_close"}
    return (second, first) if plain(second) in fields and plain(first) not in fields else (first, second)


def require(table: pd.DataFrame, columns: tuple[str, ...], where: str, have: list[str]) -> None:
    """Raise DataError when `table` lacks one of `columns`; `have` are the file's own column names."""
    missing = [column for column in columns if column not in table.columns]
    if missing:
        hint = f"Map it, for example --column {missing[0]}=<name in the file>."
        if have and have[0] == "column 1":
            hint = "Name its columns in their order, for example --columns time,open,high,low,close,volume."
        several = _priced(have)
        if "close" in missing and len(several) > 1:
            flags = " ".join(f"--column {ours}={several[0][ours]}" for ours in PRICES)
            hint = f"It has the prices of {len(several)} instruments. Choose those of one, for example with {flags}."
        raise DataError(
            f"no column for {', '.join(missing)}; the file has {', '.join(map(str, have)) or 'none'}.",
            where=where,
            hint=hint,
        )
