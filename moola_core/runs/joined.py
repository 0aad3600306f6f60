"""Runs that join two others on the same folds: the classes of one, and the expansions of the other."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from moola_core.errors import RunError
from moola_core.runs.predictions import SPAN, STATED, TRUE_SPAN, PredictionTable
from moola_core.runs.store import Run, Store
from moola_core.specs import Finetune
from moola_core.specs.choices import JOINED
from moola_core.specs.finetune import Join

if TYPE_CHECKING:
    import pandas as pd

KEYS = ["repeat", "fold", "window_id"]
_COPIED = ("spec.json", "run.json")  # with the fits: all that predicting needs of a run


def join_spec(store: Store, class_run: str, pointer_run: str) -> Finetune:
    """What joins two finished runs, after a look at whether they can be joined.

    Parameters
    ----------
    store : Store
        Where the runs are.
    class_run, pointer_run : str
        Ids of the run whose classes, and of the run whose expansions are used.

    Returns
    -------
    Finetune
        Its data, features, folds and seed are those of the run of the classes.

    Raises
    ------
    RunError
        For a run that is not there, not done, has no models or not what is wanted of it, for one run twice, and for runs on different
        windows or folds.
    """
    of_class, of_pointers = joinable(store, Join(class_run=class_run, pointer_run=pointer_run))
    spec: Finetune = of_class.spec
    return Finetune(
        estimator=JOINED,
        join=Join(class_run=of_class.id, pointer_run=of_pointers.id),
        data=spec.data,
        features=spec.features,
        training=spec.training,
    )


def joinable(store: Store, join: Join) -> tuple[Run, Run]:
    """The run of the classes and that of the expansions; raises RunError as `join_spec` does."""
    of_class, of_pointers = (_finished(store, run_id) for run_id in (join.class_run, join.pointer_run))
    if of_class.id == of_pointers.id:
        raise RunError(
            "cannot be joined with itself.",
            where=f"run {of_class.id}",
            hint="Name the run whose classes are used, then another whose expansions are used.",
        )
    classes, pointers = PredictionTable(of_class.predictions), PredictionTable(of_pointers.predictions)
    if not classes.has_probabilities:
        raise RunError(
            "predicts no classes.", where=f"run {of_class.id}", hint="Name a run that does first, then this one."
        )
    if not pointers.has_pointer:
        raise RunError(
            "predicts no expansions.", where=f"run {of_pointers.id}", hint="Name a run that does as the second one."
        )
    _refuse_different(of_class, of_pointers)
    return of_class, of_pointers


def _finished(store: Store, run_id: str) -> Run:
    run = store.open(run_id)
    record = run.record
    if record.kind != "finetune" or record.state != "done":
        raise RunError(
            f"is a {record.kind} run that is {record.state}.",
            where=f"run {run.id}",
            hint="Join cross-validated runs that are done.",
        )
    if run.spec.estimator == JOINED:
        join = run.spec.join
        raise RunError(
            "was joined from others already.",
            where=f"run {run.id}",
            hint=f"Name the one that is wanted of them: {join.class_run} for its classes or {join.pointer_run} for its expansions.",
        )
    if not run.replicates():
        raise RunError(
            "has predictions alone, without the models that made them.",
            where=f"run {run.id}",
            hint="Name a run that was trained here.",
        )
    return run


def _refuse_different(of_class: Run, of_pointers: Run) -> None:
    """Raise RunError, which says what differs, unless the runs predict the same windows in the same folds."""
    runs = (of_class, of_pointers)
    tables = [run.predictions.astype({"window_id": str}) for run in runs]
    both = f"runs {of_class.id} and {of_pointers.id}"
    hashes = {run.record.data_hashes.get("windows") for run in runs}
    if len(hashes) > 1:
        counts = " and ".join(
            f"{table['window_id'].nunique()} of {_file_of(run)}" for run, table in _pairs(runs, tables)
        )
        raise RunError(
            f"they predict different windows: {counts}.", where=both, hint="Join runs of the same labelled windows."
        )
    labels = [table.drop_duplicates("window_id").set_index("window_id")["label"] for table in tables]
    relabelled = int((labels[0] != labels[1].reindex(labels[0].index)).sum())
    if relabelled:
        raise RunError(
            f"{relabelled} of their labels differ, as planted faults make them.",
            where=both,
            hint="Join runs without faults.",
        )
    divisions = [set(table[KEYS].itertuples(index=False, name=None)) for table in tables]
    if divisions[0] != divisions[1]:
        own = [
            f"{table['fold'].nunique()} folds × {table['repeat'].nunique()} repeats, seed {run.record.seed}"
            for run, table in _pairs(runs, tables)
        ]
        moved = len(divisions[0] - divisions[1])
        raise RunError(
            f"their folds differ: {' and '.join(own)}; {moved} of {len(divisions[0])} predictions of the first are in no such fold "
            "of the second.",
            where=both,
            hint="Run one of them again with the folds, repeats, embargo and seed of the other.",
        )


def _pairs(runs: tuple[Run, Run], tables: list[pd.DataFrame]) -> list[tuple[Run, pd.DataFrame]]:
    return list(zip(runs, tables, strict=True))


def _file_of(run: Run) -> str:
    return run.record.data.get("windows", "").replace("\\", "/").rpartition("/")[2] or "an unnamed file"


def joined_predictions(of_class: Run, of_pointers: Run) -> pd.DataFrame:
    """Predictions with the classes of one run and the expansions of the other, in the order of the former."""
    classes, pointers = PredictionTable(of_class.predictions), PredictionTable(of_pointers.predictions)
    left = classes.frame[[*KEYS, "label", "predicted", *classes.columns]]
    stated = [] if pointers.stated is None else [STATED]
    right = pointers.frame[[*KEYS, *TRUE_SPAN, *stated, *SPAN]]
    return left.merge(right, on=KEYS, how="left", validate="one_to_one")


def keep_parts(run: Run, parts: tuple[Run, Run]) -> None:
    """Copy the models of the joined runs into the run, so that it predicts whatever becomes of them. Copies that are there stay."""
    for part in parts:
        place = _parts_folder(run) / part.id
        if place.is_dir():
            continue
        draft = place.with_name(f".{part.id}.tmp")
        shutil.rmtree(draft, ignore_errors=True)
        shutil.copytree(
            part.folder / "replicates", draft / "replicates", ignore=shutil.ignore_patterns(".*", "*.parquet")
        )
        for name in _COPIED:
            shutil.copy2(part.folder / name, draft / name)
        draft.replace(place)


def parts_of(run: Run) -> tuple[Run, ...]:
    """The copies of the run of the classes and of that of the expansions; none where the run joins no others."""
    spec = run.spec
    if getattr(spec, "estimator", "") != JOINED:
        return ()
    return tuple(Run(_parts_folder(run) / name) for name in (spec.join.class_run, spec.join.pointer_run))


def _parts_folder(run: Run) -> Path:
    return run.folder / "parts"
