"""A table of predictions in our columns: its windows, repeats and folds, and what was decided on the way."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd

from moola_core.errors import DataError
from moola_core.launch.worker.imported.columns import NEEDED, PredictionReading, Recognised, plain, recognise
from moola_core.launch.worker.imported.values import Rows, pointers, predicted, probabilities, texts
from moola_core.launch.worker.labelled import Labelled
from moola_core.market.checks import SHOWN

TEST_ROLES = ("test", "testing", "oof", "holdout", "val", "valid", "validation", "dev")
LARGEST_FOLD = 2**31


def understand(
    table: pd.DataFrame, material: Labelled, answers: PredictionReading, where: str
) -> tuple[pd.DataFrame, list[str]]:
    """The columns of `predictions.parquet`, labels and true pointers from the windows, and notes. Raises DataError."""
    kept = material.trainable
    classes = tuple(sorted(kept.classes))
    given = recognise(table, classes, answers, where)
    given, notes = _of_known_windows(given, material, answers, where)
    own, scores, rows = given.table, given.scores, Rows(given.table["window_id"], where)
    what = "all windows of a repeat are in one fold" if "fold" in own else "it has no column fold"
    if scores.empty and "predicted" not in own and not {"start_pred", "center_pred"} & set(own):
        _refuse_nothing(table, classes, where)
    for column in ("repeat", "fold"):
        own[column], note = _numbered(own, column, rows)
        notes += note
    rows.refuse(own.duplicated(["repeat", "window_id"]), "predicts a window twice in one repeat")
    place = {str(window): i for i, window in enumerate(kept.window_id)}
    at = own["window_id"].map(place).to_numpy(int)
    columns: dict[str, Any] = {name: own[name].to_numpy() for name in ("repeat", "fold", "window_id")}
    columns["label"] = kept.label[at].astype(str)
    notes += _compare_labels(own, columns["label"], classes, answers, rows)
    answered, more = _classes(own, scores, classes, answers, rows)
    columns |= answered | {"start_true": kept.start[at], "end_true": kept.end[at]}
    span, pointed = pointers(own, kept, at, answers, rows)
    columns |= {"start_pred": span[:, 0], "end_pred": span[:, 1]}
    complete, missing = _complete(pd.DataFrame(columns), len(kept), where)
    _refuse_one_fold(complete, len(kept), answers, Rows([], where), what)
    return complete, [*notes, *more, *pointed, *missing]


def _refuse_nothing(table: pd.DataFrame, classes: tuple[str, ...], where: str) -> None:
    names = ", ".join(map(str, list(table)[:12]))
    columns = ", ".join(f"p_{label}" for label in classes)
    missing = next((f"no column p_{label}" for label in classes if f"p_{label}" not in table), "no predictions")
    raise DataError(
        f"it has {missing}, and no column of it is a predicted class or pointer: {names}.",
        where=where,
        hint=f"{NEEDED.format(columns)} Another name is given by --map, such as --map p_{classes[0]}=THEIRS.",
    )


def _of_known_windows(
    given: Recognised, material: Labelled, answers: PredictionReading, where: str
) -> tuple[Recognised, list[str]]:
    """The rows that predict windows which take part, with their ids; rows of training parts and of windows left out are dropped."""
    own, scores, notes = given.table.copy(), given.scores, list(given.notes)
    kept, every = material.trainable.window_id.astype(str), material.all.window_id.astype(str)
    if "role" in own:
        tested = own["role"].map(lambda role: plain(str(role)) in TEST_ROLES).to_numpy()
        if tested.any():
            own, scores = own[tested].reset_index(drop=True), scores[tested].reset_index(drop=True)
            notes += [f"{int((~tested).sum())} rows of training parts are left out."] if not tested.all() else []
    if "window_id" not in own:
        fits = next((ids for ids in (kept, every) if len(ids) == len(own)), None)
        if not answers.in_order or fits is None:
            raise DataError(
                f"it has no column window_id, and {len(own)} rows for {len(kept)} windows.",
                where=where,
                hint="Give the ids, name their column with --map window_id=THEIRS, or --in-order where the rows are in the order of the windows.",
            )
        own["window_id"] = fits
    ids = texts(own["window_id"])
    if not ids.isin(every).any():
        ids = _as_numbers(ids, every)
    Rows(ids, where).refuse(
        ~ids.isin(every), "names no window that takes part", "Import the predictions with the windows that they are of."
    )
    own["window_id"] = ids
    taking_part = ids.isin(kept).to_numpy()
    if not taking_part.any():
        raise DataError(
            "every row is of a window that is left out by its grade.", where=where, hint="See data.exclude_grades."
        )
    if not taking_part.all():
        notes.append(
            f"{int((~taking_part).sum())} rows are of windows that are left out by their grade; they do not count."
        )
        own, scores = own[taking_part].reset_index(drop=True), scores[taking_part].reset_index(drop=True)
    return Recognised(own, scores, notes), notes


def _as_numbers(ids: pd.Series, every: np.ndarray) -> pd.Series:
    """Ids that lost their leading zeros or won a decimal point on the way through another program."""

    def bare(name: str) -> str:
        return re.sub(r"\.0+$", "", name).lstrip("0") or "0"

    known = {bare(name): name for name in every}
    return ids.map(lambda name: known.get(bare(name), name)) if len(known) == len(every) else ids


def _numbered(own: pd.DataFrame, column: str, rows: Rows) -> tuple[np.ndarray, list[str]]:
    """Whole numbers [n] for the repeats or folds, and a note when they stand for names."""
    if column not in own or (column == "repeat" and own[column].isna().all()):
        return np.zeros(len(own), np.int64), []
    text = texts(own[column])
    rows.refuse(text == "", f"has no {column}")
    values = pd.to_numeric(text, errors="coerce")
    if ((values % 1 == 0) & (values.abs() < LARGEST_FOLD)).all():
        return values.to_numpy("int64"), []
    names = sorted(
        text.unique(),
        key=lambda name: [(len(part), part) if part.isdigit() else (0, part) for part in re.split(r"(\d+)", name)],
    )
    listed = ", ".join(f"{name} is {i}" for i, name in enumerate(names[:SHOWN]))
    more = ", …" if len(names) > SHOWN else ""
    numbers = text.map({name: i for i, name in enumerate(names)}).to_numpy("int64")
    return numbers, [f"The {column}s have names; they are numbered: {listed}{more}."]


def _compare_labels(
    own: pd.DataFrame, label: np.ndarray, classes: tuple[str, ...], answers: PredictionReading, rows: Rows
) -> list[str]:
    """Refuse a table whose own column of labels is not that of the windows: its ids, or its windows, are others."""
    if "label" not in own:
        return []
    text = texts(own["label"]).map(lambda name: answers.classes.get(name, name))
    if not text.isin(classes).all():
        return ["The labels in the table are none of the classes; they were not compared with those of the windows."]
    rows.refuse(
        text.to_numpy() != label,
        "has another label than the window of this id",
        "Check that the ids are those of these windows; leave the column of labels out where labels were changed since.",
    )
    return []


def _classes(
    own: pd.DataFrame, scores: pd.DataFrame, classes: tuple[str, ...], answers: PredictionReading, rows: Rows
) -> tuple[dict[str, Any], list[str]]:
    """The columns of predicted classes and probabilities, as far as the table gives them."""
    columns: dict[str, Any] = {"predicted": [None] * len(own)}
    notes: list[str] = []
    if not scores.empty:
        p, notes = probabilities(scores, classes, answers, rows)
        largest = np.where(np.isnan(p).all(1), "", np.array(classes)[np.nan_to_num(p, nan=-1).argmax(1)])
        columns = {"predicted": largest} | {f"p_{label}": p[:, i] for i, label in enumerate(classes)}
    if "predicted" in own:
        answer, more = predicted(own["predicted"], classes, answers.classes, rows)
        notes += more
        if not scores.empty:
            apart = int(((answer != columns["predicted"]) & (answer != "")).sum())
            notes += (
                [f"In {apart} rows the predicted class is not that of the largest probability; it counts as given."]
                if apart
                else []
            )
            answer = np.where(answer == "", columns["predicted"], answer)
        else:
            notes.append("Only classes are predicted: what needs probabilities is not measured.")
        columns["predicted"] = answer
    return columns, notes


def _complete(table: pd.DataFrame, windows: int, where: str) -> tuple[pd.DataFrame, list[str]]:
    """The windows that every repeat predicts, so that every metric is of the same windows; and what is missing."""
    notes = []
    answered = table["predicted"].notna() & (table["predicted"] != "")
    if answered.any() and not answered.all():
        table = table[answered]
    repeats = table["repeat"].nunique()
    count = table.groupby("window_id")["repeat"].transform("count")
    whole = table[count == repeats]
    if whole.empty:
        raise DataError(
            f"no window is predicted in all of {repeats} repeats.",
            where=where,
            hint="Predict each window once in each repeat, by a model that did not train on it.",
        )
    left = whole["window_id"].nunique()
    if left < windows:
        notes.append(
            f"{windows - left} of {windows} windows are not predicted in every repeat; all figures are of the other {left}."
        )
    whole = whole.sort_values(["repeat", "fold", "window_id"], ignore_index=True)
    pointed = whole["start_pred"].notna() & whole["end_pred"].notna()
    if pointed.any():
        in_all = pointed.groupby(whole["window_id"]).transform("all")
        lacking = whole.loc[~in_all & whole["start_true"].notna(), "window_id"].nunique()
        whole.loc[~in_all, ["start_pred", "end_pred"]] = np.nan
        if lacking:
            notes.append(
                f"{lacking} of {left} windows have no predicted expansion in every repeat; figures of pointers are of the others."
            )
    if whole["label"].nunique() < 2:
        raise DataError("all predicted windows are of one class.", where=where, hint="Give predictions of all windows.")
    return whole, notes


def _refuse_one_fold(table: pd.DataFrame, windows: int, answers: PredictionReading, rows: Rows, what: str) -> None:
    """Ask whether windows that are all in one fold were predicted out of sample, unless it is a part that was held out."""
    alone = table.groupby("repeat")["fold"].nunique().min() < 2
    if alone and table["window_id"].nunique() == windows and not answers.folds:
        raise DataError(
            f"{what}, so that no model could have been trained without them. Had the models trained on them?",
            where=rows.where,
            hint="Give each window the fold in which it was predicted, or say it: --folds out-of-fold where they had not, --folds in-sample where they had.",
        )
