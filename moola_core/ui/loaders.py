"""Everything the pages read, cached by path, time of change and size, so that a changed file is read again."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from moola_core.diagnostics.results import RESULTS, CalibrationReport, Diagnosis, Evaluation, PretrainReport
from moola_core.errors import MoolaError, RunError
from moola_core.launch import confinement
from moola_core.launch.local import LocalLauncher
from moola_core.market import known
from moola_core.market.bars import Bars, load_bars
from moola_core.market.known import Known
from moola_core.market.library import Dataset, datasets
from moola_core.market.settings import load_reading, sidecar_path
from moola_core.market.windows import Windows, load_windows
from moola_core.runs.codec import restore
from moola_core.runs.places import same_file
from moola_core.runs.record import Record
from moola_core.runs.store import Run, Store
from moola_core.specs import ReadOptions
from moola_core.specs.aliases import RESULT_FIELDS
from moola_core.ui import state, window_table
from moola_core.ui.places import data_folder, store_folder

Stamp = tuple[str, int, int]
TRAINED, COMPARING = ("finetune", "pretrain"), ("study", "plan", "search", "compare")


def stamp(path: str | Path) -> Stamp:
    """Path, time of change and size: equal stamps mean equal content. (path, 0, 0) when there is no file."""
    path = Path(path)
    if not path.is_file():
        return str(path), 0, 0
    status = path.stat()
    return str(path), status.st_mtime_ns, status.st_size


def store() -> Store:
    """The store of runs that the environment names."""
    return Store(store_folder())


def launcher() -> LocalLauncher:
    """What queues, cancels and resumes runs; a visitor's spec may name files of the data folder and the store alone."""
    st.session_state.pop(state.EVERY_RUN, None)  # what it changes is seen when runs are listed again
    return LocalLauncher(store(), [data_folder()])


def list_runs() -> list[Record]:
    """Every run of the store, archived ones too, newest first; for all of the page that is about to be drawn."""
    st.session_state[state.EVERY_RUN] = listed = store().runs(include_archived=True)
    return listed


def listed_runs(include_archived: bool = False) -> list[Record]:
    """The runs as they were listed for this page; listed anew where a part of a page is drawn alone."""
    every = st.session_state.get(state.EVERY_RUN)
    if every is None:
        return store().runs(include_archived=include_archived)
    return [record for record in every if include_archived or not record.archived]


def available_datasets() -> list[Dataset]:
    """The datasets in the data folder; its files are looked at again when one of them changed."""
    return _datasets(str(data_folder()), _data_files())


def _data_files() -> tuple[Stamp, ...]:
    """The stamps of all files in the data folder."""
    return tuple(stamp(path) for path in sorted(data_folder().rglob("*")) if path.is_file())


def reading_of(path: str | Path) -> ReadOptions:
    """The reading saved next to the file, or the defaults."""
    return load_reading(path)


def exchange_zone(dataset: Dataset) -> str:
    """The time zone in which the dataset's times are shown: as saved next to its bars, else next to its windows."""
    path = dataset.bars or dataset.windows
    return (reading_of(path) if path else ReadOptions()).exchange_tz


def data_of(dataset: Dataset) -> dict[str, Any]:
    """The dataset's files, read as saved next to them, as values of a spec's data."""
    files = {"windows": dataset.windows, "bars": dataset.bars}
    data: dict[str, Any] = {kind: str(path) for kind, path in files.items() if path}
    return data | {f"{kind}_reading": reading_of(path) for kind, path in files.items() if path}


def allowed(path: str | Path) -> None:
    """Raise SpecError for a file that a visitor may not read: a run's spec from elsewhere may name any."""
    confinement.inside(path, folders())


def folders() -> list[Path]:
    """The folders whose files a visitor may read."""
    return [data_folder(), store_folder()]


def bars_of(path: str | Path) -> Bars:
    """The bars in the file. Raises DataError, and SpecError for a file outside of the data folder and the store."""
    allowed(path)
    return _bars(stamp(path), stamp(sidecar_path(path)))


