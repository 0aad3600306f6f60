"""Compare: studies, searches and selected runs, with a verdict."""

from __future__ import annotations

import streamlit as st

from moola_core.diagnostics.results import Comparison, PlanReport, SearchResult
from moola_core.sections.context import ReportContext
from moola_core.ui import (
    doctor_sections,
    loaders,
    no_data,
    picker,
    progress,
    render,
    report_sections,
    run_actions,
    search_form,
    selecting,
    state,
    study_form,
    widgets,
)

selection = picker.current()
st.title("Compare")
if selection.dataset is None or selection.dataset.windows is None:
    no_data.show(
        "No labelled windows here",
        "A comparison needs labelled windows. Choose a dataset that has them in the sidebar, or read a file.",
    )
    state.stop()
dataset = selection.dataset
comparisons = loaders.comparisons(dataset)
asked_for = "new_study" in st.session_state or state.is_in_link(state.OF_STUDY)
with st.expander("New study", icon=":material/science:", expanded=not comparisons or asked_for):
    study_form.new_study(dataset)
with st.expander("New search", icon=":material/manage_search:", expanded=state.is_in_link(state.OF_SEARCH)):
    search_form.new_search(dataset)
with st.expander(
    "Compare runs that are done", icon=":material/compare_arrows:", expanded=state.is_in_link((state.COMPARED,))
):
    study_form.new_comparison(selection.judged)
with st.expander("Join two runs", icon=":material/join:", expanded=state.is_in_link(state.OF_JOIN)):
    study_form.new_join(selection.judged)
if not comparisons:
    st.caption("Nothing was compared yet. The transfer study answers whether pre-training helps or hurts.")
    state.stop()
titles = widgets.unique_titles({run.id: widgets.title_of(run.record) for run in comparisons})
if state.remember(state.STUDY) not in titles:
    selecting.put(state.STUDY, next(iter(titles)))
selecting.select("Shown", state.STUDY, titles, width=420)
state.write_query_params((state.STUDY,))
run = loaders.store().open(st.session_state[state.STUDY])
record = run.record
if record.active:
    progress.follow(run, record, progress.bar)
    part = "trial" if record.kind == "search" else "arm"
    st.caption(f"Each {part} is an ordinary run: it appears on the Runs page as it goes on.")
    if record.kind == "search":
        run_actions.actions(run, record)
    state.stop()
kind = record.kind if record.kind in ("plan", "search") else "comparison"
result = loaders.diagnostic(run, kind)
if run.record.state != "done" and not isinstance(result, SearchResult):  # a search keeps its trials, however it ended
    result = run.record.error
for warning in () if isinstance(result, Comparison | PlanReport | SearchResult) else run.record.warnings:
    st.markdown(f":orange[:material/warning:] {widgets.escape_markdown(warning)}")
if isinstance(result, PlanReport):
    render.sections(ReportContext(run), ("plan", "steps", "studies", "gates"))
    report_sections.offer(run)
    state.stop()
if isinstance(result, SearchResult):
    render.sections(ReportContext(run), ("searched", "trials", "space"))
    run_actions.actions(run, run.record)
    report_sections.offer(run)
    state.stop()
if not isinstance(result, Comparison):
    widgets.empty_state("This comparison left no result", widgets.escape_markdown(str(result)))
    state.stop()
context = ReportContext(run)
render.sections(context, ("answer", "arms", "gaps", "differences", "labels", "gains", "curves", "differs"))
render.folded(context, "error_rates")
findings = loaders.diagnosis(run)
if findings is not None and findings.findings:
    doctor_sections.diagnosis(run)
report_sections.offer(run)
