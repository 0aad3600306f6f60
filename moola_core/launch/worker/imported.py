"""A run made of anyone's out-of-fold predictions, for every diagnostic that needs no weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from moola_core.errors import DataError
from moola_core.launch.worker import diagnose, finetune
from moola_core.launch.worker.labelled import Labelled, load_labelled
from moola_core.market.tables import read_table
from moola_core.market.windows import bar_spans
from moola_core.runs.store import Run, Store, now
from moola_core.specs import Finetune
from moola_core.training.folds import Places, overlap_groups

if TYPE_CHECKING:
    import pandas as pd

NEEDS_WEIGHTS = "Attribution, transfer and predicting need the weights, which an imported run has not."
TOLERANCE = 1e-3


def import_predictions(store: Store, path: str | Path, spec: Finetune, name: str = "") -> Run:
    """The run of a table of predictions: window_id, fold, p_<class> for each class, optionally repeat, start_pred and end_pred.

    Raises DataError that names the first rows which are wrong.
    """
    material = load_labelled(spec.data, spec.features)
    table = _checked(read_table(Path(path)), material, str(path))
    folds = int(table["fold"].nunique())
    counts = {
        "windows": len(material.kept), "left_out": len(material.every) - len(material.kept), "window_bars": material.kept.bars,
        "features": [], "labels": {label: int((material.kept.label == label).sum()) for label in material.kept.classes},
        "best_epochs": [], "epochs_run": [], "trainable_parameters": None, "shared_parameters": None,
    }  # fmt: skip
    run = store.create(spec, name=name or Path(path).stem, tags=("imported",))
    run.update(
        state="running",
        started=now(),
        counts=counts,
        data_hashes={"windows": material.kept.content_hash},
        warnings=(NEEDS_WEIGHTS,),
    )
    run.write_table("predictions", {column: table[column].to_numpy() for column in table})
    run.write_table("folds", _fold_columns(table, material, folds))
    finetune.evaluate_into(run)
    diagnose.store_all(run, material)
    done = folds * int(table["repeat"].nunique())
    run.update(state="done", ended=now(), progress={"done": done, "total": done})
    return run


def _checked(table: pd.DataFrame, material: Labelled, where: str) -> pd.DataFrame:
    """The table in our columns, labels and true pointers from the windows."""
    kept = material.kept
    classes = tuple(sorted(kept.classes))
    for column in ("window_id", "fold", *(f"p_{label}" for label in classes)):
        if column not in table:
            raise DataError(
                f"it has no column {column}.", where=where,
                mend=f"Give window_id, fold and {', '.join(f'p_{label}' for label in classes)}; repeat, start_pred and end_pred if you have them.",
            )  # fmt: skip
    table = table.assign(window_id=table["window_id"].astype(str), repeat=table.get("repeat", 0))
    place = {str(window): i for i, window in enumerate(kept.window_id)}
    _refuse(~table["window_id"].isin(place), table, "names no window that takes part", where)
    _refuse(table.duplicated(["repeat", "window_id"]), table, "predicts a window twice in one repeat", where)
    p = table[[f"p_{label}" for label in classes]].to_numpy(float)
    _refuse(
        ~(np.abs(p.sum(1) - 1) < TOLERANCE) | (p < 0).any(1),
        table,
        "has probabilities that are not 0 to 1 with sum 1",
        where,
    )
    size = table.groupby("repeat")["window_id"].count()
    if (size != len(kept)).any():
        raise DataError(
            f"repeat {size.index[(size != len(kept)).argmax()]} predicts {size[size != len(kept)].iloc[0]} of {len(kept)} windows.",
            where=where, mend="Predict each window once in each repeat, by a model that did not train on it.",
        )  # fmt: skip
    rows = table["window_id"].map(place).to_numpy()
    columns: dict[str, Any] = {name: table[name].to_numpy() for name in ("repeat", "fold", "window_id")}
    columns |= {"label": kept.label[rows].astype(str), "predicted": np.array(classes)[p.argmax(1)]}
    columns |= {f"p_{label}": p[:, i] for i, label in enumerate(classes)}
    columns |= {"start_true": kept.start[rows], "end_true": kept.end[rows]}
    for name in ("start_pred", "end_pred"):
        columns[name] = table[name].to_numpy(float) if name in table else np.full(len(table), np.nan)
    return type(table)(columns).sort_values(["repeat", "fold", "window_id"], ignore_index=True)


def _refuse(wrong: Any, table: pd.DataFrame, what: str, where: str) -> None:
    wrong = np.asarray(wrong)
    if wrong.any():
        first = ", ".join(f"row {i} ({table['window_id'].iloc[i]})" for i in np.flatnonzero(wrong)[:5])
        raise DataError(
            f"{int(wrong.sum())} rows: {what}, first {first}.", where=where, mend="Mend or drop these rows."
        )


def _fold_columns(table: pd.DataFrame, material: Labelled, folds: int) -> dict[str, Any]:
    """Only who was tested where is known of an imported run."""
    kept = material.kept
    series, first = bar_spans(kept)
    group = overlap_groups(Places(series, first, kept.bars), folds)
    number = dict(zip(kept.window_id.astype(str), group.tolist(), strict=True))
    return {
        "repeat": table["repeat"].to_numpy(int), "fold": table["fold"].to_numpy(int), "window_id": table["window_id"].to_numpy(),
        "role": np.full(len(table), "test"), "group": np.array([number[name] for name in table["window_id"]]),
    }  # fmt: skip
