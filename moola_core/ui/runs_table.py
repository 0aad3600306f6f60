"""The table of runs, a row for each with its parts folded under it; choosing a row shows that run, and selects one that trains everywhere."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pandas as pd
import streamlit as st

from moola_core.errors import MoolaError
from moola_core.runs.families import Family
from moola_core.runs.record import Record
from moola_core.sections.formatting import duration
from moola_core.sections.timeline import TITLES
from moola_core.specs import settings
from moola_core.ui import doctor_sections, guard, loaders, owners, runs_filters, selecting, state

COMPARED_SETTINGS = 200  # runs whose settings are compared: each spec has to be read
HEIGHT = 318
COLUMNS: dict[str, Any] = {
    "made": st.column_config.DatetimeColumn("Made", format="D MMM HH:mm", width=104),
    "f1": st.column_config.NumberColumn("Macro F1", format="%.3f", width="small"),
    "pinned": st.column_config.TextColumn("", width=20),
    "state": st.column_config.TextColumn("State", width="small"),
    "name": "Name",
    "kind": st.column_config.TextColumn("Kind", width="small"),
    "parts": st.column_config.NumberColumn("Parts", width=50, help="Arms, rounds, diagnostics and predictions."),
    "preset": st.column_config.TextColumn("Preset", width="small"),
    "model": st.column_config.TextColumn("Model", width="small"),
    "dataset": "Dataset",
    "doctor": st.column_config.TextColumn("Doctor", width="small"),
    "took": st.column_config.TextColumn("Took", width="small"),
    "tags": st.column_config.ListColumn("Tags"),
    "note": "Note",
}


def runs_table(families: Sequence[Family], shown: str) -> None:
    """One row a family, newest first. shown: the id of the run that the page shows."""
    at = next((i for i, family in enumerate(families) if any(one.run_id == shown for one in family.records)), None)
    counts = [len(family.parts) for family in families]
    wholes = [family.whole for family in families]
    _table("runs_table", wholes, {"parts": [count or None for count in counts]}, at, owners.of_families(families))


def parts_table(family: Family, shown: str) -> None:
    """One row a part, each behind what it is part of."""
    records = [part.record for part in family.parts]
    indents = {part.record.run_id: "  " * (part.depth - 1) for part in family.parts}
    names = [f"{indents[record.run_id]}{_name(record)}" for record in records]
    at = next((i for i, record in enumerate(records) if record.run_id == shown), None)
    _table("parts_table", records, {"name": names}, at, owners.datasets_of(records))


def show_run(record: Record) -> None:
    """Show the run on this page; one that trains is then selected on every page."""
    selecting.put(state.ROW, record.run_id)
    if record.kind in loaders.TRAINED:
        selecting.put(state.RUN, record.run_id)


def _table(
    name: str, records: list[Record], columns: dict[str, list[Any]], at: int | None, datasets: dict[str, str]
) -> None:
    """datasets: names by the id of the run; of others the file is shown."""
    rows = [_row(record, datasets.get(record.run_id) or owners.place_of(record)) for record in records]
    table = pd.DataFrame(rows, columns=[*COLUMNS]).assign(**columns)
    for title, values in (_measured(records) | _differing(records)).items():
        table[title] = values
    unused = [column for column in ("parts", "pinned", "doctor", "tags", "note") if not _any(table[column])]
    # A choice is sent as a row's number: one made in an older table must not be read in a newer one.
    key = f"{name}_{zlib.crc32(' '.join(record.run_id for record in records).encode()):x}"
    st.dataframe(
        table.drop(columns=unused),
        key=key,
        placeholder="",
        hide_index=True,
        on_select=guard.callback(lambda: _chosen_row(key, records)),
        selection_mode="single-row",
        selection_default=None if at is None else {"selection": {"rows": [at], "columns": [], "cells": []}},
        height=min(38 + 35 * len(records), HEIGHT),
        column_config={column: config for column, config in COLUMNS.items() if column not in unused},
    )


def _any(values: pd.Series) -> bool:
    return any(not pd.isna(value) and value != "" if not isinstance(value, list) else value for value in values)


def _row(record: Record, dataset: str) -> dict[str, object]:
    return {
        "pinned": "★" if record.pinned else "",
        "state": record.state + "".join(f" ({name})" for name in ("archived", "unreadable") if getattr(record, name)),
        "name": _name(record),
        "kind": TITLES.get(record.kind, record.kind).lower(),
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


def _name(record: Record) -> str:
    """Its name; of a diagnostic without one, which it is."""
    if record.kind == "diagnose" and not record.name and not record.unreadable:
        return _settings_of(record.run_id).get("name", record.run_id)
    return record.name or record.run_id


def _measured(records: Sequence[Record]) -> dict[str, list[float | None]]:
    """A column for each selected metric."""
    selected = st.session_state.get(state.COLUMNS, [])
    rows = [runs_filters.means(record, selected) for record in records]
    return {title: [row.get(title) for row in rows] for title in dict.fromkeys(title for row in rows for title in row)}


def _differing(records: Sequence[Record]) -> dict[str, list[str]]:
    """A column for each setting in which the newest runs that train differ; none unless they were asked for."""
    if not st.session_state.get(state.DIFFERENT):
        return {}
    trained = [record.run_id for record in records if record.kind in loaders.TRAINED and not record.unreadable]
    compared = trained[:COMPARED_SETTINGS]
    if len(trained) > len(compared):
        st.caption(f"The settings of the newest {len(compared)} of these runs are compared.")
    values = {run_id: _settings_of(run_id) for run_id in compared}
    names = dict.fromkeys(name for own in values.values() for name in own)
    differing = [name for name in names if len({own.get(name) for own in values.values() if name in own}) > 1]
    return {name: [values.get(record.run_id, {}).get(name, "") for record in records] for name in differing}


def _settings_of(run_id: str) -> dict[str, str]:
    """The settings of a run as texts; without its files and its preset, which have columns of their own."""
    if run_id not in _settings:
        try:
            known = settings(loaders.store().open(run_id).spec)
        except MoolaError:  # deleted meanwhile
            return {}
        _settings[run_id] = {
            name: str(value)
            for name, value in known.items()
            if not name.startswith("data.") and name not in ("kind", "preset")
        }
    return _settings[run_id]


# A spec never changes.
_settings: dict[str, dict[str, str]] = {}


def _chosen_row(table: str, records: Sequence[Record]) -> None:
    rows = st.session_state[table]["selection"]["rows"]
    if rows and rows[0] < len(records):
        show_run(records[rows[0]])
