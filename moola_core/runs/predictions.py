"""The out-of-fold predictions of a run, read in one place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from moola_core.metrics import Predictions
from moola_core.overlap import Overlap

if TYPE_CHECKING:
    import pandas as pd

PROBABILITY = "p_"
STATED = "p_span"  # the stated probability that the expansion's center lies within 3 bars of the predicted one
UNUSUAL = "conformal_p"  # (k + 1) / (n + 1), where k of n labelled windows state no more than a predicted one
TRUE_SPAN, SPAN = ["start_true", "end_true"], ["start_pred", "end_pred"]


def is_class(column: str, labels: Iterable[str]) -> bool:
    """Whether the column holds the probabilities of one of the labels that occur."""
    return column.removeprefix(PROBABILITY) in {str(label) for label in labels}


class PredictionTable:
    """The rows of `predictions.parquet`: one per window and repeat.

    Parameters
    ----------
    frame : DataFrame
        The columns of `predictions.parquet`, or of `predicted.parquet`, which has no labels.
    window_bars : int, default 1
        Window length, for errors as fractions of the window.

    Attributes
    ----------
    classes : tuple of str
        Classes that have a column of probabilities, in the order of the columns; without such columns the labels that occur, sorted.
    has_class, has_probabilities, has_pointer : bool
        Whether a class, whether probabilities of the classes, and whether a pointer was predicted.
    """

    def __init__(self, frame: pd.DataFrame, window_bars: int = 1) -> None:
        self.frame, self.window_bars = frame, window_bars
        labels = frame["label"] if "label" in frame else frame.get("predicted", ())  # new windows have no labels
        named = tuple(
            str(name)[len(PROBABILITY) :]
            for name in frame
            if str(name).startswith(PROBABILITY) and (name != STATED or is_class(STATED, labels))
        )
        self.classes = named or tuple(sorted(set(map(str, labels))))
        self.columns = [PROBABILITY + name for name in named]

    @cached_property
    def has_class(self) -> bool:
        needed = [*self.columns, *(["predicted"] if "predicted" in self.frame else [])]
        return bool(needed) and len(self.frame) > 0 and bool(self.frame[needed].notna().to_numpy().all())

    @property
    def has_probabilities(self) -> bool:
        return bool(self.columns) and self.has_class

    @cached_property
    def has_pointer(self) -> bool:
        return "start_pred" in self.frame and bool(self.frame["start_pred"].notna().any())

    def repeats(self) -> Iterator[tuple[int, PredictionTable]]:
        """The rows of each repeat, in order."""
        for repeat, rows in self.frame.groupby("repeat", sort=True):
            yield int(repeat), self._of(rows)

    def folds(self) -> Iterator[tuple[int, int, PredictionTable]]:
        """The rows of each fold of each repeat, in order."""
        for (repeat, fold), rows in self.frame.groupby(["repeat", "fold"], sort=True):
            yield int(repeat), int(fold), self._of(rows)

    def repeat(self, repeat: int | None = None) -> PredictionTable:
        """The rows of one repeat, the first unless given."""
        rows = self.frame["repeat"]
        return self._of(self.frame[rows == (rows.min() if repeat is None else repeat)])

    def _of(self, rows: pd.DataFrame) -> PredictionTable:
        part = PredictionTable(rows, self.window_bars)
        part.classes = self.classes
        return part

    @property
    def stated(self) -> np.ndarray | None:
        """Stated probability [n] that the center lies within 3 bars of the predicted one; None where the model states none."""
        known = STATED in self.frame and STATED not in self.columns
        return self.frame[STATED].to_numpy(float) if known else None

    @property
    def target(self) -> np.ndarray:
        """True class numbers [n]."""
        return self.number(self.frame["label"].to_numpy())

    def number(self, names: np.ndarray) -> np.ndarray:
        """The numbers of these classes, in the shape of `names`; -1 for a name that is none of them."""
        place = {name: number for number, name in enumerate(self.classes)}
        return np.array([place.get(str(name), -1) for name in names.ravel()], int).reshape(names.shape)

    @property
    def probabilities(self) -> np.ndarray:
        """Predicted probabilities [n, C]."""
        return self.frame[self.columns].to_numpy(float)

    @property
    def true_probability(self) -> np.ndarray:
        """Predicted probability of the true class [n]; nan where the table has no column for it."""
        target = self.target if self.columns else np.full(len(self.frame), -1)
        padded = np.c_[self.probabilities, np.full(len(target), np.nan)]
        return padded[np.arange(len(target)), target]

    @property
    def by_class(self) -> dict[str, np.ndarray]:
        """Predicted probabilities [n] of each class; empty where there are none."""
        return dict(zip(self.classes, self.probabilities.T, strict=True)) if self.columns else {}

    def arrays(self) -> Predictions:
        """The rows as arrays without leading dimensions, in the table's order."""
        rows, pointer = self.frame, self.has_pointer
        return Predictions(
            self.classes,
            self.target,
            self.probabilities if self.has_probabilities else None,
            rows[SPAN].to_numpy(float) if pointer else None,
            rows[TRUE_SPAN].to_numpy(float) if pointer else None,
            self.window_bars,
            self.number(rows["predicted"].to_numpy()) if self.has_class and "predicted" in rows else None,
            rows["fold"].to_numpy(int) if "fold" in rows else None,
        )

    def grid(self, window_id: Sequence[str] | None = None) -> Grid:
        """The rows as arrays of repeats and windows, the windows in this order or sorted."""
        return Grid(self, window_id)


