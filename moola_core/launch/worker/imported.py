"""A run made of anyone's out-of-fold predictions, for every diagnostic that needs no weights."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from moola_core.errors import DataError
from moola_core.launch.worker import diagnose, doctor, finetune
from moola_core.launch.worker.labelled import Labelled, load_labelled
from moola_core.market.checks import SHOWN
from moola_core.market.readers import read_table
from moola_core.market.windows import bar_spans
from moola_core.overlap import Overlap
from moola_core.runs.folds import place_columns
from moola_core.runs.store import Run, Store, utcnow_iso
from moola_core.specs import Finetune

NEEDS_WEIGHTS = "Attribution, transfer and predicting need the weights, which an imported run has not."
TOLERANCE = 1e-3
PERCENT_TOLERANCE = 0.5  # rounded to whole percents or to one digit
NO_POINTER = ("", "nan", "none", "null", "NaN", "None")


def import_predictions(store: Store, path: str | Path, spec: Finetune, name: str = "") -> Run:
    """The run of a table of predictions: window_id, fold, p_<class> for each class, optionally repeat, start_pred and end_pred.

    Folds and repeats may have any names, and probabilities may be percentages. Raises DataError that names the first rows
    which are wrong; no run is made then.
    """
    material = load_labelled(spec.data, spec.features)
    table, notes = _checked(read_table(Path(path)), material, str(path))
    folds = int(table["fold"].nunique())
    fold_columns = _fold_columns(table, material)
    counts = {
        "windows": len(material.kept),
        "left_out": len(material.every) - len(material.kept),
        "window_bars": material.kept.bars,
        "features": [],
        "labels": {label: int((material.kept.label == label).sum()) for label in material.kept.classes},
        "best_epochs": [],
        "epochs_run": [],
        "trainable_parameters": None,
        "shared_parameters": None,
    }
    run = store.create(spec, name=name or Path(path).stem, tags=("imported",))
    try:
        run.update(
            state="running",
            started=utcnow_iso(),
            counts=counts,
            data_hashes={"windows": material.kept.content_hash},
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


def _checked(table: pd.DataFrame, material: Labelled, where: str) -> tuple[pd.DataFrame, list[str]]:
    """The table in our columns, labels and true pointers from the windows; and what had to be understood on the way."""
    kept = material.kept
    classes = tuple(sorted(kept.classes))
    table = _with_columns(table, classes, where)
    numbered, notes = {}, []
    for column in ("repeat", "fold"):
        numbered[column], note = _numbered(table, column, where)
        notes += note
    table = table.assign(**numbered)
    place = {str(window): i for i, window in enumerate(kept.window_id)}
    _refuse(~table["window_id"].isin(place), table, "names no window that takes part", where)
    _refuse(table.duplicated(["repeat", "window_id"]), table, "predicts a window twice in one repeat", where)
    size = table.groupby("repeat")["window_id"].count()
    if (size != len(kept)).any():
        raise DataError(
            f"repeat {size.index[(size != len(kept)).argmax()]} predicts {size[size != len(kept)].iloc[0]} of {len(kept)} windows.",
            where=where,
            hint="Predict each window once in each repeat, by a model that did not train on it.",
        )
    if table.groupby("repeat")["fold"].nunique().min() < 2:
        raise DataError(
            "all windows of a repeat are in one fold, so that no model could have been trained without them.",
            where=where,
            hint="Give each window the fold in which it was predicted; two or more are needed.",
        )
    p, percent = _probabilities(table, [f"p_{label}" for label in classes], where)
    rows = table["window_id"].map(place).to_numpy()
    columns: dict[str, Any] = {name: table[name].to_numpy() for name in ("repeat", "fold", "window_id")}
    columns |= {"label": kept.label[rows].astype(str), "predicted": np.array(classes)[p.argmax(1)]}
    columns |= {f"p_{label}": p[:, i] for i, label in enumerate(classes)}
    columns |= {"start_true": kept.start[rows], "end_true": kept.end[rows]}
    for name in ("start_pred", "end_pred"):
        columns[name] = _pointers(table, name, kept.bars, where)
    return type(table)(columns).sort_values(["repeat", "fold", "window_id"], ignore_index=True), notes + percent


def _with_columns(table: pd.DataFrame, classes: tuple[str, ...], where: str) -> pd.DataFrame:
    """The table with text ids and a column of repeats. Raises DataError when a column or every row is missing."""
    wanted = ("window_id", "fold", *(f"p_{label}" for label in classes))
    optional = ("repeat", "start_pred", "end_pred")
    if "window_id" not in table and table.index.name == "window_id":
        table = table.reset_index()
    names = list(map(str, table.columns))
    for column in (*wanted, *optional):
        if names.count(column) > 1 or (column in wanted and column not in names):
            fault = "more than one column" if column in names else "no column"
            raise DataError(
                f"it has {fault} {column}.",
                where=where,
                hint=f"Give window_id, fold and {', '.join(f'p_{label}' for label in classes)}; repeat, start_pred and end_pred if you have them.",
            )
    if not len(table):
        raise DataError("it holds no rows.", where=where, hint="Export the predictions again.")
    if "repeat" not in names or table["repeat"].isna().all():
        table = table.assign(repeat=0)
    return table.reset_index(drop=True).assign(window_id=[str(name) for name in table["window_id"]])


def _numbered(table: pd.DataFrame, column: str, where: str) -> tuple[np.ndarray, list[str]]:
    """Whole numbers [n] for the repeats or folds, and a note when they stand for names."""
    texts = table[column].astype(object).where(table[column].notna(), "").astype(str).str.strip()
    _refuse(texts == "", table, f"has no {column}", where)
    numbers = pd.to_numeric(texts, errors="coerce")
    if ((numbers % 1 == 0) & (numbers.abs() < 2**31)).all():
        return numbers.to_numpy("int64"), []
    names = sorted(
        texts.unique(),
        key=lambda name: [(len(part), part) if part.isdigit() else (0, part) for part in re.split(r"(\d+)", name)],
    )
    listed = ", ".join(f"{name} is {i}" for i, name in enumerate(names[:SHOWN]))
    more = ", …" if len(names) > SHOWN else ""
    return texts.map({name: i for i, name in enumerate(names)}).to_numpy("int64"), [
        f"The {column}s have names; they are numbered: {listed}{more}."
    ]


def _probabilities(table: pd.DataFrame, columns: list[str], where: str) -> tuple[np.ndarray, list[str]]:
    """Probabilities [n, classes] with sum 1, and a note when they were percentages."""
    texts = table[columns].astype(str).apply(lambda column: column.str.strip())
    marked = texts.apply(lambda column: column.str.endswith("%"))
    p = _numbers(texts.apply(lambda column: column.str.rstrip("% ")))
    p = np.where(np.abs(p) <= 1000, p, np.nan)  # no probability in any unit; their sum might overflow
    percent = bool(marked.to_numpy().any() or np.isclose(np.median(p.sum(1)), 100.0, atol=PERCENT_TOLERANCE))
    total, tolerance = (100.0, PERCENT_TOLERANCE) if percent else (1.0, TOLERANCE)
    if percent and marked.to_numpy().any() and not marked.to_numpy().all():
        _refuse(~marked.all(axis=1), table, "has probabilities without a % sign next to others with one", where)
    wrong = ~(np.abs(p.sum(1) - total) <= tolerance) | (p < 0).any(1)
    _refuse(wrong, table, "has probabilities that are not 0 to 1 with sum 1, nor percentages with sum 100", where)
    return p / p.sum(1, keepdims=True), ["The probabilities are percentages; they were divided by 100."] * percent


def _pointers(table: pd.DataFrame, name: str, bars: int, where: str) -> np.ndarray:
    """Predicted pointers [n] in bars; nan where there are none."""
    if name not in table:
        return np.full(len(table), np.nan)
    empty = table[name].isna() | table[name].astype(str).str.strip().isin(NO_POINTER)
    values = _numbers(table[[name]].astype(str))[:, 0]
    wrong = ~empty & ~(np.abs(values) <= 2 * bars)
    _refuse(wrong, table, f"has a {name} that is no bar number of a window of {bars} bars", where)
    return np.where(empty, np.nan, values)


def _numbers(texts: pd.DataFrame) -> np.ndarray:
    return np.stack([pd.to_numeric(texts[name], errors="coerce").to_numpy(float) for name in texts], axis=1)


def _refuse(wrong: Any, table: pd.DataFrame, what: str, where: str) -> None:
    wrong = np.asarray(wrong)
    if wrong.any():
        rows = np.flatnonzero(wrong)[:SHOWN]
        first = ", ".join(f"row {i} ({' '.join(table['window_id'].iloc[i].split())})" for i in rows)
        raise DataError(
            f"{int(wrong.sum())} rows: {what}, first {first}.", where=where, hint="Correct or drop these rows."
        )


def _fold_columns(table: pd.DataFrame, material: Labelled) -> dict[str, Any]:
    """Only who was tested where is known of an imported run."""
    kept = material.kept
    place = {name: i for i, name in enumerate(kept.window_id.astype(str))}
    rows = np.array([place[name] for name in table["window_id"]], int)
    return {
        "repeat": table["repeat"].to_numpy(int),
        "fold": table["fold"].to_numpy(int),
        "window_id": table["window_id"].to_numpy(),
        "role": np.full(len(table), "test"),
        **place_columns(Overlap(*bar_spans(kept), kept.bars), rows),
    }