def windows_of(path: str | Path, bars: str | Path | None = None) -> Windows:
    """The windows in the file, located in the bars if a file of them is given. Raises DataError, and SpecError as `bars_of`."""
    allowed(path)
    if bars:
        allowed(bars)
    bars_stamps = (stamp(bars), stamp(sidecar_path(bars))) if bars else None
    return _windows(stamp(path), stamp(sidecar_path(path)), bars_stamps)


def content_of_windows(dataset: Dataset) -> frozenset[str]:
    """The content hashes by which runs name the dataset's windows: of those that take part in training, and of all; none if unreadable."""
    if dataset.windows is None:
        return frozenset()
    try:
        windows = windows_of(dataset.windows, dataset.bars)
    except MoolaError:  # pages that show them say why
        return frozenset()
    return _content(windows)


def content_of_bars(path: str | Path | None) -> str:
    """The content hash by which runs name the bars in the file; empty if there are none, or they cannot be read."""
    try:
        return bars_of(path).content_hash if path else ""
    except MoolaError:
        return ""


def known_windows(bars: str | Path) -> Known:
    """Labelled windows that are known to lie in the bars of a file. Raises DataError."""
    return _known((stamp(bars), stamp(sidecar_path(bars))), str(data_folder()), _data_files())


def records(include_archived: bool = False) -> list[Record]:
    """The records of the store's runs of the kinds that train, newest first."""
    return trained(listed_runs(include_archived))


def trained(records: Iterable[Record]) -> list[Record]:
    """Those of the kinds that train."""
    return [record for record in records if record.kind in TRAINED]


def predictions(run: Run) -> pd.DataFrame | None:
    """Out-of-fold predictions of a run; None before there are any."""
    path = run.folder / "predictions.parquet"
    return _frame(stamp(path)) if path.is_file() else None


def joined(dataset: Dataset, run: Run | None, repeat: int | None) -> pd.DataFrame:
    """The dataset's windows with the run's predictions, as `window_table.join` gives them."""
    assert dataset.windows is not None
    bars_stamps = (stamp(dataset.bars), stamp(sidecar_path(dataset.bars))) if dataset.bars else None
    source = stamp(run.folder / "predictions.parquet") if run else None
    return _joined(stamp(dataset.windows), stamp(sidecar_path(dataset.windows)), bars_stamps, source, repeat)


def evaluation(run: Run) -> Evaluation | None:
    """The evaluation of the run's predictions; None before it was evaluated."""
    path = run.folder / "results" / "evaluation.json"
    return _evaluation(stamp(path), run.id) if path.is_file() else None


def f1_macro(record: Record) -> float | None:
    """The run's macro F1 over all repeats, from its record; from its evaluation where the record does not have it."""
    if record.state != "done" or record.facts.f1_macro is not None:
        return record.facts.f1_macro
    try:
        result = evaluation(store().open(record.run_id))
    except MoolaError:  # the Performance page says why
        return None
    return (result.metrics.get("f1_macro") or {}).get("mean") if result else None


def means(run_id: str) -> dict[str, float | None]:
    """The mean of each metric over the repeats of a run; empty where it was not evaluated."""
    path = f"{store().runs_folder}/{run_id}/results/evaluation.json"
    try:
        changed = os.stat(path).st_mtime_ns  # noqa: PTH116 - as in runs/listing.py
    except OSError:
        changed = 0
    known = _means.get(path)
    if known is None or known[0] != changed:
        _means[path] = known = (changed, _read_means(run_id) if changed else {})
    return known[1]


# By file. A table asks for thousands, for which a cache of Streamlit's would take longer than all the rest.
_means: dict[str, tuple[int, dict[str, float | None]]] = {}