class Grid:
    """Predictions as arrays of shape (R, n): repeats, and windows. A repeat may lack a window.

    Parameters
    ----------
    table : PredictionTable
        The rows; without a column window_id, windows are numbered within each repeat.
    window_id : sequence of str, optional
        The windows in the wanted order; by default all of them, sorted.

    Attributes
    ----------
    windows : ndarray, shape (n,)
        The windows' ids.
    repeats : ndarray of int, shape (R,)
        The repeats' numbers.
    present : ndarray of bool, shape (R, n)
        Whether the repeat predicted the window.
    fold : ndarray of int, shape (R, n)
        The test fold of each window; -1 where the repeat lacks it.
    """

    def __init__(self, table: PredictionTable, window_id: Sequence[str] | None = None) -> None:
        frame = table.frame
        named = "window_id" in frame
        ids = frame["window_id"].astype(str) if named else frame.groupby("repeat").cumcount()
        known, place = np.unique(ids.to_numpy(), return_inverse=True)
        self.repeats, repeat = np.unique(frame["repeat"].to_numpy(), return_inverse=True)
        row = np.full((len(self.repeats), len(known)), -1)  # -1: the row of missing values after the last
        row[repeat, place] = np.arange(len(frame))
        self.windows = known if window_id is None else np.array([str(name) for name in window_id])
        at = {name: i for i, name in enumerate(known)}
        self._row = row if window_id is None else row[:, [at[name] for name in self.windows]]
        self._table = table
        self.present = self._row >= 0
        self.fold = np.nan_to_num(self.numbers("fold"), nan=-1).astype(int)

    def numbers(self, column: str) -> np.ndarray:
        """One column as floats, shape (R, n); nan where a repeat lacks the window."""
        return self._stacked([column])[..., 0]

    def _stacked(self, columns: list[str]) -> np.ndarray:
        values = self._table.frame[columns].to_numpy(float)
        return np.vstack([values, np.full((1, len(columns)), np.nan)])[self._row]

    def words(self, column: str) -> np.ndarray:
        """One column as text, shape (R, n); empty where a repeat lacks the window."""
        return np.append(self._table.frame[column].astype(str).to_numpy(object), "")[self._row]

    @cached_property
    def label(self) -> np.ndarray:
        """The class of each window, shape (n,), as the first repeat that has the window gives it."""
        first = self.present.argmax(0)
        return self.words("label")[first, np.arange(len(self.windows))].astype(str)

    @property
    def target(self) -> np.ndarray:
        """The class number of each window, shape (n,)."""
        return self._table.number(self.label)

    def probabilities(self, classes: Sequence[str] | None = None) -> np.ndarray:
        """Predicted probabilities, shape (R, n, C), of these classes, by default of all in the order of the table."""
        names = self._table.classes if classes is None else classes
        return self._stacked([PROBABILITY + name for name in names])

    def predictions(self) -> Predictions:
        """The predictions with repeats as leading dimension. Every repeat must have every window."""
        table, pointer = self._table, self._table.has_pointer
        answered = table.has_class and "predicted" in table.frame
        return Predictions(
            table.classes,
            np.repeat(self.target[None], len(self.fold), axis=0),
            self.probabilities() if table.has_probabilities else None,
            self._stacked(SPAN) if pointer else None,
            self._stacked(TRUE_SPAN) if pointer else None,
            table.window_bars,
            table.number(self.words("predicted")) if answered else None,
            self.fold,
        )

    def shared(self, known: Overlap | None) -> Overlap:
        """Which of the windows share bars; none where that is not known of all of them."""
        return Overlap.none(len(self.windows)) if known is None else known.of(self.windows)
