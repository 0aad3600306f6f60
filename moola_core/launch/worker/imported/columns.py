"""Which column of somebody's predictions is which."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from moola_core.arguments import a_path
from moola_core.errors import UNREADABLE, DataError, nearest
from moola_core.market.readers import read_table

NAMES: dict[str, tuple[str, ...]] = {
    "window_id": ("window_id", "window", "id", "sample_id", "sample", "example_id", "uid", "key", "name", "row_id"),
    "repeat": ("repeat", "rep", "cv_repeat", "repetition", "iteration", "seed", "run"),
    "fold": ("fold", "cv_fold", "fold_id", "test_fold", "kfold", "outer_fold", "fold_number", "cv"),
    "role": ("role", "split", "set", "subset", "partition"),
    "predicted": (
        "predicted",
        "prediction",
        "pred",
        "y_pred",
        "predicted_class",
        "predicted_label",
        "pred_class",
        "pred_label",
        "yhat",
        "y_hat",
        "label_pred",
        "class_pred",
    ),
    "label": (
        "label",
        "y_true",
        "true_label",
        "true_class",
        "label_true",
        "target",
        "truth",
        "actual",
        "ground_truth",
        "y",
    ),
    "start_pred": (
        "start_pred",
        "pred_start",
        "predicted_start",
        "start_hat",
        "expansion_start",
        "expansion_start_pred",
        "start",
    ),
    "end_pred": ("end_pred", "pred_end", "predicted_end", "end_hat", "expansion_end", "expansion_end_pred", "end"),
    "center_pred": ("center_pred", "pred_center", "predicted_center", "centre_pred", "center", "centre"),
    "length_pred": ("length_pred", "pred_length", "predicted_length", "length", "width_pred"),
}
PROBABILITY = (
    "p",
    "prob",
    "proba",
    "probability",
    "pred_proba",
    "y_proba",
    "conf",
    "confidence",
    "score",
    "logit",
    "logits",
    "logprob",
    "log_prob",
)
NEEDED = "Give window_id, fold and {}; repeat, start_pred and end_pred if you have them."


@dataclass(frozen=True)
class PredictionReading:
    """What the user says of a table of predictions where it does not show it itself.

    Attributes
    ----------
    columns : mapping of str to str
        Our names of columns (``window_id``, ``fold``, ``p_<class>``, …) to those in the table.
    classes : mapping of str to str
        Names of classes in the table to those of the windows.
    logits : bool
        Whether scores are turned into probabilities by the softmax, or for one column by the logistic function.
    folds : {"", "out-of-fold", "in-sample"}
        Where there are no folds: whether the models that predicted a window had not trained on it, or had.
    pointers : {"", "bars", "fractions", "times"}
        The unit of predicted starts and ends; recognised unless given.
    in_order : bool
        Whether the rows are in the order of the windows, where the table has no ids.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    classes: Mapping[str, str] = field(default_factory=dict)
    logits: bool = False
    folds: Literal["", "out-of-fold", "in-sample"] = ""
    pointers: Literal["", "bars", "fractions", "times"] = ""
    in_order: bool = False


def table_of(source: str | Path | pd.DataFrame | Mapping[str, Any]) -> tuple[pd.DataFrame, str]:
    """The rows of a file, of a data frame or of arrays by name, and what errors call it. Raises DataError."""
    if isinstance(source, pd.DataFrame):
        table, where = source, "predictions"
    elif isinstance(source, Mapping):
        table, where = _of_arrays(source, "predictions"), "predictions"
    else:
        path = Path(a_path(source, "predictions"))
        if not path.is_file():
            raise DataError("no such file.", where=str(path), hint="Check the path.")
        table, where = (_of_archive(path) if path.suffix.lower() == ".npz" else read_table(path)), str(path)
    table = _flat(table)
    if table.index.name and table.index.name not in table:
        table = table.reset_index()
    if not len(table):
        raise DataError("it holds no rows.", where=where, hint="Export the predictions again.")
    return table.rename(columns=str).reset_index(drop=True), where


def _flat(table: pd.DataFrame) -> pd.DataFrame:
    """The table with each column of mappings from class to number as a column for each class."""
    for name in [name for name in table if table[name].dtype == object]:
        rows = table[name]
        if rows.map(lambda value: isinstance(value, Mapping)).any():
            kind = "logit" if "logit" in str(name).lower() else "p"
            keys = dict.fromkeys(str(key) for value in rows if isinstance(value, Mapping) for key in value)
            columns = {
                f"{kind}_{key}": [dict(value).get(key) if isinstance(value, Mapping) else None for value in rows]
                for key in keys
            }
            table = table.drop(columns=name).assign(**columns)
    return table


def _of_archive(path: Path) -> pd.DataFrame:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return _of_arrays({name: archive[name] for name in archive.files}, str(path))
    except UNREADABLE as error:
        raise DataError(
            f"cannot be read: {str(error).splitlines()[0] if str(error) else type(error).__name__}.",
            where=str(path),
            hint="Save it with numpy.savez, ids as texts (dtype str).",
        ) from None


