"""Which dataset a run belongs to: the one with the windows that it was trained on, or the bars that it was pre-trained on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache

import streamlit as st

from moola_core.errors import MoolaError
from moola_core.market.library import Dataset
from moola_core.runs.places import data_of
from moola_core.runs.record import Record
from moola_core.ui import loaders


def belongs(record: Record, dataset: Dataset) -> bool:
    """Whether the run was trained on the windows of the dataset, or pre-trained on its bars."""
    ours, theirs = dataset.bars if record.kind == "pretrain" else dataset.windows, trained_on(record)
    return bool(theirs) and ours is not None and same_file(theirs, str(ours))


def same_file(path: str, other: str) -> bool:
    """Whether both paths lead to one file, through links or not."""
    return _real(path) == _real(other)


def datasets_of(records: Sequence[Record]) -> dict[str, str]:
    """The names of the datasets on which runs were trained, by run id; without those whose file is not in the data folder."""
    files: dict[tuple[bool, str], str] = {}
    for dataset in loaders.available_datasets():
        for bars, path in ((False, dataset.windows), (True, dataset.bars)):
            if path is not None:
                files.setdefault((bars, _real(str(path))), dataset.name)
    sources = {record.run_id: (record.kind == "pretrain", trained_on(record)) for record in records}
    names = {run_id: files.get((bars, _real(path))) for run_id, (bars, path) in sources.items() if path}
    return {run_id: name for run_id, name in names.items() if name}


def trained_on(record: Record) -> str:
    """The file of windows that the run was trained on, or of bars that it was pre-trained on; empty without."""
    data = record.data or _data_of(record.run_id, str(loaders.store_folder().resolve()))
    return data.get("bars" if record.kind == "pretrain" else "windows", "")


def of_the_user(record: Record) -> bool:
    """Whether the user launched the run for itself: no part of a study or plan, and no constant to compare with."""
    return record.parent is None and not _constant(record.run_id, str(loaders.store_folder().resolve()))


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


# A spec never changes, and every page asks.
@st.cache_data(max_entries=5000, show_spinner=False)
def _constant(run_id: str, folder: str) -> bool:
    """Whether the run always predicts the most frequent class; not if its spec cannot be read."""
    try:
        return getattr(loaders.store().open(run_id).spec, "estimator", "network") == "majority"
    except MoolaError:
        return False
