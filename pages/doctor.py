"""Doctor: what went wrong in a run, in reported figures, or in what is about to be launched; and the run that fixes it."""

from __future__ import annotations

import streamlit as st

from moola_core.diagnostics.results import Diagnosis
from moola_core.presets import network_preset
from moola_core.runs.store import Run
from moola_core.specs import Diagnose
from moola_core.ui import (
    doctor_sections,
    launching,
    loaders,
    no_data,
    picker,
    progress,
    report_sections,
    selecting,
    state,
    widgets,
)

VIEWS = {"run": "This run", "planned": "Before a launch", "figures": "Reported figures"}
EXPERIMENTS_S = 300.0
selection = picker.current()
st.title("Doctor")
view = selecting.part("View", state.VIEW, VIEWS)


def ask(run: Run, budget_s: float = 0.0) -> None:
    loaders.launcher().submit(Diagnose(name="doctor", run=run.id, budget_s=budget_s), parent=run.id)
    st.rerun()


def answer(asked: Run, about: Run | None = None) -> None:
    """The findings of a run that asks the doctor, its progress, or why it failed."""
    asked_record = asked.record
    if asked_record.active:
        progress.follow(
            asked,
            asked_record,
            lambda run, record: st.markdown(f"{widgets.state_badge(record.state)} The checks are running."),
        )
        return
    diagnosis = loaders.diagnostic(asked, "doctor") if asked_record.state == "done" else asked_record.error
    if isinstance(diagnosis, Diagnosis):
        doctor_sections.diagnosis(asked)
        report_sections.offer(about or asked, "doctor")
    else:
        st.error(widgets.escape_markdown(str(diagnosis)), icon=":material/error:")


if view == "figures":
    st.caption("Figures of a report with no run behind it. Empty fields are skipped.")
    planned = {}
    if selection.dataset is not None and selection.dataset.windows is not None:
        planned = launching.base_spec(
            launching.FINETUNE, network_preset("recommended")[0].name, selection.dataset
        ).model_dump(mode="json")
    doctor_sections.figures_form(planned)
    asked = loaders.asked_doctor("figures")
    if asked is not None:
        answer(asked)
    state.stop()
if view == "planned":
    asked = loaders.asked_doctor("planned")
    if asked is None:
        widgets.empty_state(
            "Nothing was checked before a launch yet",
            "Set up a run and choose *Check before launch*: what the settings and the data alone show.",
            [("Set up a run", lambda: state.open_page("launch"))],
        )
        state.stop()
    doctor_sections.plan_line(asked)
    answer(asked)
    state.stop()
if selection.run is None:
    no_data.no_run(
        selection.dataset,
        "No run on this dataset yet",
        "The doctor checks every run when it ends. Reported figures can be checked without one.",
    )
    state.stop()
run, record = selection.run, selection.run.record
st.markdown(f"{widgets.state_badge(record.state)} {widgets.escape_markdown(widgets.title_of(record))}")
if record.state != "done":
    widgets.empty_state(
        "Not done yet" if record.active else "This run did not finish",
        "The doctor checks it when it is done."
        if record.active
        else widgets.escape_markdown(record.error) or "Its log says why.",
        [("Follow it" if record.active else "Read its log", lambda: state.open_page("runs"))],
    )
    state.stop()
asked = loaders.diagnosed_run(run, "doctor")
diagnosis = loaders.diagnosis(run)
if asked is not None:
    answer(asked, run)
elif diagnosis is not None:
    doctor_sections.diagnosis(run)
    report_sections.offer(run, "doctor")
else:
    widgets.empty_state(
        "The doctor has not checked this run", "It takes some seconds.", [("Run the checks", lambda: ask(run))]
    )
    state.stop()
with st.container(horizontal=True):
    if st.button("Run the checks again", icon=":material/refresh:", help="With the checks as they are now."):
        ask(run)
    if record.kind == "finetune" and st.button(
        "Find the cause by experiments",
        icon=":material/science:",
        help="Fits the run again for up to five minutes: with settings set back to those of the last healthy run or of a preset, "
        "on mended labels, on a few windows that can be learned by heart, on a demo market, and on labels in random order. "
        "Your files stay as they are.",
    ):
        ask(run, EXPERIMENTS_S)
