"""The History page: the timeline of a dataset with its filter, and the decisions that a person adds, amends and supersedes."""

from __future__ import annotations

from collections import Counter
from typing import Any

import streamlit as st

from moola_core import history as deciding
from moola_core.market.library import Dataset
from moola_core.runs.decisions import Decision
from moola_core.runs.record import Record
from moola_core.runs.timeline import DECISION, Entry, entries
from moola_core.sections.timeline import PLACES, TITLES, decided, outcome, title_of
from moola_core.specs import Data, build
from moola_core.ui import guard, links, loaders, owners, state, widgets
from moola_core.ui.widgets import escape_markdown, format_time

SHORT = 60  # letters of an earlier decision that a later one quotes
PAGE, SHOWN = 20, "history_shown"
MOST_RUNS = 200  # that a decision can be said to rest on; older ones by `moola decide --run`


def history(dataset: Dataset) -> None:
    """The timeline, the newest first, a page of it at a time."""
    contents, owner = loaders.content_of_windows(dataset), owners.Owner(dataset)

    def belongs(record: Record) -> bool:
        return record.data_hashes.get("windows") in contents or owner.has(record)

    every = entries(loaders.store(), belongs, contents, (str(dataset.windows),))
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.caption("Everything that was run on these windows, and what was decided. Nothing is ever taken out of it.")
        if st.button("Add a decision", icon=":material/edit_note:", type="primary"):
            _write_decision(dataset, every)
    if not every:
        widgets.empty_state(
            "Nothing yet",
            "Runs, studies and plans appear here when they are started, and decisions when you add them.",
            [("Set up a run", lambda: state.open_page("launch"))],
        )
        return
    shown = _filtered(every)
    most = st.session_state.setdefault(SHOWN, PAGE)
    for entry in shown[:most]:
        _entry(dataset, entry, every)
    if len(shown) > most and st.button(f"Show {min(PAGE, len(shown) - most)} more", icon=":material/expand_more:"):
        st.session_state[SHOWN] = most + PAGE
        st.rerun()


def _filtered(every: list[Entry]) -> list[Entry]:
    """The events of the kinds that are chosen; all where none is."""
    count = Counter(entry.kind for entry in every)
    kinds = [kind for kind in dict.fromkeys((*TITLES, *count)) if kind in count]
    if len(kinds) < 2:
        return every
    state.choose_several(state.EVENTS, kinds)
    selected = st.pills(
        "Show only",
        kinds,
        selection_mode="multi",
        key=state.EVENTS,
        format_func=lambda kind: f"{TITLES.get(kind, kind.capitalize())} ({count[kind]})",
        persist_state="session",
    )
    state.write_query_params((state.EVENTS,))
    return [entry for entry in every if entry.kind in selected] if selected else every


def _entry(dataset: Dataset, entry: Entry, every: list[Entry]) -> None:
    """One event: what it was, what came out, and the ways on."""
    with st.container(border=True, key=f"event-{entry.id}", gap="small"):
        text = " ".join(escape_markdown(outcome(loaders.store(), entry)).split())
        struck = f"~~{text}~~" if entry.replaced_by is not None else text
        icon = ICONS.get(entry.kind, "circle")
        st.markdown(f":material/{icon}: **{escape_markdown(title_of(entry))}.** {struck}")
        if entry.replaced_by is not None:
            later = entry.replaced_by
            instead = " ".join(escape_markdown(decided(later)).split())
            st.markdown(f":material/subdirectory_arrow_right: **Superseded {format_time(later.time)}.** {instead}")
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.caption(escape_markdown(" · ".join(_facts(entry, every))))
            with st.container(horizontal=True, width="content"):
                _ways(dataset, entry, every)


ICONS = {
    "finetune": "model_training",
    "pretrain": "neurology",
    "study": "science",
    "compare": "compare_arrows",
    "plan": "account_tree",
    "investigation": "travel_explore",
    "search": "manage_search",
    "diagnose": "monitor_heart",
    "predict": "online_prediction",
    "report": "description",
    DECISION: "gavel",
}


