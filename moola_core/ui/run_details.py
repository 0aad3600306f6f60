"""One run on the Runs page: its facts, and one of curves, log and settings."""

from __future__ import annotations

from typing import Any

import streamlit as st

from moola_core.runs.record import Record
from moola_core.runs.store import Run
from moola_core.sections.formatting import duration
from moola_core.specs import settings
from moola_core.ui import doctor_sections, progress, state
from moola_core.ui.widgets import escape_markdown, figures, format_time, state_badge

SECTIONS = ("Curves", "Log", "Settings")
LOG_LINES = 400


def summary(run: Run, record: Record) -> None:
    """State, device, time; the error of a failed run and what to do about it."""
    tags = " ".join(f":gray-badge[{escape_markdown(tag)}]" for tag in record.tags)
    st.markdown(f"{state_badge(record.state)} {escape_markdown(record.note)} {tags}")
    for warning in record.warnings:
        st.markdown(f":orange[:material/warning:] {escape_markdown(warning)}")
    if record.error:
        st.error(escape_markdown(record.error), icon=":material/error:")
        st.caption(
            "The end of the log says where it happened. Fix the cause, then resume it, or launch it again."
            if record.state == "failed"
            else "What is finished stays. Resume it when you like."
        )
    total = int(record.progress.get("total") or 0)
    figures(
        {
            "Took": (
                duration(record.seconds) if record.seconds else "–",
                f"ended {format_time(record.ended)}" if record.ended else "",
            ),
            _unit(record): (
                f"{int(record.progress.get('done') or 0)} of {total}" if total else "–",
                _unit_note(record),
            ),
            "Device": (record.device or "–", record.host or ""),
            "Seed": (str(record.seed), f"preset {record.preset}" if record.preset else ""),
        }
    )
    facts = record.facts
    if facts.engine:
        order = "all at once" if facts.engine == "replicas" else "one after another"
        st.caption(f"Fits {order} ({escape_markdown(facts.engine)}). {escape_markdown(facts.engine_why)}")
    doctor_sections.badge_line(run)
    if record.state == "done" and st.button("See the results", icon=":material/fact_check:", type="primary"):
        state.open_page("results", **{state.RUN: run.id})


def _unit(record: Record) -> str:
    return "Epochs" if record.kind == "pretrain" else "Fits"


def _unit_note(record: Record) -> str:
    if record.kind != "pretrain":
        return "folds × repeats"
    return "" if record.facts.train is None else f"{record.facts.train} windows each"


def choose_section() -> None:
    """The choice between curves, log and settings; outside the part that is polled, so that it stays."""
    state.init_state(state.DETAIL, SECTIONS, "Curves")
    st.segmented_control(
        "Show", SECTIONS, key=state.DETAIL, required=True, persist_state="session", label_visibility="collapsed"
    )


def section(run: Run, record: Record) -> None:
    """The selected one of curves, log and settings."""
    selected = st.session_state.get(state.DETAIL, "Curves")
    if selected == "Log":
        st.code(_log(run) or "Nothing yet.", language=None, height=420, wrap_lines=True)
    elif selected == "Settings":
        st.dataframe(
            [{"setting": name, "value": _text(value)} for name, value in settings(run.spec).items()],
            hide_index=True,
            height=420,
        )
    else:
        progress.live_curves(run)
    if record.active:
        st.caption("Updated every second. You may close this page: the run goes on.")


def _log(run: Run) -> str:
    """What happened, fit by fit, then what the process printed."""
    lines = [line for event in run.events() if (line := _line(event))]
    return "\n".join([*lines[-LOG_LINES:], run.log_text(LOG_LINES)]).strip()


def _line(event: dict[str, Any]) -> str:
    """One line about an event; empty for those that the curves show."""
    kind, values = event["type"], event.get("values", {})
    if kind not in ("replicate_started", "replicate_finished", "trainable", "log"):
        return ""
    fit = f"repeat {event['repeat'] + 1}, fold {event['fold'] + 1}: " if event.get("fold") is not None else ""
    if kind == "log":
        return f"{format_time(event['time'], seconds=True)}  {fit}{values.get('message', '')}"
    if kind == "trainable":
        rates = ", ".join(f"{part} at {rate:g}" for part, rate in values.get("rates", {}).items())
        return f"{format_time(event['time'], seconds=True)}  {fit}{values['parameters']:,} parameters train from epoch {event['epoch']}: {rates}"
    listed = ", ".join(f"{name.replace('_', ' ')} {_short(value)}" for name, value in values.items())
    return f"{format_time(event['time'], seconds=True)}  {fit}{'started' if kind == 'replicate_started' else 'done'}, {listed}"


def _short(value: object) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
