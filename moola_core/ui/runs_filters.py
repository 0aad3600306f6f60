"""What the table of runs shows: which runs by state, kind, tag and text, and which metrics and settings of them."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from moola_core.metrics import METRICS
from moola_core.runs.families import Family, families
from moola_core.runs.record import STATES, UNKNOWN, Record
from moola_core.sections.timeline import TITLES
from moola_core.ui import loaders, state

FILTER_PIXELS = 172
OF_TABLE = (state.FIND, state.STATES, state.KINDS, state.TAGS, state.COLUMNS, state.DIFFERENT)
ALWAYS = "f1_macro"  # a column of its own


def grouped(records: Sequence[Record]) -> list[Family]:
    """The runs with their parts; archived ones where they are to be shown."""
    with_archived = bool(st.session_state.get(state.ARCHIVED, False))
    every = families(record for record in records if record.kind != UNKNOWN)
    if with_archived:
        return every
    return [
        Family(family.whole, tuple(part for part in family.parts if not part.record.archived))
        for family in every
        if not family.whole.archived
    ]


def filtered(every: Sequence[Family]) -> list[Family]:
    """Draw the filters and give the families with a run that passes all of them."""
    records = [record for family in every for record in family.records]
    kinds = {record.kind for record in records}
    tags = sorted({tag for record in records for tag in record.tags})
    options = {
        state.STATES: [name for name in STATES if any(record.state == name for record in records)],
        state.KINDS: [*[name for name in TITLES if name in kinds], *sorted(kinds - TITLES.keys())],
        state.TAGS: tags,
        state.COLUMNS: metrics(),
    }
    for key, known in options.items():
        state.choose_several(key, known)
    state.init_text(state.FIND)
    state.init_switch(state.DIFFERENT)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input("Find", key=state.FIND, placeholder="name, note, tag, id", width=220, live="300ms")
        for title, key in (("State", state.STATES), ("Kind", state.KINDS), ("Tags", state.TAGS)):
            _several(title, key, options[key])
        _several("Metrics", state.COLUMNS, options[state.COLUMNS])
        st.toggle(
            "Settings that differ",
            key=state.DIFFERENT,
            persist_state="session",
            help="A column for each setting that is not the same in all of these runs.",
        )
    state.write_query_params(OF_TABLE)
    wanted = _Filter()
    return [family for family in every if any(map(wanted.passes, family.records))]


def metrics() -> list[str]:
    """The metrics that may be columns: those with one number a run."""
    return [name for name, metric in METRICS.items() if metric.shown and not metric.by_class and name != ALWAYS]


def _several(title: str, key: str, options: list[str]) -> None:
    st.multiselect(
        title,
        options,
        key=key,
        format_func=_title,
        placeholder="all" if key != state.COLUMNS else "Macro F1 alone",
        persist_state="session",
        width=FILTER_PIXELS,
    )


def _title(name: str) -> str:
    metric = METRICS.get(name)
    return (metric.short or metric.title) if metric else TITLES.get(name, name)


class _Filter:
    """What was asked for, read once: a table of thousands of runs asks it of each."""

    def __init__(self) -> None:
        self.words = st.session_state[state.FIND].casefold().split()
        self.states, self.kinds, self.tags = (
            frozenset(st.session_state[key]) for key in (state.STATES, state.KINDS, state.TAGS)
        )
        self.is_open = not (self.words or self.states or self.kinds or self.tags)

    def passes(self, record: Record) -> bool:
        if self.is_open:
            return True
        if (self.states and record.state not in self.states) or (self.kinds and record.kind not in self.kinds):
            return False
        if self.tags and self.tags.isdisjoint(record.tags):
            return False
        texts = (record.name, record.note, record.run_id, record.preset, record.model.replace("_", " "), *record.tags)
        text = " ".join(texts).casefold()
        return all(word in text for word in self.words)


def means(record: Record, selected: Sequence[str]) -> dict[str, float | None]:
    """The selected metrics of a run, by title; empty where it was not evaluated."""
    if not selected or record.kind != "finetune" or record.state != "done":
        return {}
    known = loaders.means(record.run_id)
    return {_title(name): known.get(name) for name in selected}
