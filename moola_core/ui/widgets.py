"""Pieces that several pages show: charts, badges, empty states, tables of targets, what went wrong."""

from __future__ import annotations

import io
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from moola_core.charts.data import to_csv
from moola_core.errors import MoolaError
from moola_core.presets import available
from moola_core.runs.record import Record
from moola_core.ui import state
from moola_core.ui.markup import escape_markdown

FIGURE_PIXELS, NARROW_PIXELS, MANY = 168, 152, 6  # two in a line of a page of 390 pixels, six of 1,440
PRESETS_S = 2.0  # how long the files of presets are not looked at again
# Streamlit writes white on the dark theme's light blue, a contrast of 2.3 to 1; this has 8 to 1.
DARK_BUTTONS = """<style>
[data-testid^="stBaseButton-primary"]:not(:disabled), [data-testid^="stBaseButton-primary"]:not(:disabled) p,
[data-testid="stMultiSelect"] span[title], [data-testid="stMultiSelect"] span[title] ~ * { color: #10151A; }
</style>"""
STATES = {
    "queued": ("gray", "hourglass_empty"),
    "running": ("blue", "sync"),
    "done": ("green", "check"),
    "failed": ("red", "error"),
    "cancelled": ("orange", "block"),
    "lost": ("red", "link_off"),
}


def appearance() -> str:
    """ "dark" or "light", as the browser shows the app."""
    return "dark" if st.context.theme.type == "dark" else "light"


def chart(figure: go.Figure, key: str, alt: str, **options: Any) -> Any:
    """The figure in the app's own template, without the mode bar; `alt` describes it in words."""
    st.session_state.setdefault(state.DRAWN, {})[key] = figure
    config = {"displayModeBar": False, "scrollZoom": False}
    return st.plotly_chart(figure, key=key, alt=alt, theme=None, config=config, **options)


def begin_page() -> None:
    """Forget the charts of the page before; what is written on the theme's light blue can be read in the dark too."""
    st.session_state[state.DRAWN] = {}
    if appearance() == "dark":
        st.html(DARK_BUTTONS)


def chart_data() -> None:
    """The button that downloads the numbers behind every chart that the page has drawn."""
    drawn = st.session_state.get(state.DRAWN)
    if drawn:
        st.download_button(
            "Data of the charts",
            lambda: zipped({f"{name}.csv": to_csv(chart) for name, chart in drawn.items()}),
            "charts.zip",
            "application/zip",
            key="chart_data",
            on_click="ignore",
            type="tertiary",
            icon=":material/download:",
            help="One CSV a chart.",
        )


def zipped(files: Mapping[str, str | bytes]) -> bytes:
    """A ZIP file of files by name."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def state_badge(state: str) -> str:
    """A run's state as markdown."""
    colour, icon = STATES.get(state, ("gray", "help"))
    return f":{colour}-badge[:material/{icon}: {state}]"


def title_of(record: Record) -> str:
    """What a run is called: its name, or what it started from, with the time at which it was made."""
    return f"{record.name or started_from(record) or 'run'} · {format_time(record.created)}"


def started_from(record: Record) -> str:
    """The run's preset, or its model where that is another than the preset's."""
    return record.preset if record.model in ("", _model_of(record.preset)) else record.model.replace("_", " ")


def _model_of(name: str) -> str:
    return _models(int(time.monotonic() / PRESETS_S)).get(name, "")


@lru_cache(maxsize=1)
def _models(since: int) -> dict[str, str]:
    """The model of each preset by name; a list of thousands of runs asks for each of them."""
    return {name: str(known.values.get("estimator", "network")) for name, known in available().items()}


def unique_titles(texts: dict[str, str]) -> dict[str, str]:
    """Texts by run id, the id's end added where two are the same: a picker's answer comes back as its text alone."""
    count = Counter(texts.values())
    return {key: text if count[text] == 1 else f"{text} · {key[-4:]}" for key, text in texts.items()}


def format_time(text: str | None, seconds: bool = False) -> str:
    """A stored UTC time as `22 Nov 14:05` in the server's zone, or with seconds `14:05:09`; empty when there is none."""
    if not text:
        return ""
    time = datetime.fromisoformat(str(text))
    time = time if time.tzinfo else time.replace(tzinfo=UTC)
    return time.astimezone().strftime("%H:%M:%S" if seconds else "%d %b %H:%M")


def parse_time(text: str, zone: str) -> np.datetime64 | None:
    """The time that somebody typed, in UTC; one without an offset is of the `zone`. None for what is no time."""
    try:
        time = pd.Timestamp(text)
        time = time.tz_localize(zone) if time.tzinfo is None else time
        return time.tz_convert("UTC").tz_localize(None).to_datetime64()
    except (ValueError, TypeError, OverflowError, AttributeError):  # such as "NaT"
        return None


def empty_state(title: str, body: str, actions: Sequence[tuple[str, Callable[[], Any]]] = ()) -> None:
    """An empty state: what is missing, what to do, and the buttons that do it."""
    with st.container(border=True, key="empty"):
        st.markdown(f"**{title}**")
        st.markdown(body)
        with st.container(horizontal=True):
            for i, (label, action) in enumerate(actions):
                if st.button(label, type="primary" if i == 0 else "secondary", key=f"empty_{i}"):
                    action()


def show_error(error: MoolaError) -> None:
    """A user's error: what, where, and how to fix it."""
    where = f"{escape_markdown(error.where)}  \n" if error.where else ""
    st.error(f"{where}{escape_markdown(error.what)}", icon=":material/error:")
    if error.hint:
        st.caption(f"How to fix: {escape_markdown(error.hint)}")


def window_links(texts: dict[str, str], key: str, run_id: str | None = None) -> None:
    """A button a window, by its id, that opens it, with the predictions of the run `run_id` where one is given."""
    also = {state.RUN: run_id} if run_id else {}
    for window_id, text in texts.items():
        if st.button(
            escape_markdown(text), key=f"{key}_{window_id}", type="tertiary", icon=":material/candlestick_chart:"
        ):
            state.open_windows(window=window_id, **also)


def table(frame: pd.DataFrame, key: str) -> None:
    """A table of figures that can be sorted, searched and downloaded."""
    numbers = {name: st.column_config.NumberColumn(format="%.3f") for name in frame if frame[name].dtype == float}
    st.dataframe(frame, key=key, column_config=numbers, height=min(38 + 35 * len(frame), 470))


def figures(values: dict[str, tuple[str, str]]) -> None:
    """A row of large figures that wraps: title to (value, the note under it)."""
    width = NARROW_PIXELS if len(values) >= MANY else FIGURE_PIXELS
    with st.container(horizontal=True, gap="small"):
        for name, (value, note) in values.items():
            with st.container(border=True, width=width, gap=None):
                # The metric's own note would be cut off where it does not fit.
                st.metric(name, value)
                st.caption(escape_markdown(note))
