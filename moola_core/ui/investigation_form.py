"""Starting an investigation, and following one that runs."""

from __future__ import annotations

from typing import Any

import streamlit as st

from moola_core import studies
from moola_core.arguments import pairs
from moola_core.diagnostics.results import InvestigationReport
from moola_core.errors import MoolaError
from moola_core.launch.estimate import estimate_investigation
from moola_core.market.library import Dataset
from moola_core.presets import available, preset
from moola_core.runs.record import Record
from moola_core.runs.store import Run
from moola_core.sections.context import ReportContext
from moola_core.sections.formatting import duration, time_range
from moola_core.specs import Data, Gates, Investigation, build, change
from moola_core.ui import (
    adopting,
    loaders,
    progress,
    render,
    report_sections,
    run_actions,
    selecting,
    state,
    study_settings,
    widgets,
)
from moola_core.ui.widgets import escape_markdown

BUDGETS = {"5 minutes": 300, "15 minutes": 900, "1 hour": 3600, "4 hours": 14_400, "A night (10 hours)": 36_000}
USUAL = "15 minutes"
PARTS = ("questions", "reasons", "models", "rules", "windows_next", "unasked")


def start(dataset: Dataset) -> None:
    """The one button; what it asks for beyond the data is folded away."""
    state.init_state(state.BUDGET, list(BUDGETS), USUAL)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        budget = st.selectbox("Time to spend", list(BUDGETS), key=state.BUDGET, width=220)
        begin = st.button("Investigate", type="primary", icon=":material/travel_explore:")
    st.caption(_expected(BUDGETS[budget]))
    is_open = state.is_in_link([key for key in state.OF_INVESTIGATION if key != state.BUDGET])
    with st.expander("Your goal, settings and rules", icon=":material/tune:", expanded=is_open):
        asked = _asked()
    state.write_query_params(state.OF_INVESTIGATION, _defaults())
    if not dataset.bars:
        st.caption("There are no bars next to these windows, so no question on pre-training is asked.")
    if begin:
        try:
            changes = pairs(filter(None, map(str.strip, asked.pop("changes").splitlines())), "Settings")
            values = {"data": Data(**loaders.data_of(dataset)), "budget_s": BUDGETS[budget], "changes": changes}
            spec = build(Investigation, values | asked, "investigation")
            change(
                preset(spec.preset).finetune(), studies.divided(changes)[0]
            )  # an unknown setting is refused before the start
        except MoolaError as error:
            widgets.show_error(error)
            return
        selecting.put(state.INVESTIGATION, loaders.launcher().submit(spec, name="investigation"))
        st.rerun()


def _expected(budget_s: float) -> str:
    """How long an investigation with this budget takes, in words."""
    expected = estimate_investigation(budget_s, loaders.store())
    return (
        f"It ends with the budget, or earlier once no open question may change the conclusion: 8 times in 10 after "
        f"{time_range(expected.low, expected.high)} (estimated from {expected.source})."
    )


def _defaults() -> dict[str, Any]:
    """What the form says where nothing was changed."""
    gates = {state.GATES[name]: field.default for name, field in Gates.model_fields.items()}
    return {state.BUDGET: USUAL, state.ASKED_PRESET: next(iter(available()))} | gates


def _asked() -> dict[str, Any]:
    """What may be said beyond the data and the time: goal, settings, an encoder, and thresholds of the researcher's own rules."""
    starts, titles = list(available()), {"": "pre-trained in the investigation", **study_settings.encoders_there()}
    for key in (state.GOAL, state.ASKED_SETTINGS):
        state.init_text(key)
    state.init_state(state.ASKED_PRESET, starts, starts[0])
    state.init_state(state.ASKED_ENCODER, list(titles), "")
    asked: dict[str, Any] = {
        "goal": st.text_input(
            "Goal", key=state.GOAL, placeholder="hit_at_3 > 0.6", help="A metric, a comparison and a number."
        )
    }
    with st.container(horizontal=True):
        asked["preset"] = st.selectbox("Settings from", starts, key=state.ASKED_PRESET, width=320)
        asked["checkpoint"] = st.selectbox(
            "Pre-trained encoder",
            list(titles),
            format_func=titles.__getitem__,
            key=state.ASKED_ENCODER,
            width=320,
        )
    asked["changes"] = st.text_area(
        "Other settings",
        key=state.ASKED_SETTINGS,
        placeholder="training.epochs=40\npretrain.objective.name=contrastive",
        help="Settings by name, one a line; pretrain. before those of pre-training. *Set up a run* lists all of them.",
        height=90,
    )
    st.caption(
        "These settings are run, checked by the doctor, and compared with simpler models. Thresholds of your own rules, for the macro F1 of a "
        "model of the class alone:"
    )
    with st.container(horizontal=True):
        asked["gates"] = {name: _threshold(name) for name in Gates.model_fields}
    return asked


def _threshold(name: str) -> float:
    """The threshold of the rule called `name`."""
    field, key = Gates.model_fields[name], state.GATES[name]
    state.init_fraction(key, 0.0, 1.0, field.default)
    title = name.replace("_", " ").capitalize()
    return st.number_input(title, 0.0, 1.0, step=0.05, key=key, help=field.description, width=150)


def show(run: Run) -> None:
    """The investigation: as it goes on, or its conclusion with what can be done with it."""
    record = run.record
    if record.active:
        run_actions.actions(run, record)
        progress.follow(run, record, _live)
        return
    if record.state != "done":
        st.warning(escape_markdown(record.error or f"It is {record.state}."), icon=":material/warning:")
        run_actions.actions(run, record)
    report = loaders.diagnostic(run, "investigation")
    if isinstance(report, InvestigationReport):
        context = ReportContext(run)
        render.sections(context, ("conclusion",))
        act(report)
        render.sections(context, PARTS)
        report_sections.offer(run)


def _live(run: Run, record: Record) -> None:
    progress.bar(run, record)
    doing = record.facts.doing
    if doing:
        st.markdown(f"**Now:** {escape_markdown(doing.question)}")
        st.caption(escape_markdown(doing.why))
    report = loaders.diagnostic(run, "investigation")
    if not isinstance(report, InvestigationReport) or not report.steps:
        st.caption("Answers appear here one by one.")
        return
    st.markdown("**So far**")
    for step in reversed(report.steps):
        took = f" :gray[({duration(step.seconds)})]" if step.seconds >= 1 else ""
        st.markdown(f"**{escape_markdown(step.title)}** {escape_markdown(step.outcome)}{took}")


def act(report: InvestigationReport) -> None:
    """What can be done with the conclusion: predict, and go on where the budget ended."""
    with st.container(horizontal=True):
        if report.best is not None and st.button(
            "Predict with the recommended model", type="primary", icon=":material/online_prediction:"
        ):
            state.open_page("predict", run=report.best.run_id)
        if report.best is not None and st.button("See how good it is", icon=":material/fact_check:"):
            state.open_page("results", run=report.best.run_id)
        if report.best is not None:
            best = loaders.store().open(report.best.run_id)
            adopting.offer(best, best.record)
