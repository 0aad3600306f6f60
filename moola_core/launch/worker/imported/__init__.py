"""A run made of anyone's out-of-fold predictions, for every diagnostic that needs no weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from moola_core.launch.worker import diagnose, doctor, finetune
from moola_core.launch.worker.imported.columns import PredictionReading, table_of
from moola_core.launch.worker.imported.understood import understand
from moola_core.launch.worker.labelled import Labelled, load_labelled
from moola_core.market.windows import overlap
from moola_core.runs.facts import Facts
from moola_core.runs.folds import place_columns
from moola_core.runs.store import Run, Store, utcnow_iso
from moola_core.specs import Finetune

__all__ = ["PredictionReading", "import_predictions"]

NEEDS_WEIGHTS = "Attribution, transfer and predicting need the weights, which an imported run has not."
IN_SAMPLE = (
    "The models had trained on these windows: the figures say how well they fit them, not how well they predict others."
)
ALONE = "Each window is in a fold of its own: AUROC is over all windows, since a fold holds no pair."


def import_predictions(
    store: Store,
    source: str | Path | pd.DataFrame | Mapping[str, Any],
    spec: Finetune,
    name: str = "",
    answers: PredictionReading | None = None,
) -> Run:
    """The run of anyone's predictions of the windows that the spec names.

    Parameters
    ----------
    store : Store
        Where the run is made.
    source : path, DataFrame or mapping of str to array
        A row for each window and repeat: window_id, fold, p_<class> for each class or predicted, optionally repeat, start_pred and end_pred,
        under these or other usual names.
    spec : Finetune
        Names the windows; its estimator is ``"imported"``.
    name : str, optional
        What to call the run; the file's name unless given.
    answers : PredictionReading, optional
        What the table does not show itself.

    Returns
    -------
    Run

    Raises
    ------
    DataError
        Names the first rows which are wrong, or asks for what is missing; no run is made then.
    """
    answers = answers or PredictionReading()
    material = load_labelled(spec.data, spec.features)
    given, where = table_of(source)
    table, notes = understand(given, material, answers, where)
    folds = int(table["fold"].nunique())
    fold_columns = _fold_columns(table, material)
    notes += _of_folds(table, material, answers)
    windows = int(table["window_id"].nunique())
    labels = table.drop_duplicates("window_id")["label"]
    facts = Facts(
        windows=windows,
        left_out=len(material.all) - len(material.trainable),
        not_predicted=len(material.trainable) - windows,
        window_bars=material.trainable.bars,
        labels={label: int((labels == label).sum()) for label in material.trainable.classes},
    )
    tags = ("imported", *(["in-sample"] if answers.folds == "in-sample" else []))
    run = store.create(spec, name=name or (Path(where).stem if where else "predictions"), tags=tags)
    try:
        run.update(
            state="running",
            started=utcnow_iso(),
            facts=facts,
            data_hashes={"windows": material.trainable.content_hash},
            warnings=(NEEDS_WEIGHTS, *notes),
        )
        run.write_table("predictions", {column: table[column].to_numpy() for column in table})
        run.write_table("folds", fold_columns)
        finetune.evaluate_into(run)
        diagnose.store_all(run, material)
        doctor.store(run)
        done = folds * int(table["repeat"].nunique())
        run.update(state="done", ended=utcnow_iso(), progress={"done": done, "total": done})
    except BaseException:  # half an import would be listed as a run that goes on for ever
        run.update(state="failed", ended=utcnow_iso())
        store.delete(run.id)
        raise
    return run


def _of_folds(table: pd.DataFrame, material: Labelled, answers: PredictionReading) -> list[str]:
    """What the folds make of the figures: in sample, one window each, or windows that share bars in several folds."""
    if answers.folds == "in-sample":
        return [IN_SAMPLE]
    size = table.groupby(["repeat", "fold"])["window_id"].count()
    notes = [ALONE] if (size == 1).all() else []
    kept = material.trainable
    places = overlap(kept)
    number = {name: i for i, name in enumerate(kept.window_id.astype(str))}
    near = set()
    for _, own in table.groupby("repeat"):
        row, fold = own["window_id"].map(number).to_numpy(int), own["fold"].to_numpy()
        for one in np.unique(fold):
            tested = row[fold == one]
            near |= set(tested[places.near(tested, row[fold != one], 0)])
    if near:
        notes.append(
            f"{len(near)} windows share bars with windows of other folds, so that the models may have trained on their bars."
        )
    return notes


def _fold_columns(table: pd.DataFrame, material: Labelled) -> dict[str, Any]:
    """Only who was tested where is known of an imported run."""
    kept = material.trainable
    place = {name: i for i, name in enumerate(kept.window_id.astype(str))}
    rows = np.array([place[name] for name in table["window_id"]], int)
    return {
        "repeat": table["repeat"].to_numpy(int),
        "fold": table["fold"].to_numpy(int),
        "window_id": table["window_id"].to_numpy(),
        "role": np.full(len(table), "test"),
        **place_columns(overlap(kept), rows),
    }
