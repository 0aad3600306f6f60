"""The sidebar of every page: which dataset, which of its runs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import streamlit as st

from moola_core.errors import MoolaError
from moola_core.launch.local import look_after
from moola_core.market.library import Dataset
from moola_core.runs.places import data_of
from moola_core.runs.record import Record
from moola_core.runs.store import Run
from moola_core.ui import frame, loaders, state
from moola_core.ui.places import MARK
from moola_core.ui.widgets import STATES, distinct, title_of

PICKED = "picked"


@dataclass(frozen=True)
class Picked:
    """The chosen dataset (None without data), every run of the store and those of the dataset, newest first, and the chosen run.

    unreadable: the runs of any kind whose record or spec cannot be read.
    """

    dataset: Dataset | None
    all: tuple[Record, ...]
    records: tuple[Record, ...]
    record: Record | None
    unreadable: tuple[Record, ...] = ()

    @property
    def run(self) -> Run | None:
        """The chosen run, opened."""
        return loaders.store().open(self.record.run_id) if self.record else None

    @property
    def judged(self) -> tuple[Record, ...]:
        """The cross-validated runs of the dataset, newest first."""
        return tuple(record for record in self.records if record.kind == "finetune")

    @property
    def latest(self) -> Record | None:
        """The newest cross-validated run of the dataset."""
        return self.judged[0] if self.judged else None

    @property
    def baseline(self) -> Record | None:
        """The newest pinned run of the dataset."""
        return next((record for record in self.judged if record.pinned), None)


def current() -> Picked:
    """What is chosen in the sidebar; for a page's first line."""
    picked = st.session_state.pop(PICKED, None)
    if picked is None:
        # Until st.navigation was called once in a server, Streamlit takes a link to a page for its old kind of pages/ folder
        # and runs the page without app.py. After this call it does not.
        # Without a page_icon of ours the menu would make the browser fetch the page's own from outside.
        st.set_page_config(page_icon=str(MARK))
        frame.navigation()
        st.rerun()
    return picked


def pick() -> None:
    """Draw both pickers in the sidebar; what is chosen is then `current` and in the URL."""
    look_after(loaders.store_folder())
    state.arrive()
    with st.sidebar:
        dataset = _pick_dataset()
        listed = loaders.store().runs(include_archived=bool(st.session_state.get(state.ARCHIVED, False)))
        everything = tuple(loaders.trained(listed))
        records = tuple(record for record in everything if dataset and belongs(record, dataset))
        record = _pick_run(records)
        _active(records)
    state.publish((state.DATASET, state.RUN))
    unreadable = tuple(record for record in listed if record.unreadable)
    st.session_state[PICKED] = Picked(dataset, everything, records, record, unreadable)


def belongs(record: Record, dataset: Dataset) -> bool:
    """Whether the run was trained on the windows of the dataset, or pre-trained on its bars."""
    ours, theirs = dataset.bars if record.kind == "pretrain" else dataset.windows, trained_on(record)
    return bool(theirs) and ours is not None and _real(theirs) == _real(str(ours))


def datasets_of(records: Sequence[Record]) -> dict[str, str]:
    """The names of the datasets on which runs were trained, by run id; without those whose file is not in the data folder."""
    files: dict[tuple[bool, str], str] = {}
    for dataset in loaders.found_datasets():
        for bars, path in ((False, dataset.windows), (True, dataset.bars)):
            if path is not None:
                files.setdefault((bars, _real(str(path))), dataset.name)
    sources = {record.run_id: (record.kind == "pretrain", trained_on(record)) for record in records}
    found = {run_id: files.get((bars, _real(path))) for run_id, (bars, path) in sources.items() if path}
    return {run_id: name for run_id, name in found.items() if name}


def trained_on(record: Record) -> str:
    """The file of windows that the run was trained on, or of bars that it was pre-trained on; empty without."""
    data = record.data or _data_of(record.run_id, str(loaders.store_folder().resolve()))
    return data.get("bars" if record.kind == "pretrain" else "windows", "")


@lru_cache(maxsize=1024)
def _real(path: str) -> str:
    """The path with its links followed; runs share few, and asking the disk for each would be slow."""
    return os.path.realpath(path)


@st.cache_data(max_entries=5000, show_spinner=False)
def _data_of(run_id: str, folder: str) -> dict[str, str]:
    """The files of a run whose record is of an older version and does not name them; none if its spec cannot be read."""
    try:
        return data_of(loaders.store().open(run_id).spec.model_dump(mode="json"))
    except MoolaError:
        return {}


def _pick_dataset() -> Dataset | None:
    found = {dataset.name: dataset for dataset in loaders.found_datasets()}
    if not found:
        st.selectbox("Dataset", [], index=None, placeholder="No data yet", disabled=True, key="no_dataset")
        return None
    state.choose(state.DATASET, list(found), next(iter(found)))
    name = st.selectbox("Dataset", list(found), key=state.DATASET)
    return found[name]


def _pick_run(records: tuple[Record, ...]) -> Record | None:
    by_id = {record.run_id: record for record in records}
    if not by_id:
        st.selectbox("Run", [], index=None, placeholder="No run yet", disabled=True, key="no_run")
        return None
    newest = next((record.run_id for record in records if record.state == "done"), records[0].run_id)
    state.choose(state.RUN, list(by_id), newest)
    lines = distinct({key: _line(record) for key, record in by_id.items()})
    chosen = st.selectbox("Run", list(by_id), key=state.RUN, format_func=lines.__getitem__)
    return by_id[chosen]


def _line(record: Record) -> str:
    pin = "★ " if record.pinned else ""
    return f"{pin}{title_of(record)}" + ("" if record.state == "done" else f" · {record.state}")


def _active(records: tuple[Record, ...]) -> None:
    count = sum(record.active for record in records)
    if count:
        icon = STATES["running"][1]
        st.caption(f":blue[:material/{icon}: {count} run{'s' if count > 1 else ''} active]")
