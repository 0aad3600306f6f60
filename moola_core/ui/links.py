"""What a link or a button asks for: which dataset belongs to its run or study, or why it cannot be shown and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from moola_core.errors import MoolaError
from moola_core.market.library import Dataset
from moola_core.runs.places import same_file
from moola_core.runs.record import Record
from moola_core.runs.store import Run
from moola_core.ui import loaders, notices, owners, selecting, state
from moola_core.ui.markup import escape_markdown
from moola_core.ui.places import data_folder, display_path

COMPARED = {
    "study": "a study",
    "plan": "a plan of studies",
    "search": "a search over settings",
    "compare": "a comparison of runs",
}
FAILED = "unanswered"
NEAR = 0.75  # similarity of two ids from which one may be a slip of the pen for the other
PAGE_TITLES = {"results": "Performance"}  # where a page is not called as its file is
Actions = tuple[tuple[str, Callable[[], object]], ...]


@dataclass(frozen=True)
class Unanswered:
    """Why what was asked for under `key` is not shown, what to do, and the buttons that do it."""

    key: str
    title: str
    body: str
    actions: Actions


def resolve(page: str, datasets: dict[str, Dataset], moved: bool) -> Unanswered | None:
    """Choose the dataset of the run that is asked for, or on Compare of the study; or say why that is impossible.

    moved: whether the page is another one than before. What could not be shown there is then forgotten.
    """
    asked = state.asked(state.DATASET) if state.DATASET not in st.session_state else ""
    failed, value = st.session_state.get(FAILED) or ("", "")
    if moved and failed and st.session_state.get(failed) == value:
        forget(failed)
    unanswered = _resolve(page, datasets)
    st.session_state[FAILED] = (unanswered.key, st.session_state[unanswered.key]) if unanswered else None
    selected = st.session_state.get(state.DATASET)
    if not unanswered and asked and selected and asked != selected:
        notices.add(
            state.DATASET, f"The link names the dataset {asked}, but its run belongs to {selected}, which is shown."
        )
    return unanswered


def forget_run() -> None:
    """Let the default run be selected, and the newest study; for a button, and when another dataset is selected."""
    for key in (state.RUN, state.STUDY, state.INVESTIGATION):
        forget(key)


def forget(key: str) -> None:
    """Let the default of `key` be selected. The key stays, empty, so that the URL is not asked for it again."""
    selecting.put(key, "")


def _resolve(page: str, datasets: dict[str, Dataset]) -> Unanswered | None:
    name, run_id = state.remember(state.DATASET), state.remember(state.RUN)
    study_id = state.remember(state.STUDY) or _study_named_as_run(run_id) if page == "compare" else ""
    if study_id:
        return _study(study_id, datasets)
    investigation_id = state.remember(state.INVESTIGATION) if page == "investigate" else ""
    if investigation_id:
        return _investigation(investigation_id, datasets)
    if page == "runs" and (row := state.remember(state.ROW)):
        opened = _opened(row, "run", state.ROW)
        if isinstance(opened, Unanswered):
            return opened
    if run_id:
        return _run(run_id, datasets, page)
    if name and datasets and name not in datasets:
        return Unanswered(
            state.DATASET,
            f"There is no dataset {escape_markdown(name)}",
            f"No file under `{display_path(data_folder())}` has this name. Put it back, or choose another dataset in the sidebar.",
            (("Show another dataset", lambda: _again(state.DATASET)),),
        )
    return None


def _study_named_as_run(run_id: str | None) -> str:
    """The study that a link names under `run`, which becomes the one that is shown; empty where it names none."""
    if not run_id:
        return ""
    opened = _opened(run_id, "run", state.RUN)
    if isinstance(opened, Unanswered) or opened[1].kind not in COMPARED:
        return ""
    selecting.put(state.STUDY, run_id)
    forget(state.RUN)
    return run_id


def _run(run_id: str, datasets: dict[str, Dataset], page: str) -> Unanswered | None:
    opened = _opened(run_id, "run", state.RUN)
    if isinstance(opened, Unanswered):
        return opened
    run, record = opened
    if record.kind not in loaders.TRAINED and page == "runs":
        selecting.put(state.ROW, run_id)
        forget(state.RUN)
        return None
    if record.kind not in loaders.TRAINED:
        return _elsewhere(run, record)
    dataset = datasets.get(st.session_state.get(state.DATASET, ""))
    if dataset is None or not owners.belongs(record, dataset):
        owner = owners.datasets_of([record]).get(run_id)
        if owner is not None:
            selecting.put(state.DATASET, owner)
            forget(state.STUDY)
        elif dataset is None:
            forget(state.DATASET)
    return None


def _study(study_id: str, datasets: dict[str, Dataset]) -> Unanswered | None:
    opened = _opened(study_id, "study", state.STUDY)
    if isinstance(opened, Unanswered):
        return opened
    if opened[1].kind not in COMPARED:
        return Unanswered(
            state.STUDY,
            f"Run {study_id} is not a study",
            "Compare shows studies, plans and comparisons of runs.",
            (
                ("Open it on Performance", lambda: state.open_page("results", run=study_id, study=None)),
                ("Show the newest study", lambda: _again(state.STUDY)),
            ),
        )
    if _owned(study_id, datasets, loaders.comparisons):
        return None
    return Unanswered(
        state.STUDY,
        f"The windows of study {study_id} are not in the data folder",
        f"Put the file back under `{display_path(data_folder())}`, or choose another study.",
        (("Show the newest study", lambda: _again(state.STUDY)),),
    )


def _investigation(run_id: str, datasets: dict[str, Dataset]) -> Unanswered | None:
    opened = _opened(run_id, "investigation", state.INVESTIGATION)
    if isinstance(opened, Unanswered):
        return opened
    if _owned(run_id, datasets, loaders.investigations):
        return None
    again: Actions = (("Show the newest investigation", lambda: _again(state.INVESTIGATION)),)
    if opened[1].kind != "investigation":
        return Unanswered(
            state.INVESTIGATION,
            f"Run {run_id} is not an investigation",
            f"It is of another kind: {escape_markdown(opened[1].kind)}.",
            again,
        )
    return Unanswered(
        state.INVESTIGATION,
        f"The windows of investigation {run_id} are not in the data folder",
        f"Put the file back under `{display_path(data_folder())}`, or choose another investigation.",
        again,
    )


def _owned(run_id: str, datasets: dict[str, Dataset], runs_of: Callable[[Dataset], list[Run]]) -> bool:
    """Whether a dataset has the run, which is then selected; the one that is selected now goes first."""
    selected = st.session_state.get(state.DATASET, "")
    first = {selected: datasets[selected]} if selected in datasets else {}
    for name, dataset in (first | datasets).items():
        if any(run.id == run_id for run in runs_of(dataset)):
            selecting.put(state.DATASET, name)
            _keep_run_of(dataset)
            return True
    return False


def _keep_run_of(dataset: Dataset) -> None:
    """Forget the selected run unless it is the dataset's."""
    run_id = st.session_state.get(state.RUN)
    opened = _opened(run_id, "run", state.RUN) if run_id else None
    if not isinstance(opened, tuple) or not owners.belongs(opened[1], dataset):
        forget(state.RUN)


