"""The table of runs; choosing a row selects that run everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pandas as pd
import streamlit as st

from moola_core.runs.record import Record
from moola_core.sections.formatting import KIND_TITLES, duration
from moola_core.ui import doctor_sections, guard, loaders, owners, selecting, state


def runs_table(records: Sequence[Record]) -> None:
    """One row a run, newest first."""
    names = owners.datasets_of(records)
    # A choice is sent as a row's number: one made in an older table must not be read in a newer one.
    table = f"runs_table_{len(records)}_{records[0].run_id}"
    st.dataframe(
        pd.DataFrame([_row(record, names.get(record.run_id) or owners.trained_on(record)) for record in records]),
        key=table,
        placeholder="",
        hide_index=True,
        on_select=guard.callback(lambda: _select_run(table, records)),
        selection_mode="single-row",
        height=min(38 + 35 * len(records), 318),
        column_config={
            "made": st.column_config.DatetimeColumn("Made", format="D MMM HH:mm", width="small"),
            "f1": st.column_config.NumberColumn("Macro F1", format="%.3f", width="small"),
            "pinned": st.column_config.TextColumn("", width=20),
            "state": st.column_config.TextColumn("State", width="small"),
            "name": "Name",
            "kind": st.column_config.TextColumn("Kind", width="small"),
            "preset": st.column_config.TextColumn("Preset", width="small"),
            "model": st.column_config.TextColumn("Model", width="small"),
            "dataset": "Dataset",
            "doctor": st.column_config.TextColumn("Doctor", width="small"),
            "took": st.column_config.TextColumn("Took", width="small"),
            "tags": st.column_config.ListColumn("Tags"),
            "note": "Note",
        },
    )


def _row(record: Record, dataset: str) -> dict[str, object]:
    return {
        "pinned": "★" if record.pinned else "",
        "state": record.state + "".join(f" ({name})" for name in ("archived", "unreadable") if getattr(record, name)),
        "name": record.name or record.run_id,
        "kind": KIND_TITLES.get(record.kind, record.kind),
        "preset": record.preset,
        "model": record.model.replace("_", " "),
        "f1": loaders.f1_macro(record) if record.kind == "finetune" else None,
        "doctor": doctor_sections.badge_of(record),
        "dataset": dataset,
        "made": datetime.fromisoformat(str(record.created)).astimezone().replace(tzinfo=None),
        "took": duration(record.seconds) if record.seconds else "",
        "tags": list(record.tags),
        "note": record.note,
    }


def _select_run(table: str, records: Sequence[Record]) -> None:
    rows = st.session_state[table]["selection"]["rows"]
    if not rows:
        return
    selecting.put(state.RUN, records[rows[0]].run_id)
