"""The sidebar of every page: which dataset, which of its runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from moola_core.market.library import Dataset
from moola_core.runs.record import Record
from moola_core.runs.store import Run
from moola_core.ui import frame, loaders, state
from moola_core.ui.places import MARK
from moola_core.ui.widgets import STATES, distinct, title_of

PICKED = "picked"


@dataclass(frozen=True)
class Picked:
    """The chosen dataset (None without data), its runs newest first, and the chosen run (None without runs)."""

    dataset: Dataset | None
    records: tuple[Record, ...]
    record: Record | None

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
    state.arrive()
    with st.sidebar:
        dataset = _pick_dataset()
        records = tuple(record for record in loaders.records(shows_archived()) if dataset and belongs(record, dataset))
        record = _pick_run(records)
        _active(records)
    state.publish((state.DATASET, state.RUN))
    st.session_state[PICKED] = Picked(dataset, records, record)


def belongs(record: Record, dataset: Dataset) -> bool:
    """Whether the run was trained on the windows of the dataset, or pre-trained on its bars."""
    windows, bars = data_paths(record.run_id)
    ours, theirs = (dataset.bars, bars) if record.kind == "pretrain" else (dataset.windows, windows)
    return bool(theirs) and ours is not None and Path(theirs).resolve() == ours.resolve()


def dataset_of(run_id: str) -> str | None:
    """The name of the dataset on which the run was trained; None when its file is not in the data folder."""
    record = loaders.store().open(run_id).record
    return next((dataset.name for dataset in loaders.found_datasets() if belongs(record, dataset)), None)


@st.cache_data(max_entries=5000, show_spinner=False)
def _data_paths(run_id: str, folder: str) -> tuple[str, str]:
    data = loaders.store().open(run_id).spec.data
    return data.windows, data.bars or ""


def data_paths(run_id: str) -> tuple[str, str]:
    """The files of windows and bars that the run's spec names; a spec never changes, so it is read once."""
    return _data_paths(run_id, str(loaders.store_folder().resolve()))


def shows_archived() -> bool:
    """Whether the Runs page was asked to show archived runs too."""
    return bool(st.session_state.get(state.ARCHIVED, False))


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