def _opened(run_id: str, noun: str, key: str) -> tuple[Run, Record] | Unanswered:
    another: Actions = ((f"Show another {noun}", lambda: _again(key)),)
    store = loaders.store()
    try:
        run = store.open(run_id)
    except MoolaError:
        body = (
            f"It may have been deleted, or the link may come from another store than `{display_path(store.root)}`. "
            f"Choose another {noun}, or ask for a new link."
        )
        near = tuple((f"Open {name}", _opening(key, name)) for name in _near(run_id, noun))
        return Unanswered(key, f"There is no {noun} {escape_markdown(run_id[:60])}", body, (*near, *another))
    try:
        return run, run.record
    except MoolaError as error:
        return Unanswered(key, f"The {noun} {run_id} cannot be read", escape_markdown(str(error)), another)


def place_of(run: Run, record: Record) -> tuple[str, dict[str, Any]] | None:
    """The page that shows what came of the run, and what is selected there; None where no page does."""
    if record.kind in loaders.TRAINED:
        return "results", {state.RUN: run.id}
    if record.kind in COMPARED:
        return "compare", {state.RUN: None, state.STUDY: run.id}
    if record.kind == "investigation":
        return "investigate", {state.RUN: None, state.INVESTIGATION: run.id}
    if record.kind == "predict":
        return "predict", {state.RUN: run.spec.run, state.PREDICTION: run.id}
    if record.kind == "report":
        return _report_place(run.spec)
    return _diagnostic_place(run.spec) if record.kind == "diagnose" else None