def _facts(entry: Entry, every: list[Entry]) -> list[str]:
    """When, who, of how many runs, and what a decision follows."""
    facts = [format_time(entry.time)]
    if entry.record is not None:
        parts = len(entry.parts)
        facts += [f"{parts} run{'s' if parts > 1 else ''} in it"] if parts else []
        return facts + (["archived"] if entry.record.archived else [])
    decision = entry.decision
    assert decision is not None
    facts += [decision.who] if decision.who else []
    known = {one.id: one.decision.text for one in every if one.decision is not None}
    for word, earlier in (("supersedes", decision.supersedes), ("amends", decision.amends)):
        facts += [f"{word} “{_short(known.get(earlier, earlier))}”"] if earlier else []
    return [*facts, decision.id]


def _short(text: str) -> str:
    """The beginning of a text, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= SHORT else f"{line[: SHORT - 1].rstrip()}…"


def _ways(dataset: Dataset, entry: Entry, every: list[Entry]) -> None:
    """The buttons of an event."""
    place = _place(entry)
    if place is not None and st.button(
        "Open", key=f"open-{entry.id}", icon=":material/arrow_forward:", type="tertiary"
    ):
        state.open_page(place[0], **place[1])
    decision = entry.decision
    if decision is None or decision.unreadable:
        return
    known = {one.id: one for one in every}
    for run_id in decision.runs:
        if run_id in known and known[run_id].kind in PLACES:
            page, key = PLACES[known[run_id].kind]
            label = escape_markdown(title_of(known[run_id]))
            if st.button(label, key=f"rests-{entry.id}-{run_id}", icon=":material/arrow_forward:", type="tertiary"):
                state.open_page(page, **{key: run_id})
    if entry.replaced_by is None:
        if st.button("Amend", key=f"amend-{entry.id}", icon=":material/add_notes:", type="tertiary"):
            _write_decision(dataset, every, amends=decision)
        if st.button("Supersede", key=f"supersede-{entry.id}", icon=":material/sync_alt:", type="tertiary"):
            _write_decision(dataset, every, supersedes=decision)


def _place(entry: Entry) -> tuple[str, dict[str, Any]] | None:
    """The page that shows what came of a run; None of a decision, and of a run that cannot be read."""
    if entry.record is None or entry.record.unreadable:
        return None
    return links.place_of(loaders.store().open(entry.id), entry.record)


@guard.dialog("Decision")
def _write_decision(
    dataset: Dataset, every: list[Entry], amends: Decision | None = None, supersedes: Decision | None = None
) -> None:
    if decision_form(dataset, every, amends, supersedes):
        st.rerun()


def decision_form(
    dataset: Dataset, every: list[Entry], amends: Decision | None = None, supersedes: Decision | None = None
) -> bool:
    """Ask for a decision and its reason, and keep it. Returns whether it was kept."""
    earlier = amends or supersedes
    if earlier is not None:
        what = "Amends" if amends else "Supersedes"
        st.caption(f"{what}: {escape_markdown(earlier.text)}")
    text = st.text_area("What was decided", key="decision_text", height=80)
    reason = st.text_area("Because", key="decision_reason", height=80)
    titles = {entry.id: f"{title_of(entry)} · {format_time(entry.time)}" for entry in every if entry.record is not None}
    titles = widgets.unique_titles(dict(list(titles.items())[:MOST_RUNS]))
    runs = st.multiselect("Runs that it rests on", list(titles), format_func=titles.__getitem__, key="decision_runs")
    who = st.text_input("Who decided", value=deciding.user(), key="decision_who", max_chars=80)
    if not st.button("Keep the decision", type="primary", key="keep_decision"):
        return False
    with guard.explained():
        made = Decision(
            text.strip(),
            reason.strip(),
            runs=tuple(runs),
            who=who.strip(),
            amends=amends.id if amends else "",
            supersedes=supersedes.id if supersedes else "",
        )
        deciding.keep(loaders.store(), made, build(Data, loaders.data_of(dataset)))
        return True
    return False
