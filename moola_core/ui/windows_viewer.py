"""The viewer of labelled windows: candles and facts that step by key, and what the browser says of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from moola_core.features.catalog import feature, names
from moola_core.market.library import Dataset
from moola_core.ui import (
    guard,
    loaders,
    state,
    viewers,
    widgets,
    window_chunk,
    window_flags,
    window_picker,
    window_spans,
)
from moola_core.ui.window_chunk import Shown, Source

KEY, KEPT = "viewer", "viewer_kept"
MOST_WINDOWS, AHEAD = 160, 40  # how many windows are sent, and how near to the last of them more are asked for
FEATURES = names(("relativity",))
NOTE = (
    f"Unsure: no class has a probability of {window_chunk.UNSURE_BELOW:.2f}. Far: the predicted center is more than {window_chunk.FAR_BARS:.0f} bars "
    "off. Bars outside the window are pale. The wheel zooms; ? lists all keys."
)
SCORED = (
    "Below the candles: the probability of each bar to be the start, to be the end, and to lie inside the expansion; faint bands are other spans "
    "that it may be. The number over a prediction is its stated probability: that the true center lies within 3 bars. Repeats are averaged."
)


@dataclass(frozen=True, eq=False)
class Opened:
    """The windows that are stepped through: rows of the joined table, in their order."""

    dataset: Dataset
    table: pd.DataFrame
    rows: np.ndarray
    run_id: str
    repeat: int | None

    @property
    def ids(self) -> list[str]:
        return list(self.table["window_id"].astype(str).iloc[self.rows])


@dataclass(frozen=True)
class Kept:
    """What the browser was sent: which windows in which order, where it starts, and from which place on."""

    order: str
    turn: int
    at: int
    window: str
    first: int


def draw(opened: Opened) -> None:
    """Draw the viewer; it runs again by itself, without the rest of the page, when the browser asks for more."""
    _draw(opened)


def _draw_once(opened: Opened) -> None:
    ids = opened.ids
    st.session_state["viewer_ids"] = ids
    with st.container(horizontal=True, vertical_alignment="bottom"):
        window_picker.go_to(opened.dataset, opened.table, ids)
        shown = _switches(opened)
    kept = _place(opened, ids)
    data = _data(opened, kept, shown)
    viewers.component("windows")(
        key=KEY,
        data=data,
        on_shown_change=guard.callback(_take_shown),
        on_edits_change=guard.callback(lambda: window_flags.take(opened.dataset, _reported("edits"))),
        width="stretch",
        height="content",
    )
    if data["note"]:
        st.caption(data["note"])
    st.caption(NOTE + (f" {SCORED}" if shown.scores else ""))
    window_flags.listed(opened.dataset, opened.table)
    state.write_query_params(state.WINDOW_KEYS, window_picker.DEFAULTS)


_draw = guard.fragment(_draw_once)


def _switches(opened: Opened) -> Shown:
    """What is drawn besides the candles and the pointers."""
    run = loaders.store().open(opened.run_id) if opened.run_id else None
    scores, defaults = False, {state.STRIPS: False, state.SWINGS: False, state.BAR_SCORES: True}
    for key, default in defaults.items():
        state.init_switch(key, default)
    if window_spans.has_scores(run):
        scores = st.toggle("Probability of each bar", key=state.BAR_SCORES, persist_state="session")
    strips = st.toggle("Feature strips", key=state.STRIPS, persist_state="session")
    swings = st.toggle("Swing marks", key=state.SWINGS, persist_state="session")
    state.write_query_params(state.OF_DRAWING, defaults)
    return Shown(strips, scores, swings)


def _place(opened: Opened, ids: list[str]) -> Kept:
    """What the browser is to have now. It moves on by itself; it is sent elsewhere where the window was selected in another way."""
    window = str(st.session_state[state.WINDOW])
    order = hashlib.sha256("\n".join([opened.run_id, *ids]).encode()).hexdigest()[:16]
    kept: Kept | None = st.session_state.get(KEPT)
    place = ids.index(window)
    if kept is None or kept.order != order or kept.window != window:
        turn = kept.turn + 1 if kept else 1
        kept = Kept(order, turn, place, window, _first(place, len(ids)))
    elif not _inside(place, kept.first, len(ids)):
        kept = Kept(order, kept.turn, kept.at, window, _first(place, len(ids)))
    st.session_state[KEPT] = kept
    return kept


def _first(place: int, count: int) -> int:
    return max(0, min(place - MOST_WINDOWS // 2, count - MOST_WINDOWS))


def _inside(place: int, first: int, count: int) -> bool:
    """Whether enough windows around the place are there, to both sides."""
    last = first + MOST_WINDOWS
    return (first == 0 or place - first > AHEAD) and (last >= count or last - place > AHEAD)


def _data(opened: Opened, kept: Kept, shown: Shown) -> dict[str, Any]:
    dataset = opened.dataset
    assert dataset.windows is not None
    windows = loaders.windows_of(dataset.windows, dataset.bars)
    run = loaders.store().open(opened.run_id) if opened.run_id else None
    predictions = loaders.predictions(run) if run else None
    if predictions is not None and opened.repeat is not None:
        predictions = predictions[predictions["repeat"] == opened.repeat]
    bars = loaders.bars_of(dataset.bars) if dataset.bars else None
    rows = opened.rows[kept.first : kept.first + MOST_WINDOWS]
    source = Source(windows, bars, run, predictions, shown)
    of_run = loaders.stamp(run.folder / "predictions.parquet") if run else None
    made = (opened.run_id, of_run, opened.repeat, shown, windows.content_hash, str(dataset.bars), kept.order)
    content = hashlib.sha256(repr(made).encode()).hexdigest()[:16]
    return {
        "load": f"{kept.order} {kept.turn}",
        "content": content,
        "at": kept.at,
        "total": len(opened.rows),
        "marks": window_chunk.marks(opened.table, opened.rows),
        "first": kept.first,
        "windows": _chunk(f"{content} {kept.first}", source, opened.table, rows),
        "bars": windows.bars,
        "decimals": window_chunk.decimals(windows.prices[rows]),
        "zone": loaders.exchange_zone(dataset),
        "scores": shown.scores,
        "names": list(FEATURES),
        "units": [feature(name).unit or "" for name in FEATURES],
        "predicts": predictions is not None,
        "note": "" if predictions is not None else _without_predictions(run),
        "flags": {name: [one.flagged, one.comment] for name, one in window_flags.of(dataset).items()},
        "appearance": widgets.appearance(),
        "colours": viewers.colours(widgets.appearance()),
    }


@st.cache_resource(max_entries=16, show_spinner=False)
def _chunk(content: str, _source: Source, _table: pd.DataFrame, _rows: np.ndarray) -> list[dict[str, Any]]:
    """The windows that are sent; `content` names all that they are made of."""
    return window_chunk.chunk(_source, _table, _rows)


def _without_predictions(run: Any) -> str:
    if run is None:
        return "No run is selected, so there are no predictions."
    if run.record.kind == "pretrain":
        return "A pre-training run predicts no labels; choose a fine-tuning run to see predictions."
    return "The selected run has no predictions yet; they appear when it is done."


def _reported(what: str) -> dict[str, Any]:
    """What the browser says, which anybody can write: anything but an object is nothing."""
    report = st.session_state.get(KEY, {}).get(what)
    return dict(report) if isinstance(report, dict) else {}


def _take_shown() -> None:
    """The window at which the browser stands is the selected one."""
    report, kept, ids = _reported("shown"), st.session_state.get(KEPT), st.session_state.get("viewer_ids", [])
    at = report.get("at")
    if kept is None or report.get("load") != f"{kept.order} {kept.turn}":
        return  # of another order of windows, which was left
    if isinstance(at, int) and 0 <= at < len(ids):
        st.session_state[state.WINDOW] = ids[at]
        st.session_state[KEPT] = Kept(kept.order, kept.turn, kept.at, ids[at], kept.first)