def _report_place(spec: Any) -> tuple[str, dict[str, Any]] | None:
    """The page that offers the report: that of reports for a run that can be selected there, else the page of what it is of."""
    about = loaders.store().open(spec.run)
    if about.record.kind in loaders.TRAINED:
        return "report", {
            state.RUN: about.id,
            state.REPORT_OF: spec.about,
            state.REPORT_FORMAT: spec.format,
            state.SECTIONS_OF[spec.about or about.record.kind]: list(spec.sections) or None,
        }
    return place_of(about, about.record)


def page_title(page: str) -> str:
    """What a page is called in the menu."""
    return PAGE_TITLES.get(page, page.title())


def _elsewhere(run: Run, record: Record) -> Unanswered:
    """A run of a kind that has its place on another page."""
    leave: tuple[str, Callable[[], object]] = ("Show another run", lambda: _again(state.RUN))
    place = place_of(run, record)
    if place is None:
        what = f"Its kind is {escape_markdown(record.kind)}."
        return Unanswered(state.RUN, f"Run {run.id} cannot be shown", what, (leave,))
    page, values = place
    to: Actions = ((f"Open it on {page_title(page)}", lambda: state.open_page(page, **values)),)
    return Unanswered(state.RUN, f"Run {run.id} is shown on another page", _what(run, record), (*to, leave))


def _what(run: Run, record: Record) -> str:
    if record.kind in COMPARED:
        return f"It is {COMPARED[record.kind]}."
    if record.kind == "predict":
        return f"It holds what the models of run {run.spec.run} predicted."
    if record.kind == "report":
        return f"It made a report of run {run.spec.run}."
    return (
        "It is an investigation." if record.kind == "investigation" else f"It computed a diagnostic: {run.spec.name}."
    )


def _diagnostic_place(spec: Any) -> tuple[str, dict[str, str | None]]:
    if spec.name == "doctor":
        return "doctor", {
            "run": spec.run or None,
            "view": "run" if spec.run else "figures" if spec.figures else "planned",
        }
    if spec.run:
        sections = {"calibration", "balance", "transfer", "attribution", "errors"}
        return "results", {"run": spec.run, "show": spec.name.title() if spec.name in sections else None}
    datasets = loaders.available_datasets()
    owner = next((d.name for d in datasets if d.windows and same_file(spec.data.windows, str(d.windows))), None)
    return "features", {"run": None, "view": spec.name, "dataset": owner}


def _near(run_id: str, noun: str) -> list[str]:
    """Ids of runs, or of studies, that are written much like this one."""
    kinds = {"study": tuple(COMPARED), "investigation": (noun,)}.get(noun, loaders.TRAINED)
    ids = [record.run_id for record in loaders.store().runs(include_archived=True) if record.kind in kinds]
    return difflib.get_close_matches(run_id, ids, n=3, cutoff=NEAR)


def _opening(key: str, run_id: str) -> Callable[[], object]:
    def opening() -> None:
        selecting.put(key, run_id)
        st.rerun()

    return opening


def _again(key: str) -> None:
    forget(key)
    st.rerun()
