"""Read a new file: what it leaves open is asked, previewed on candles and saved next to the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

import numpy as np
import pandas as pd
import streamlit as st

from moola_core.charts.windows import View
from moola_core.errors import DataError, MoolaError
from moola_core.market.bars import Bars, load_bars
from moola_core.market.day_order import ORDERS
from moola_core.market.labels import read_labels
from moola_core.market.library import DataFile, bars_for, columns_of, find_files
from moola_core.market.questions import OpenQuestions
from moola_core.market.settings import fingerprint, load_reading, save_reading, sidecar_path
from moola_core.market.stamps import one_bar
from moola_core.market.tables import BAR_NAMES, LABEL_NAMES, rename
from moola_core.market.windows import Windows, load_windows
from moola_core.sections.formatting import size
from moola_core.specs import ReadOptions, build
from moola_core.ui import guard, loaders, questions_form, widgets
from moola_core.ui.places import data_folder, display_path
from moola_core.ui.questions_form import Preview

WANTED = {
    "bars": ("time", "open", "high", "low", "close", "volume", "contract"),
    "windows": ("window_id", "label", "features", "expansion_start", "expansion_end", "grade", "start_time"),
    "labels": ("window_id", "label", "start_time", "end_time", "expansion_start", "expansion_end", "grade"),
}
PREVIEW_BARS = 120
TIME = "%a %d %b %Y %H:%M"


@guard.dialog("Read a new file", width="large")
def open_dialog() -> None:
    """Choose a file of the data folder, set how it is read, preview it, save."""
    body()


def body() -> None:
    """What the dialog shows."""
    files = find_files(data_folder())
    if not files:
        st.markdown(
            f"Put a file of bars or labels under `{display_path(data_folder())}` and come back. Nothing is copied."
        )
        return
    fresh = sorted(files, key=lambda file: (sidecar_path(file.path).is_file(), -file.modified_ns))
    by_name = {display_path(file.path): file for file in fresh}
    name = st.selectbox(
        "File", list(by_name), key="read_file", help=f"Files under {display_path(data_folder())}, new ones first."
    )
    file = by_name[name]
    kinds = {"bars": "Bars", "windows": "Labelled windows with prices", "labels": "Labels cut from bars"}
    known = list(kinds)
    kind = st.segmented_control(
        "File contains",
        known,
        default=file.kind if file.kind in known else "bars",
        format_func=lambda kind: kinds[kind],
        key=f"kind_{name}",
        required=True,
        wrap=True,
    )
    assert kind is not None  # `required`
    st.caption(f"{widgets.escape_markdown(file.why)}; {size(file.size_bytes)}")
    try:
        settings = _ask(file.path, kind, name)
        bars_file = _ask_bars(file, files, name) if kind != "bars" else None
        if bars_file:
            settings = settings.model_copy(update={"paired_bars": fingerprint(bars_file)})
        source, bars_stamp = loaders.stamp(file.path), loaders.stamp(bars_file) if bars_file else None
        answered = questions_form.answered(
            lambda reading: _preview(source, kind, reading.model_dump_json(), bars_stamp), settings, name
        )
    except MoolaError as error:
        widgets.show_error(error)
        return
    if answered is None:
        return
    reading, preview = answered
    questions_form.show(preview)
    if st.button("Save these settings", type="primary", icon=":material/save:", key="save_reading"):
        save_reading(file.path, reading)
        st.toast(f"Saved as {sidecar_path(file.path).name}")
        st.rerun()


def _ask(path: Path, kind: str, name: str) -> ReadOptions:
    """The settings of the file as the widgets have them."""
    saved = load_reading(path)
    columns = _columns(loaders.stamp(path))
    values = saved.model_dump()
    if columns:
        with st.expander("Columns", expanded=bool(_missing(columns, saved, kind))):
            values["column_map"] = _ask_columns(columns, saved, kind, name)
    with st.expander("Settings", expanded=False):
        values |= _ask_settings(saved, kind, name)
    if kind != "bars":
        values["class_map"] = _ask_classes(path, build(ReadOptions, values), name)
    return build(ReadOptions, values, display_path(path))


def _ask_settings(saved: ReadOptions, kind: str, name: str) -> dict[str, Any]:
    """What may be set of every file: what the file shows by itself or is asked about can be left as it is."""
    left, right = st.columns(2)
    with left:
        zones = ["", *sorted(available_timezones())]
        tz = st.selectbox(
            "Time zone of the file",
            zones,
            index=zones.index(saved.tz or ""),
            key=f"tz_{name}",
            format_func=lambda zone: zone or "as the file shows",
            help="Only for times without an offset.",
        )
        opens = st.text_input(
            "Session opens",
            saved.session[0],
            key=f"opens_{name}",
            help="Exchange time, HH:MM. Bars outside the session are left out.",
        )
        orders = ["", *ORDERS]
        order = st.selectbox(
            "Order of day and month",
            orders,
            index=orders.index(saved.date_order or ""),
            key=f"date_order_{name}",
            format_func=lambda order: ORDERS[order] if order else "as the dates show",
            help="Only for dates such as 05/02/2024.",
        )
    with right:
        show_in = st.selectbox(
            "Time zone to show", zones[1:], index=zones[1:].index(saved.exchange_tz), key=f"show_{name}"
        )
        closes = st.text_input("Session closes", saved.session[1], key=f"closes_{name}")
        drop = st.toggle(
            "Drop bad rows with a warning, instead of refusing the file", saved.repair != "refuse", key=f"drop_{name}"
        )
        joined = kind == "bars" and st.toggle(
            "Join contracts where the volume moves to the next", saved.roll == "volume", key=f"roll_{name}"
        )
        adjusted = joined and st.toggle(
            "Shift the prices before each roll by the jump at it", saved.adjust, key=f"adjust_{name}"
        )
    repair = "refuse" if not drop else saved.repair if saved.repair != "refuse" else "drop"
    return {
        "tz": tz or None,
        "date_order": order or None,
        "exchange_tz": show_in,
        "session": (opens, closes),
        "repair": repair,
        "roll": "volume" if joined else None,
        "adjust": bool(adjusted),
    }


def _ask_columns(columns: list[str], saved: ReadOptions, kind: str, name: str) -> dict[str, str]:
    """Our column names to the file's, for those that are not found by themselves."""
    recognised, unmapped = _recognised(columns, saved, kind), _recognised(columns, ReadOptions(), kind)
    mapped = {}
    places = st.columns(3)
    options = ["", *columns]
    for i, ours in enumerate(WANTED[kind]):
        theirs = recognised.get(ours, "")
        with places[i % 3]:
            selected = st.selectbox(
                ours.replace("_", " "),
                options,
                index=options.index(theirs) if theirs in options else 0,
                key=f"column_{name}_{ours}",
                format_func=lambda value: value or "none",
            )
        if selected and selected != unmapped.get(ours):
            mapped[ours] = selected
    return mapped


