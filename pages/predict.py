"""Predict: what the selected run's models predict for new windows, or for bars at a stride."""

from __future__ import annotations

import streamlit as st

from moola_core.diagnostics.results import Predicted
from moola_core.sections.context import ReportContext
from moola_core.sections.registry import make
from moola_core.ui import (
    downloads,
    loaders,
    no_data,
    owners,
    picker,
    predict_sections,
    predict_viewer,
    progress,
    render,
    selecting,
    state,
    widgets,
)

selection = picker.current()
st.title("Predict")
run = selection.run
if run is None or run.record.kind != "finetune" or run.record.state != "done":
    there = any(one.kind == "finetune" and one.state == "done" for one in selection.records)
    no_data.no_run(
        selection.dataset,
        f"No finished fine-tuning run {'is selected' if there else 'yet'}",
        f"{'Choose one in the sidebar. ' if there else ''}All models of a finished run predict together, on data that needs no labels.",
    )
    state.stop()
st.markdown(f"{widgets.state_badge(run.record.state)} {widgets.escape_markdown(widgets.title_of(run.record))}")
predict_sections.ask(run, [dataset for dataset in loaders.available_datasets() if dataset.bars or dataset.windows])
children = loaders.predictions_by(run)
if not children:
    st.caption("Nothing was predicted yet. 100,000 bars at a stride of 5 take half a minute with the quick preset.")
    state.stop()
titles = widgets.unique_titles({one.id: predict_sections.title(one) for one in children})
if state.remember(state.PREDICTION) not in titles:
    selecting.put(state.PREDICTION, children[0].id)
if len(children) > 1:
    selecting.select("Shown", state.PREDICTION, titles, width=420)
child = loaders.store().open(st.session_state[state.PREDICTION])
owners.settle_part(child, run)
child_record = child.record
if child_record.active:
    progress.follow(child, child_record, progress.bar)
    state.stop()
predicted = loaders.diagnostic(child, "predicted") if child_record.state == "done" else child_record.error
if not isinstance(predicted, Predicted):
    widgets.empty_state("This could not be predicted", widgets.escape_markdown(str(predicted)))
    state.stop()
render.section(make("predicted", ReportContext(child)))
if predicted.over_bars:
    predict_viewer.walk(child, predicted)
else:
    predict_sections.windows(child)
downloads.of_predictions(child)
