"""The sidebar of every page: which dataset, which of its runs."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

import streamlit as st

from moola_core.launch.local import ensure_workers
from moola_core.market.library import Dataset
from moola_core.runs.record import Record
from moola_core.runs.store import Run
from moola_core.ui import endings, frame, links, loaders, notices, owners, selecting, state
from moola_core.ui.places import MARK, display_path
from moola_core.ui.widgets import title_of, unique_titles

SELECTION = "selection"


@dataclass(frozen=True)
class Selection:
    """The selected dataset (None without data) and the selected run, whose data may be outside the data folder.

    all: every run of the store that trains; records: those of the dataset; newest first. unreadable: the runs of any kind whose
    record or spec cannot be read. listed: the runs of every kind, archived ones too.
    """

    dataset: Dataset | None
    all: tuple[Record, ...]
    records: tuple[Record, ...]
    record: Record | None
    unreadable: tuple[Record, ...] = ()
    listed: tuple[Record, ...] = ()

    @property
    def run(self) -> Run | None:
        """The selected run, opened."""
        return loaders.store().open(self.record.run_id) if self.record else None

    @property
    def home(self) -> Dataset | None:
        """The selected dataset if it is the selected run's; None for a run whose data is elsewhere."""
        if self.record is None or self.dataset is None or not owners.belongs(self.record, self.dataset):
            return None
        return self.dataset

    @property
    def judged(self) -> tuple[Record, ...]:
        """The cross-validated runs of the dataset, newest first, the arms of studies among them."""
        return tuple(record for record in self.records if record.kind == "finetune")

    @property
    def own(self) -> tuple[Record, ...]:
        """The cross-validated runs of the dataset that the user launched for themselves, newest first."""
        return tuple(record for record in self.judged if owners.of_the_user(record))

    @property
    def latest(self) -> Record | None:
        """The newest of the user's own cross-validated runs of the dataset."""
        return next((record for record in self.judged if owners.of_the_user(record)), None)

    @property
    def baseline(self) -> Record | None:
        """The newest pinned run of the dataset."""
        return next((record for record in self.judged if record.pinned), None)


def current() -> Selection:
    """What is selected in the sidebar; for a page's first line."""
    selection = st.session_state.pop(SELECTION, None)
    if selection is None:
        # Until st.navigation was called once in a server, Streamlit takes a link to a page for its old kind of pages/ folder
        # and runs the page without app.py. After this call it does not.
        # Without a page_icon of ours the menu would make the browser fetch the page's own from outside.
        st.set_page_config(page_icon=str(MARK))
        frame.navigation()
        st.rerun()
    return selection


def tab_title(page: str) -> str:
    """What the browser's tab is called: the page, and the run or else the dataset that is selected."""
    selection = st.session_state.get(SELECTION)
    about = ""
    if selection is not None and selection.record is not None:
        about = title_of(selection.record)
    elif selection is not None and selection.dataset is not None:
        about = selection.dataset.name
    return " · ".join(filter(None, [page, about, "moola"]))


def pick(page: str) -> links.Unanswered | None:
    """Draw both pickers in the sidebar; what is selected is then `current` and in the URL.

    page: the name of the page that is about to run. Returns why it cannot show what a link asks for, where it cannot.
    """
    ensure_workers(loaders.store_folder())
    moved = state.arrive(page)
    notices.begin(moved)
    datasets = {dataset.name: dataset for dataset in loaders.available_datasets()}
    unanswered = links.resolve(page, datasets, moved)
    with st.sidebar:
        dataset = _pick_dataset(datasets, unanswered is None or unanswered.key != state.DATASET)
        every = loaders.list_runs()
        state.init_switch(state.ARCHIVED)
        with_archived = bool(st.session_state[state.ARCHIVED])
        listed = [record for record in every if with_archived or not record.archived]
        everything = tuple(loaders.trained(listed))
        records = tuple(filter(owners.Owner(dataset).has, everything)) if dataset else ()
        record = _pick_run(records, unanswered is None)
        endings.watch(listed)
    unreadable = tuple(record for record in listed if record.unreadable)
    selection = Selection(dataset, everything, records, record, unreadable, tuple(every))
    if record is not None and selection.home is None:
        data = display_path(owners.trained_on(record))
        notices.show(f"The data of this run, {data}, is not in the data folder, so its windows cannot be drawn.")
    elif record is not None and selection.home is not None:
        owners.settle(record, selection.home)
        if owners.has_changed(record, selection.home):
            notices.show(
                "The windows in this file have changed since the run: it was trained on others under the same name."
            )
    state.write_query_params(state.CARRIED)
    if unanswered is None:
        st.session_state[SELECTION] = selection
    return unanswered


def _nothing(title: str, why: str) -> None:
    """In the place of a box without anything to choose, whose title would be too pale to read."""
    st.markdown(f"{title}: {why}.")


def _pick_dataset(datasets: dict[str, Dataset], known: bool) -> Dataset | None:
    if not datasets:
        _nothing("Dataset", "no data yet")
        return None
    if known and st.session_state.get(state.DATASET) not in datasets:
        selecting.put(state.DATASET, next(iter(datasets)))
    selecting.select(
        "Dataset", state.DATASET, {name: name for name in datasets}, links.forget_run, placeholder="Choose a dataset"
    )
    return datasets.get(st.session_state.get(state.DATASET, ""))


def _pick_run(records: tuple[Record, ...], answered: bool) -> Record | None:
    by_id = {record.run_id: record for record in records}
    selected = st.session_state.get(state.RUN)
    if answered and selected and selected not in by_id:  # an archived run, or one whose data is not in the data folder
        by_id = {selected: loaders.store().open(selected).record} | by_id
    if not by_id:
        _nothing("Run", "no run yet")
        return None
    if answered and not selected:
        selecting.put(state.RUN, _newest(records).run_id)
    lines = unique_titles({key: _line(record) for key, record in by_id.items()})
    selecting.select("Run", state.RUN, lines, lambda: links.forget(state.ROW), placeholder="Choose a run")
    return by_id.get(st.session_state.get(state.RUN, "")) if answered else None


def _newest(records: tuple[Record, ...]) -> Record:
    """The newest finished run that the user launched; without one the newest finished, or the newest of all.

    One that was fine-tuned goes before a pre-training, of which most pages have nothing to show.
    """
    done = [record for record in records if record.state == "done"]
    own = [record for record in done if owners.of_the_user(record)]
    return next(chain((record for record in own if record.kind == "finetune"), own, done, records))


def _line(record: Record) -> str:
    pin = "★ " if record.pinned else ""
    return f"{pin}{title_of(record)}" + ("" if record.state == "done" else f" · {record.state}")