def _ask_classes(path: Path, reading: ReadOptions, name: str) -> dict[str, str]:
    """A name for each label in the file."""
    plain = reading.model_copy(update={"class_map": {}})
    table, _ = read_labels(path, plain)
    labels = sorted({str(value).strip() for value in table["label"].dropna()}) if "label" in table else []
    mapped = {}
    places = st.columns(max(1, min(4, len(labels))))
    for i, label in enumerate(labels[:12]):
        with places[i % len(places)]:
            text = st.text_input(f"Class {label}", reading.class_map.get(label, label), key=f"class_{name}_{label}")
        if text and text != label:
            mapped[label] = text
    return mapped


def _ask_bars(file: DataFile, files: list[DataFile], name: str) -> Path | None:
    """The bars that the windows belong to, from any folder; None where there are none."""
    bars = {display_path(other.path): other.path for other in files if other.kind == "bars"}
    usual = bars_for(file, files)
    if not bars:
        if file.kind == "labels":
            raise MoolaError(
                "labels without prices need bars.",
                where=display_path(file.path),
                hint="Put the file of bars into the data folder.",
            )
        return None
    names = list(bars)
    selected = st.selectbox(
        "Bars that the windows belong to",
        names,
        index=names.index(display_path(usual)) if usual else None,
        key=f"bars_{name}",
        placeholder="None",
        help="From any folder; remembered by their content.",
    )
    return bars[selected] if selected else None


@st.cache_resource(max_entries=4, show_spinner="Reading the file")
def _preview(source: loaders.Stamp, kind: str, reading_json: str, bars_stamp: loaders.Stamp | None) -> Preview:
    """What the file looks like under a reading. Raises DataError, and OpenQuestions for what is still open."""
    reading = ReadOptions.model_validate_json(reading_json)
    if kind == "bars":
        bars = load_bars(source[0], reading)
        times = pd.DatetimeIndex(bars.time, tz="UTC").tz_convert(reading.exchange_tz)
        summary = f"{len(bars):,} bars of {bars.interval_s / 60:g} min, {times[0].strftime(TIME)} to {times[-1].strftime(TIME)}"
        view = View(bars.ohlc[:PREVIEW_BARS], list(times[:PREVIEW_BARS].strftime(TIME)))
        return Preview(summary, bars.report.warnings, view)
    windows = load_windows(source[0], reading, _bars(bars_stamp[0]) if bars_stamp else None)
    pair = (float(windows.start[0]), float(windows.end[0])) if windows.has_pointer[0] else None
    times = _shown_times(windows, reading.exchange_tz)
    since = f", from {times[0]}" if times else ""
    summary = f"{len(windows):,} windows of {windows.bars} bars: {', '.join(windows.classes)}. The first one{since}:"
    return Preview(summary, windows.report.warnings, View(windows.prices[0], times, true=pair))


def _shown_times(windows: Windows, zone: str) -> list[str]:
    """The times of the first window's bars in a time zone; none where they are not known."""
    if np.isnat(windows.start_time[0]):
        return []
    moments = windows.start_time[0] + one_bar(windows.interval_s) * np.arange(windows.bars)
    return list(pd.DatetimeIndex(moments, tz="UTC").tz_convert(zone).strftime(TIME))


def _bars(path: str) -> Bars:
    """The bars that the windows belong to. Raises DataError while they leave questions open: those are asked of the bars themselves."""
    try:
        return load_bars(path)
    except OpenQuestions as error:
        raise DataError(
            f"the bars leave questions open: {' '.join(question.question for question in error.questions)}",
            where=display_path(Path(path)),
            hint="Choose the file of bars above, answer there and save.",
        ) from None


@st.cache_data(max_entries=8, show_spinner=False)
def _columns(source: loaders.Stamp) -> list[str]:
    """The columns of a table; none for a format that fixes them, such as a Label Studio export."""
    return columns_of(source[0])


def _recognised(columns: list[str], reading: ReadOptions, kind: str) -> dict[str, str]:
    """Our names to the file's, as far as they are recognised."""
    names = BAR_NAMES if kind == "bars" else LABEL_NAMES
    # A row that holds each column's own name comes back under our names.
    return {
        str(ours): str(value)
        for ours, value in rename(pd.DataFrame([columns], columns=columns), reading, names).iloc[0].items()
    }


def _missing(columns: list[str], reading: ReadOptions, kind: str) -> list[str]:
    needed = {"bars": ("time", "open", "high", "low", "close"), "windows": ("label", "features"), "labels": ("label",)}[
        kind
    ]
    return [name for name in needed if name not in _recognised(columns, reading, kind)]
