"""Which dataset a run belongs to: the one with the windows that it was trained on, or the bars that it was pre-trained on, wherever they
lie now."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path

import streamlit as st

from moola_core.errors import MoolaError, SpecError
from moola_core.market.library import Dataset
from moola_core.runs.families import Family
from moola_core.runs.places import data_of, real_path, same_file
from moola_core.runs.record import Record
from moola_core.runs.store import Run
from moola_core.ui import loaders
from moola_core.ui.places import display_path


class Owner:
    """A dataset that is asked of many runs whether they belong to it: what its files hold is looked up once."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def has(self, record: Record) -> bool:
        """As `belongs`."""
        is_of_bars = record.kind == "pretrain"
        ours, theirs = self.dataset.bars if is_of_bars else self.dataset.windows, trained_on(record)
        if ours is None:
            return False
        if same_file(theirs, str(ours)):
            return True
        content = record.data_hashes.get("bars" if is_of_bars else "windows")
        return bool(content) and (content == self._bars if is_of_bars else content in self._windows)

    @cached_property
    def _bars(self) -> str | None:
        return loaders.content_of_bars(self.dataset.bars) if self.dataset.bars else None

    @cached_property
    def _windows(self) -> frozenset[str]:
        return loaders.content_of_windows(self.dataset)


def belongs(record: Record, dataset: Dataset) -> bool:
    """Whether the run was trained on the windows of the dataset, or pre-trained on its bars: that file, or one of the same content."""
    return Owner(dataset).has(record)


def has_changed(record: Record, dataset: Dataset) -> bool:
    """Whether the windows in the file are no longer those that the run was trained on, although the file is the same."""
    content = loaders.content_of_windows(dataset)
    ours = record.data_hashes.get("windows")
    return record.kind == "finetune" and bool(ours) and bool(content) and not record.active and ours not in content


def settle(record: Record, dataset: Dataset, bars: str = "") -> None:
    """Let a run whose file has moved name the place where it lies now, so that what is asked of it is computed from there.

    bars: the content of its bars, where its own record does not say it, as that of a study.
    """
    run, named = loaders.store().open(record.run_id), record.data
    bars = bars or record.data_hashes.get("bars", "")
    gone = {kind: path for kind, path in named.items() if not _is_there(path)}
    places = {}
    if "windows" in gone and dataset.windows:
        places[gone["windows"]] = str(dataset.windows.resolve())
    if "bars" in gone and dataset.bars and bars == loaders.content_of_bars(dataset.bars):
        places[gone["bars"]] = str(dataset.bars.resolve())
    if places and not record.active:
        with suppress(MoolaError):  # a store that cannot be written is read all the same
            run.write_places(places)


def settle_part(part: Run, run: Run) -> None:
    """As `settle`, for what was predicted with the models of a run that has settled: files that both name lie in one place."""
    known, own = run.places, part.places
    places = {path: known[path] for path in part.record.data.values() if path in known and path not in own}
    if places and not part.record.active:
        with suppress(MoolaError):
            part.write_places(places)


def _is_there(path: str) -> bool:
    """Whether the file is there and may be read: a copied store names files that only its old place allows."""
    try:
        loaders.allowed(path)
    except SpecError:
        return False
    return Path(path).exists()


def datasets_of(records: Sequence[Record]) -> dict[str, str]:
    """The names of the datasets on which runs were trained, by run id; without those whose file is not in the data folder."""
    files: dict[tuple[bool, str], str] = {}
    for dataset in loaders.available_datasets():
        for bars, file in ((False, dataset.windows), (True, dataset.bars)):
            if file is not None:
                files.setdefault((bars, real_path(str(file))), dataset.name)
    names, every = {}, [Owner(dataset) for dataset in loaders.available_datasets()]
    for record in records:
        source = trained_on(record)
        name = files.get((record.kind == "pretrain", real_path(source))) if source else None
        if name is None and record.data_hashes:
            name = next((one.dataset.name for one in every if one.has(record)), None)
        if name:
            names[record.run_id] = name
    return names


def of_families(families: Sequence[Family]) -> dict[str, str]:
    """As `datasets_of`, for runs with their parts: a study itself does not say what its windows held, its arms do."""
    names = datasets_of([family.whole for family in families])
    unnamed = [family for family in families if family.whole.run_id not in names]
    # Arms and diagnostics are of the windows; the parts that are pre-trained are of the bars, which others share.
    of_windows = {
        family.whole.run_id: [part.record for part in family.parts if part.record.kind != "pretrain"]
        for family in unnamed
    }
    known = datasets_of([record for records in of_windows.values() for record in records])
    for run_id, records in of_windows.items():
        name = next((known[record.run_id] for record in records if record.run_id in known), None)
        if name is not None:
            names[run_id] = name
    return names


def settle_family(family: Family) -> None:
    """As `settle`, for a run whose data is known by its parts."""
    whole = family.whole
    if whole.data_hashes or not whole.data or all(map(_is_there, whole.data.values())):
        return
    name = of_families([family]).get(whole.run_id)
    dataset = next((one for one in loaders.available_datasets() if one.name == name), None)
    bars = next((one.data_hashes["bars"] for one in family.records if "bars" in one.data_hashes), "")
    if dataset is not None:
        settle(whole, dataset, bars)


def place_of(record: Record) -> str:
    """The file that the run was trained on, where it is in no dataset; and that it is gone, if it is."""
    source = trained_on(record)
    return f"{display_path(source)} (not there)" if source and not Path(source).exists() else source


def trained_on(record: Record) -> str:
    """The file of windows that the run was trained on, or of bars that it was pre-trained on; empty without."""
    data = record.data or _data_of(record.run_id, str(loaders.store_folder().resolve()))
    return data.get("bars" if record.kind == "pretrain" else "windows", "")


def of_the_user(record: Record) -> bool:
    """Whether the user launched the run for itself: no part of a study or plan, and no constant to compare with."""
    return record.parent is None and not _constant(record.run_id, str(loaders.store_folder().resolve()))


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