def _of_arrays(arrays: Mapping[str, Any], where: str) -> pd.DataFrame:
    """Arrays of one length n by name; those of shape [n, C] are of the classes that the array `classes` names."""
    given = {str(name): _array(values) for name, values in arrays.items()}
    names = given.pop("classes", None)
    wide = {name: values for name, values in given.items() if values.ndim == 2}
    if wide and (names is None or any(values.shape[1] != len(names) for values in wide.values())):
        name, values = next(iter(wide.items()))
        raise DataError(
            f"{name} has shape {values.shape}, and {'there are no classes' if names is None else f'classes has {len(names)} names'}.",
            where=where,
            hint="Give an array classes with a name for each column, in their order.",
        )
    lengths = {name: len(values) if values.ndim in (1, 2) else -1 for name, values in given.items()}
    if len(set(lengths.values())) != 1 or -1 in lengths.values():
        shapes = ", ".join(f"{name} {values.shape}" for name, values in given.items()) or "no arrays"
        raise DataError(
            f"its arrays differ in length: {shapes}.", where=where, hint="Give one entry for each predicted window."
        )
    columns: dict[str, Any] = {name: values for name, values in given.items() if values.ndim == 1}
    for name, values in wide.items():
        kind = "logit" if "logit" in name.lower() else "p"
        columns |= {f"{kind}_{label}": values[:, i] for i, label in enumerate(map(str, names))}  # type: ignore[arg-type]
    return pd.DataFrame(columns)


def _array(values: Any) -> np.ndarray:
    if hasattr(values, "detach"):  # a tensor of torch
        values = values.detach().cpu()
    return np.asarray(values)


@dataclass(frozen=True)
class Recognised:
    """Columns under our names, the columns of classes by class, and notes on how they were recognised."""

    table: pd.DataFrame
    scores: pd.DataFrame
    notes: list[str]


def recognise(table: pd.DataFrame, classes: Sequence[str], answers: PredictionReading, where: str) -> Recognised:
    """The columns of the table by what they mean. Raises DataError that names what is missing or given twice."""
    _refuse_twice(table, where)
    of_class = {f"p_{label}": label for label in classes}
    for ours, theirs in answers.columns.items():
        if theirs not in table:
            raise DataError(f"it has no column {theirs}.", where=where, hint=nearest(theirs, map(str, table.columns)))
        if ours not in NAMES and ours not in of_class:
            known = [*NAMES, *of_class]
            raise DataError(f"no column is called {ours} here.", where=where, hint=nearest(ours, known))
    columns: dict[str, str] = {ours: theirs for ours, theirs in answers.columns.items() if ours in NAMES}
    taken = set(answers.columns.values())
    scores = {of_class[ours]: theirs for ours, theirs in answers.columns.items() if ours not in NAMES}
    scores = scores or _scores([str(name) for name in table if name not in taken], classes, answers.classes)
    taken |= set(scores.values())
    for ours, names in NAMES.items():
        if ours not in columns:
            match = _first([str(name) for name in table if name not in taken], names)
            if match and not (ours == "role" and not _is_role(table[match])):
                columns[ours] = match
                taken.add(match)
    if "fold" not in columns and (split := _first([str(name) for name in table if name not in taken], NAMES["role"])):
        columns["fold"] = split
    renamed = {theirs: ours for ours, theirs in columns.items() if ours != theirs}
    notes = (
        [f"Columns read as: {', '.join(f'{theirs} as {ours}' for theirs, ours in renamed.items())}."] if renamed else []
    )
    own = pd.DataFrame({ours: table[theirs] for ours, theirs in columns.items()}, index=table.index)
    return Recognised(
        own, pd.DataFrame({label: table[name] for label, name in scores.items()}, index=table.index), notes
    )


def _refuse_twice(table: pd.DataFrame, where: str) -> None:
    names = [str(name) for name in table]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"it has more than one column {twice[0]}.", where=where, hint="Give each column its own name.")


def _scores(names: Sequence[str], classes: Sequence[str], mapped: Mapping[str, str]) -> dict[str, str]:
    """The columns of classes, by class: those of one kind that has all classes, else of one that has one of two."""
    written = {
        label: {plain(label)} | {plain(theirs) for theirs, ours in mapped.items() if ours == label} for label in classes
    }
    families: dict[str, dict[str, str]] = {}
    for name in names:
        for label, spellings in written.items():
            for kind in (*PROBABILITY, ""):
                forms = (
                    {f"{kind}_{text}" for text in spellings} | {f"{text}_{kind}" for text in spellings}
                    if kind
                    else spellings
                )
                if name == f"p_{label}" or plain(name) in forms:
                    families.setdefault("p" if name == f"p_{label}" else kind, {}).setdefault(label, name)
    whole = [family for kind in (*PROBABILITY, "") if (family := families.get(kind)) and len(family) == len(classes)]
    if whole:
        return whole[0]
    part = [family for kind in (*PROBABILITY, "") if (family := families.get(kind))]
    return part[0] if part else {}


def plain(text: str) -> str:
    """A name without case, and with one underscore for whatever separates its parts."""
    return re.sub(r"[\W_]+", "_", text.casefold()).strip("_")


def _first(names: Iterable[str], wanted: Sequence[str]) -> str:
    by_plain: dict[str, str] = {}
    for name in names:
        by_plain.setdefault(plain(name), name)
    return next((by_plain[name] for name in wanted if name in by_plain), "")


def _is_role(column: pd.Series) -> bool:
    """Whether the values are names of parts such as train and test, and no folds."""
    values = {plain(str(value)) for value in column.dropna().unique()}
    return bool(values) and values <= {
        "train",
        "training",
        "test",
        "testing",
        "val",
        "valid",
        "validation",
        "dev",
        "inner",
        "oof",
        "holdout",
    }
