"""Investigate: one button from data to a conclusion."""

from __future__ import annotations

import streamlit as st

from moola_core.ui import (
    investigation_form,
    loaders,
    no_data,
    picker,
    selecting,
    state,
    widgets,
)

selection = picker.current()
st.title("Investigate")
if selection.dataset is None or selection.dataset.windows is None:
    no_data.show(
        "No labelled windows here",
        "An investigation needs labelled windows, and bars if you want to know whether pre-training helps. "
        "Choose a dataset that has them in the sidebar, or read a file.",
    )
    state.stop()
dataset = selection.dataset
st.markdown(
    "With this data and this much time: what is the best model, how sure is that, what was wrong, does pre-training help, and what comes next?"
)
runs = loaders.investigations(dataset)
if runs:
    with st.expander("New investigation", icon=":material/add:"):
        investigation_form.start(dataset)
else:
    investigation_form.start(dataset)
    st.caption(
        "It asks one question after another, the one first whose answer is most likely to change the conclusion for its time. "
        "Every sentence of the conclusion leads to the run that it rests on. It goes on when you close this page."
    )
    state.stop()
titles = widgets.unique_titles({run.id: widgets.title_of(run.record) for run in runs})
if state.remember(state.INVESTIGATION) not in titles:
    selecting.put(state.INVESTIGATION, next(iter(titles)))
if len(runs) > 1:
    selecting.select("Shown", state.INVESTIGATION, titles, width=420)
state.write_query_params((state.INVESTIGATION,))
run = loaders.store().open(st.session_state[state.INVESTIGATION])
investigation_form.show(run)