def _read_means(run_id: str) -> dict[str, float | None]:
    try:
        metrics = store().open(run_id).result("evaluation").get("metrics") or {}
    except MoolaError:  # the Performance page says why
        return {}
    return {name: value.get("mean") for name, value in metrics.items() if isinstance(value, dict)}


def learned(run: Run) -> PretrainReport | None:
    """What a pre-training run learned; None before it is done."""
    path = run.folder / "results" / "learned.json"
    return _learned(stamp(path), run.id) if path.is_file() else None


def diagnostic(run: Run, name: str) -> Any:
    """A diagnostic of the run; the sentence that says why there is none, where it could not be computed."""
    path = run.folder / "results" / f"{name}.json"
    if not path.is_file():
        return (
            "It was not computed for this run. Launch it again, or ask for it: `moola diagnose "
            + f"{name} --run {run.id}`."
        )
    return _diagnostic(stamp(path), run.id, name)


def calibration(run: Run) -> CalibrationReport | None:
    """How well calibrated the run's probabilities are; None where it was not computed."""
    result = diagnostic(run, "calibration")
    return result if isinstance(result, CalibrationReport) else None


def diagnosed(dataset: Dataset, name: str) -> Run | None:
    """The newest run that holds, or is computing, the diagnostic `name` of the dataset."""
    return next(
        (run for run in _diagnoses(name) if _is_of(dataset, run.spec.data.windows, [run.record])),
        None,
    )


def diagnosed_run(run: Run, name: str) -> Run | None:
    """The newest child of the run that holds, or is computing, the diagnostic `name`."""
    return next((child for child in _diagnoses(name) if child.spec.run == run.id), None)


def predictions_by(run: Run) -> list[Run]:
    """The prediction runs of the models of `run`, newest first."""
    return [child for child in _readable("predict") if child.record.parent == run.id]


def table(run: Run, name: str) -> pd.DataFrame:
    """The run's Parquet table called `name`, with the names of columns of now."""
    return _frame(stamp(run.folder / f"{name}.parquet")).rename(columns=RESULT_FIELDS)


def rows_of_windows(run: Run, name: str, window_ids: tuple[str, ...]) -> pd.DataFrame | None:
    """The rows of these windows in the run's Parquet table called `name`; None where the run has no such table."""
    path = run.folder / f"{name}.parquet"
    return _rows_of_windows(stamp(path), window_ids) if path.is_file() else None


def diagnosis(run: Run) -> Diagnosis | None:
    """What the doctor found in the run when it ended, or when it was run again since; None when it was not run."""
    for one in (run, diagnosed_run(run, "doctor")):
        result = diagnostic(one, "doctor") if one is not None and one.record.state == "done" else None
        if isinstance(result, Diagnosis):
            return result
    return None


def asked_doctor(of: str) -> Run | None:
    """The newest run that asks the doctor about reported `figures`, or about what is `planned`."""
    return next((run for run in _diagnoses("doctor") if _topic(run.spec) == of), None)


def _topic(spec: Any) -> str:
    return "run" if spec.run else "figures" if spec.figures else "planned"


def comparisons(dataset: Dataset) -> list[Run]:
    """The studies, plans, searches and comparisons of the dataset's windows, newest first."""
    runs, every = [], listed_runs(include_archived=True)
    for run in _readable(*COMPARING):
        spec = run.spec
        if spec.kind == "compare":
            parts = [record for record in every if record.run_id == spec.runs[0]]
            windows = next((record.data.get("windows", "") for record in parts), "")
        else:
            parts = [run.record, *(record for record in every if record.parent == run.id)]
            windows = getattr(spec, "base", spec).data.windows
        if _is_of(dataset, windows, parts):
            runs.append(run)
    return runs


def investigations(dataset: Dataset) -> list[Run]:
    """The investigations of the dataset's windows, newest first."""
    return [run for run in _readable("investigation") if _is_of(dataset, run.spec.data.windows, [run.record])]


