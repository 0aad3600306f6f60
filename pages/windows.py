"""Windows: one labelled window at a time, with the predictions of the selected run."""

from __future__ import annotations

import streamlit as st

from moola_core.errors import MoolaError
from moola_core.ui import guard, loaders, picker, state, widgets, window_picker, window_spans, window_table, window_view
from moola_core.ui.places import data_folder, display_path

selection = picker.current()
st.title("Windows")
if selection.dataset is None or selection.dataset.windows is None:
    widgets.empty_state(
        "No labelled windows here",
        f"Put a file of labelled windows under `{display_path(data_folder())}`; the Overview says what it may look like.",
        [("Go to the Overview", lambda: state.open_page("overview"))],
    )
    state.stop()
if selection.record is not None and selection.home is None:
    widgets.empty_state(
        "The windows of this run are not here",
        "Choose another run in the sidebar, or put the file back into the data folder.",
        [("See its results", lambda: state.open_page("results"))],
    )
    state.stop()
try:
    windows = loaders.windows_of(selection.dataset.windows, selection.dataset.bars)
except MoolaError as error:
    widgets.show_error(error)
    state.stop()

run = selection.run
predictions = loaders.predictions(run) if run else None
with st.container(horizontal=True, vertical_alignment="bottom"):
    selected = window_picker.filters(windows, predictions is not None)
    repeat = window_picker.repeat_picker(predictions)
table = loaders.joined(selection.dataset, run, repeat)
rows = window_table.select(table, selected)
if not len(rows):
    widgets.empty_state("No window passes these filters", "Drop them to see all windows again.")
    st.button("Drop the filters", on_click=guard.callback(window_picker.clear_filters))
    state.write_query_params(state.WINDOW_KEYS, window_picker.DEFAULTS)
    state.stop()

with st.container(horizontal=True, vertical_alignment="bottom"):
    place = st.container(horizontal=True, vertical_alignment="bottom", width="content")
    order = window_picker.order_picker(predictions is not None)
    with place:
        row = window_picker.step(table, window_table.order(table, rows, order))
state.write_query_params(state.WINDOW_KEYS, window_picker.DEFAULTS)
if row is None:
    window_picker.missing(table)
    state.stop()
predicted = window_table.of_window(predictions, table["window_id"].iat[row], repeat)
left, right = st.columns([3, 1], gap="medium")
with right:
    strips = st.toggle("Feature strips", value=True, key="strips", persist_state="session")
    scores = window_spans.switch(run, str(table["window_id"].iat[row]), predicted)
    window_view.facts(windows, row, table.iloc[row], predicted)
with left:
    shown_window = window_view.view(windows, row, selection.dataset, predicted, strips, scores)
    if shown_window.times:
        zone = loaders.exchange_zone(selection.dataset)
        st.caption(f"{shown_window.times[0]} to {shown_window.times[-1][-5:]}, {zone.replace('_', ' ')}")
    label = f"Candles of window {table['window_id'].iat[row]}, labelled {table['label'].iat[row]}"
    widgets.chart(window_view.drawn(shown_window, widgets.appearance()), "candles", label)
    st.caption(
        "Step with the ← and → keys. Triangles: confirmed swings. Each strip is shaded up to its largest size in this "
        "window (blue up, orange down); it is computed from the window alone."
    )
    if scores is not None:
        st.caption(window_spans.NOTE)
if run is not None and predictions is None:
    kind = selection.record.kind if selection.record else ""
    st.caption(
        "A pre-training run predicts no labels; choose a fine-tuning run to see predictions."
        if kind == "pretrain"
        else "The selected run has no predictions yet; they appear when it is done."
    )
