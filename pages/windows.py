"""Windows: the labelled windows in a viewer that steps by key, with the predictions of the selected run."""

from __future__ import annotations

import streamlit as st

from moola_core.errors import MoolaError
from moola_core.ui import guard, loaders, no_data, picker, state, widgets, window_picker, window_table, windows_viewer

selection = picker.current()
st.title("Windows")
if selection.dataset is None or selection.dataset.windows is None:
    no_data.show("No labelled windows here", "Choose a dataset that has some in the sidebar, or read a file.")
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
    no_data.show_error(error)
    state.stop()

run = selection.run
predictions = loaders.predictions(run) if run else None
with st.container(horizontal=True, vertical_alignment="bottom"):
    selected = window_picker.filters(windows, predictions is not None)
    repeat = window_picker.repeat_picker(predictions)
    order = window_picker.order_picker(predictions is not None)
table = loaders.joined(selection.dataset, run, repeat)
rows = window_picker.noted(table, window_table.select(table, selected), selection.dataset)
if not len(rows):
    widgets.empty_state("No window passes these filters", "Drop them to see all windows again.")
    st.button("Drop the filters", on_click=guard.callback(window_picker.clear_filters))
    state.write_query_params(state.WINDOW_KEYS, window_picker.DEFAULTS)
    state.stop()
rows = window_table.order(table, rows, order)
if window_picker.place(table, rows) is None:
    state.write_query_params(state.WINDOW_KEYS, window_picker.DEFAULTS)
    window_picker.missing(table)
    state.stop()
windows_viewer.draw(windows_viewer.Opened(selection.dataset, table, rows, run.id if run else "", repeat))
