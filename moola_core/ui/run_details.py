"""One run on the Runs page: its place among others, its facts, its parts, and one of curves, log and settings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import streamlit as st

from moola_core.runs import event_file
from moola_core.runs.families import Family, families
from moola_core.runs.record import STATES, Record
from moola_core.runs.store import Run
from moola_core.sections.formatting import duration
from moola_core.sections.timeline import TITLES
from moola_core.specs import settings
from moola_core.ui import doctor_sections, guard, links, loaders, progress, report_sections, runs_table, state
from moola_core.ui.widgets import escape_markdown, figures, format_time, state_badge

SECTIONS = ("Curves", "Log", "Settings")
LOG_LINES, LOG_BYTES = 400, 4_000_000


def shown(listed: Sequence[Record], selected: Record | None) -> Record | None:
    """The run of the row that was chosen, of any kind; without one that of the sidebar."""
    run_id = st.session_state.get(state.ROW)
    row = next((record for record in listed if record.run_id == run_id), None) if run_id else None
    return row or (opened_record(run_id) if run_id else None) or selected


def opened_record(run_id: str) -> Record:
    """The record of a run that was made since the runs were listed."""
    return loaders.store().open(run_id).record


def opened(record: Record) -> Run:
    """The run of the record."""
    return loaders.store().open(record.run_id)


def family_of(record: Record, listed: Sequence[Record]) -> Family:
    """The family that the run is in, with its archived parts; one of its own where it is not listed."""
    every = families(listed)
    own = (family for family in every if any(one.run_id == record.run_id for one in family.records))
    return next(own, Family(record))


def parts_of(record: Record, family: Family) -> list[Record]:
    """The runs of the family that are part of this one, or part of such a part."""
    inside = {record.run_id}
    parts = []
    for one in family.records:
        if one.parent in inside and one.run_id not in inside:
            inside.add(one.run_id)
            parts.append(one)
    return parts


def place_in(record: Record, family: Family) -> None:
    """What the run is part of, with the way there, and the page that shows what came of it."""
    run = opened(record)
    with st.container(horizontal=True, vertical_alignment="center"):
        if family.whole.run_id != record.run_id:
            whole = TITLES.get(family.whole.kind, "Run").lower()
            st.button(
                f"Part of the {whole} {escape_markdown(family.whole.name or family.whole.run_id)}",
                key="whole",
                type="tertiary",
                icon=":material/arrow_upward:",
                on_click=guard.callback(runs_table.show_run),
                args=(family.whole,),
            )
        with guard.explained():
            is_elsewhere = record.kind not in loaders.TRAINED and record.state == "done" and not record.unreadable
            place = links.place_of(run, record) if is_elsewhere else None
            if place is not None and st.button(
                f"Open on {links.page_title(place[0])}", key="open", type="tertiary", icon=":material/arrow_forward:"
            ):
                state.open_page(place[0], **place[1])


def parts(family: Family) -> None:
    """The parts of a run, folded: how many are in which state, and a row for each."""
    count = Counter(part.record.state for part in family.parts)
    states = ", ".join(f"{count[name]} {name}" for name in STATES if count[name])
    with st.expander(f"Parts: {states}", icon=":material/account_tree:"):
        runs_table.parts_table(family, st.session_state.get(state.ROW) or "")


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
    figures(_figures(record))
    if record.kind == "report" and record.state == "done":
        report_sections.download(run, record)
    facts = record.facts
    if facts.engine:
        order = "all at once" if facts.engine == "replicas" else "one after another"
        st.caption(f"Fits {order} ({escape_markdown(facts.engine)}). {escape_markdown(facts.engine_why)}")
    doctor_sections.badge_line(run)
    if (
        record.kind in loaders.TRAINED
        and record.state == "done"
        and st.button("See the results", icon=":material/fact_check:", type="primary")
    ):
        state.open_page("results", **{state.RUN: run.id})


def _figures(record: Record) -> dict[str, tuple[str, str]]:
    """How long it took, how far it came, where, and with which seed; without what this kind of run does not have."""
    values = {
        "Took": (
            duration(record.seconds) if record.seconds else "–",
            f"ended {format_time(record.ended)}" if record.ended else "",
        )
    }
    total = int(record.progress.get("total") or 0)
    if total or record.kind in loaders.TRAINED:
        done = f"{int(record.progress.get('done') or 0)} of {total}" if total else "–"
        values[_unit(record)] = (done, _unit_note(record))
    if record.device or record.kind in loaders.TRAINED:
        values["Device"] = (record.device or "–", record.host or "")
    if record.seed is not None:
        values["Seed"] = (str(record.seed), f"preset {record.preset}" if record.preset else "")
    return values


def _unit(record: Record) -> str:
    return str(record.progress.get("unit", "fits")).capitalize()


def _unit_note(record: Record) -> str:
    if record.kind == "finetune":
        return "folds × repeats"
    return "" if record.facts.train is None else f"{record.facts.train} windows each"


def choose_section(record: Record) -> None:
    """The choice between curves, log and settings; outside the part that is polled, so that it stays."""
    sections = SECTIONS if record.kind in loaders.TRAINED else SECTIONS[1:]
    state.init_state(state.DETAIL, SECTIONS, "Curves")
    if st.session_state[state.DETAIL] not in sections:
        st.session_state[state.DETAIL] = sections[0]
    st.segmented_control(
        "Show", sections, key=state.DETAIL, required=True, persist_state="session", label_visibility="collapsed"
    )
    state.write_query_params((state.DETAIL,), {state.DETAIL: sections[0]})


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
    lines = [line for event in event_file.tail(run.folder, LOG_BYTES) if (line := _line(event))]
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
