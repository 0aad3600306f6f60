"""The viewer of predictions over bars: candles with the predicted expansions, from one to the next by key."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from moola_core.charts.theme import class_colours, palette
from moola_core.diagnostics.results import Expansion, Predicted
from moola_core.diagnostics.results.predictions import LEAST_STATED
from moola_core.market.bars import Bars
from moola_core.runs.predictions import STATED, is_class
from moola_core.runs.store import Run
from moola_core.sections.formatting import counted
from moola_core.ui import guard, loaders, state, viewers, widgets, window_chunk

KEY, KEPT, GO_TO, MISSED = "stretch", "stretch_kept", "expansion_time", "expansion_missed"
MOST_BARS, AROUND_BARS = 60_000, 1_000
KEYS = "The wheel zooms; a shows all bars that are loaded, ? lists all keys."
VOTED = (
    "Shaded: at least half of the windows over these bars see the expansion there. Points: where each window sees its center, and the "
    f"probability of its class. {KEYS}"
)
RANKED = (
    "Shaded: the expansions; where those of several windows overlap, the one with the largest stated probability is kept. Points: where "
    f"each window sees its center, and the probability that it states. {KEYS}"
)
CAUTION = (
    "The stated probability assumes that a window holds one expansion, as the labelled windows do. Over bars many windows hold none, so it "
    "comes true less often: prefer expansions on which many windows agree, and whose probability is not lower than in most labelled windows."
)
APART = (
    "Overlapping windows point to different bars: their pointers move with the window, not with the bars. Look at the pointer errors on the "
    "Performance page before you use them."
)


@dataclass(frozen=True)
class Kept:
    """What the browser was sent: which expansions, at which of them it starts, and from which bar on."""

    order: str
    turn: int
    at: int
    selected: str
    first: int


def walk(child: Run, predicted: Predicted) -> None:
    """The bars with their predictions, expansion by expansion."""
    table = loaders.table(child, "predicted")
    if "start_pred" not in table or "predicted" not in table:
        st.caption("This run has no pointers or no classes, so there are no expansions to walk through.")
        return
    _draw(child, predicted)


def _draw_once(child: Run, predicted: Predicted) -> None:
    table = loaders.table(child, "predicted")
    bars = loaders.bars_of(child.spec.data.bars)
    stated = STATED in table and not is_class(STATED, predicted.classes)
    expansions = _probable(predicted.expansions) if stated else list(predicted.expansions)
    zone = loaders.reading_of(Path(child.spec.data.bars)).exchange_tz
    st.session_state["stretch_bars"] = [str(one.first) for one in expansions]
    if expansions:
        st.text_input(
            "Go to a time",
            key=GO_TO,
            placeholder="for example 2026-01-15 10:30",
            on_change=guard.callback(_go),
            args=(bars, expansions, zone),
            width=330,
        )
        missed = st.session_state.pop(MISSED, "")
        if missed:
            st.markdown(f":orange[{widgets.escape_markdown(missed)}]")
    elif not stated:
        st.caption(APART)
    kept = _place(child, expansions, len(bars))
    viewers.component("stretch")(
        key=KEY,
        data=_data(bars, table, predicted, expansions, kept) | {"zone": zone},
        on_shown_change=guard.callback(_take_shown),
        width="stretch",
        height="content",
    )
    st.caption(f"{RANKED} {CAUTION}" if stated else VOTED)
    state.write_query_params((state.PREDICTION, state.EXPANSION))


_draw = guard.fragment(_draw_once)


def _probable(expansions: Sequence[Expansion]) -> list[Expansion]:
    """Those whose stated probability reaches the selected threshold, and is not unusual for labelled windows beyond the selected level."""
    state.init_fraction(state.LEAST_STATED, LEAST_STATED, 0.95, 0.8)
    state.init_fraction(state.UNUSUAL, 0.0, 0.5, 0.0)
    with st.container(horizontal=True):
        threshold = st.slider(
            "Least stated probability", LEAST_STATED, 0.95, step=0.05, key=state.LEAST_STATED, width=320
        )
        level = (
            st.slider(
                "Hide the unusual, level",
                0.0,
                0.5,
                step=0.01,
                key=state.UNUSUAL,
                width=320,
                help="Hides expansions that state less than all but this share of your labelled windows do: nothing like the labels may be "
                "there. Of expansions like the labelled ones it hides this share too.",
            )
            if any(one.conformal_p is not None for one in expansions)
            else 0.0
        )
    state.write_query_params((state.LEAST_STATED, state.UNUSUAL), {state.LEAST_STATED: 0.8, state.UNUSUAL: 0.0})
    probable = [one for one in expansions if (one.p_span or 0.0) >= threshold]
    kept = [one for one in probable if one.conformal_p is None or one.conformal_p > level]
    st.caption(
        f"{len(probable):,} of {len(expansions):,} expansions have a stated probability of at least {threshold:.2f}."
        if probable
        else f"No expansion has a stated probability of at least {threshold:.2f}. Choose a lower one to see more."
    )
    if level:
        st.caption(f"{len(probable) - len(kept):,} of them are hidden as unusual at the level {level:.2f}.")
    return kept


def _place(child: Run, expansions: Sequence[Expansion], bars: int) -> Kept:
    """What the browser is to have now; it moves on by itself, and is sent elsewhere where another expansion was selected."""
    named = [str(one.first) for one in expansions]
    order = hashlib.sha256("\n".join([child.id, *named]).encode()).hexdigest()[:16]
    wanted = state.remember(state.EXPANSION) or ""
    at = named.index(wanted) if wanted in named else 0
    selected = named[at] if named else ""
    if selected:
        st.session_state[state.EXPANSION] = selected
    kept: Kept | None = st.session_state.get(KEPT)
    one = expansions[at] if expansions else None
    if kept is None or kept.order != order or kept.selected != selected:
        kept = Kept(order, kept.turn + 1 if kept else 1, at, selected, _first(one, bars))
    elif one is not None and not (kept.first <= one.first and one.last < kept.first + MOST_BARS):
        kept = Kept(order, kept.turn, kept.at, selected, _first(one, bars))
    st.session_state[KEPT] = kept
    return kept


def _first(one: Expansion | None, bars: int) -> int:
    """The first bar to send, so that there are bars before and after the expansion; most lie after it."""
    return 0 if one is None else max(0, min(one.first - AROUND_BARS, bars - MOST_BARS))


def _data(
    bars: Bars, table: pd.DataFrame, predicted: Predicted, expansions: Sequence[Expansion], kept: Kept
) -> dict[str, Any]:
    look = widgets.appearance()
    own, stated = class_colours(predicted.classes, look), STATED in table and not is_class(STATED, predicted.classes)
    sent = slice(kept.first, min(kept.first + MOST_BARS, len(bars)))
    prices = bars.ohlc[sent]
    return {
        "load": f"{kept.order} {kept.turn}",
        "content": kept.order,
        "at": kept.at,
        "first": sent.start,
        "prices": window_chunk.packed(prices - prices[0, 0]),
        "base": float(prices[0, 0]),
        "decimals": window_chunk.decimals(prices[:1000]),
        **window_chunk.times_of(bars.time[sent]),
        "points": _points(table, predicted, stated, sent),
        "scale": "the stated probability" if stated else "the probability of the class",
        "expansions": [_sent(one, own, sent) for one in expansions],
        "appearance": look,
        "colours": viewers.colours(look),
    }


def _sent(one: Expansion, own: dict[str, str], sent: slice) -> dict[str, Any]:
    """The expansion; of one outside the bars that are sent only where it lies."""
    where = {"first": one.first, "last": one.last}
    if one.last < sent.start or one.first >= sent.stop:
        return where
    return where | {
        "p": one.probability if one.p_span is None else one.p_span,
        "colour": own[one.label],
        "text": _text(one),
    }


def _text(one: Expansion) -> str:
    """What is known of the expansion."""
    start = f"{one.start_time[:16].replace('T', ' ')} UTC"
    words = f"{one.label} with {one.probability:.2f}, {counted(one.last - one.first + 1, 'bar')} from {start}; {one.support:.0%} of the windows over it agree."
    if one.p_span is None:
        return words
    unusual = "" if one.conformal_p is None else f", lower than in {1 - one.conformal_p:.0%} of your labelled windows"
    return f"{words} Stated probability of a center within 3 bars: {one.p_span:.2f}{unusual}."


def _points(table: pd.DataFrame, predicted: Predicted, stated: bool, sent: slice) -> list[dict[str, Any]]:
    """By class, and apart from them for windows that are out of distribution: the bar of each center, and the largest probability there."""
    look = widgets.appearance()
    center = np.floor(table["first_bar"].to_numpy() + (table["start_pred"] + table["end_pred"]).to_numpy() / 2)
    inside = np.isfinite(center) & (center >= sent.start) & (center < sent.stop)
    rows, center = table[inside], center[inside].astype(np.int64)
    label = rows["predicted"].astype(str).to_numpy()
    values = rows[STATED].to_numpy(float) if stated else _of_class(rows, label)
    apart = rows["out_of_distribution"].to_numpy(bool) if "out_of_distribution" in rows else np.zeros(len(rows), bool)
    colours = class_colours(predicted.classes, look)
    groups = [(name, colours[name], (label == name) & ~apart) for name in predicted.classes]
    groups.append(("out of distribution", palette(look).muted, apart))
    points = []
    for name, colour, own in groups:
        if own.any():
            most = pd.Series(values[own]).groupby(center[own]).max()
            packed = {"bars": window_chunk.packed(most.index, "<i4"), "values": window_chunk.packed(most.to_numpy())}
            points.append({"name": name, "colour": colour, **packed})
    return points


def _of_class(rows: pd.DataFrame, label: np.ndarray) -> np.ndarray:
    """The probability of each row's predicted class."""
    values = np.full(len(rows), np.nan)
    for name in np.unique(label):
        own = label == name
        values[own] = rows.loc[own, f"p_{name}"]
    return values


def _go(bars: Bars, expansions: Sequence[Expansion], zone: str) -> None:
    asked = str(st.session_state.get(GO_TO) or "").strip()
    if not asked:
        return
    time = widgets.parse_time(asked, zone)
    if time is None:
        st.session_state[MISSED] = f"{asked[:60]} is no time that can be read, such as 2026-01-15 10:30."
        return
    bar = int(np.searchsorted(bars.time, time))
    after = next((one for one in expansions if one.last >= bar), None)
    if after is None:
        st.session_state[MISSED] = "No expansion lies after that time."
        return
    st.session_state[state.EXPANSION] = str(after.first)
    st.session_state[GO_TO] = ""


def _take_shown() -> None:
    """The expansion at which the browser stands is the selected one."""
    report, kept = st.session_state.get(KEY, {}).get("shown"), st.session_state.get(KEPT)
    named = st.session_state.get("stretch_bars", [])
    if kept is None or not isinstance(report, dict) or report.get("load") != f"{kept.order} {kept.turn}":
        return
    at = report.get("at")
    if isinstance(at, int) and 0 <= at < len(named):
        st.session_state[state.EXPANSION] = named[at]
        st.session_state[KEPT] = Kept(kept.order, kept.turn, kept.at, named[at], kept.first)