def _is_of(dataset: Dataset, windows: str, parts: Iterable[Record]) -> bool:
    """Whether the file of windows is the dataset's, or a run among `parts` was made on windows of the same content."""
    if dataset.windows is None:
        return False
    if same_file(windows, str(dataset.windows)):
        return True
    hashes = {record.data_hashes.get("windows") for record in parts} - {None}
    return bool(hashes) and bool(hashes & content_of_windows(dataset))


def _diagnoses(name: str) -> Iterator[Run]:
    """The runs that compute the diagnostic, newest first."""
    return (run for run in _readable("diagnose") if run.spec.name == name)


def _readable(*kinds: str) -> Iterator[Run]:
    """The runs of these kinds whose spec can be read, newest first."""
    return (store().open(record.run_id) for record in listed_runs() if record.kind in kinds and not record.unreadable)


@st.cache_data(max_entries=8, show_spinner=False)
def _datasets(folder: str, files: tuple[Stamp, ...]) -> list[Dataset]:
    return datasets(Path(folder))


@st.cache_resource(max_entries=3, show_spinner="Reading the bars")
def _bars(source: Stamp, reading: Stamp) -> Bars:
    return load_bars(source[0])


@st.cache_resource(max_entries=6, show_spinner="Reading the windows")
def _windows(source: Stamp, reading: Stamp, bars_stamps: tuple[Stamp, Stamp] | None) -> Windows:
    return load_windows(source[0], bars=_bars(*bars_stamps) if bars_stamps else None)


@st.cache_resource(max_entries=32, show_spinner=False, hash_funcs={Windows: id})
def _content(windows: Windows) -> frozenset[str]:
    return frozenset({windows.content_hash, windows.trainable()[0].content_hash})


@st.cache_resource(max_entries=3, show_spinner="Looking for labelled windows of these bars")
def _known(bars_stamps: tuple[Stamp, Stamp], folder: str, files: tuple[Stamp, ...]) -> Known:
    return known.known_windows(_bars(*bars_stamps), bars_stamps[0][0], folder)


@st.cache_resource(max_entries=16, show_spinner=False)
def _frame(source: Stamp) -> pd.DataFrame:
    path = Path(source[0])
    return Run(path.parent).table(path.stem).to_pandas()


@st.cache_resource(max_entries=8, show_spinner=False)
def _rows_of_windows(source: Stamp, window_ids: tuple[str, ...]) -> pd.DataFrame:
    path = Path(source[0])
    return Run(path.parent).table(path.stem, window_ids).to_pandas()


@st.cache_resource(max_entries=16, show_spinner=False)
def _joined(
    source: Stamp, reading: Stamp, bars_stamps: tuple[Stamp, Stamp] | None, predicted: Stamp | None, repeat: int | None
) -> pd.DataFrame:
    rows = _frame(predicted) if predicted and predicted[1] else None
    return window_table.join(_windows(source, reading, bars_stamps), rows, repeat)


@st.cache_resource(max_entries=32, show_spinner=False)
def _evaluation(source: Stamp, run_id: str) -> Evaluation:
    return _restored(Evaluation, store().open(run_id), "evaluation")


@st.cache_resource(max_entries=16, show_spinner=False)
def _learned(source: Stamp, run_id: str) -> PretrainReport:
    return _restored(PretrainReport, store().open(run_id), "learned")


@st.cache_resource(max_entries=64, show_spinner=False)
def _diagnostic(source: Stamp, run_id: str, name: str) -> Any:
    run = store().open(run_id)
    stored = run.result(name)
    return stored["why_not"] if "why_not" in stored else _restored(RESULTS[name], run, name)


def _restored(kind: type, run: Run, name: str) -> Any:
    """The result as its dataclass. Raises RunError for what is JSON and is no such result."""
    try:
        return restore(kind, run.result(name))
    except (AttributeError, KeyError, TypeError, ValueError):
        raise RunError(
            f"results/{name}.json is not what this version of moola writes.",
            where=f"run {run.id}",
            hint="Launch the run again, or open it with the version that made it.",
        ) from None
