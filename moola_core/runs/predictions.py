"""The out-of-fold predictions of a run, read in one place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from moola_core.metrics import Predictions

if TYPE_CHECKING:
    import pandas as pd

PROBABILITY = "p_"
TRUE_SPAN, SPAN = ["start_true", "end_true"], ["start_pred", "end_pred"]


class PredictionTable:
    """The rows of `predictions.parquet`: one per window and repeat.

    Parameters
    ----------
    frame : DataFrame
        The columns of `predictions.parquet`.
    window_bars : int, default 1
        Window length, for errors as fractions of the window.

    Attributes
    ----------
    classes : tuple of str
        Classes that have a column of probabilities, in the order of the columns; without such columns the labels that occur, sorted.
    has_class, has_pointer : bool
        Whether a class, and whether a pointer was predicted.
    """

    def __init__(self, frame: pd.DataFrame, window_bars: int = 1) -> None:
        self.frame, self.window_bars = frame, window_bars
        named = tuple(str(name)[len(PROBABILITY) :] for name in frame if str(name).startswith(PROBABILITY))
        self.classes = named or tuple(sorted(frame["label"].astype(str).unique()))
        self.columns = [PROBABILITY + name for name in named]

    @cached_property
    def has_class(self) -> bool:
        needed = [*self.columns, *(["predicted"] if "predicted" in self.frame else [])]
        return bool(self.columns) and len(self.frame) > 0 and bool(self.frame[needed].notna().to_numpy().all())

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
    def target(self) -> np.ndarray:
        """True class numbers [n]."""
        return self._numbers("label")

    def _numbers(self, column: str) -> np.ndarray:
        place = {name: number for number, name in enumerate(self.classes)}
        return np.array([place.get(name, -1) for name in self.frame[column].astype(str)], int)

    @property
    def probabilities(self) -> np.ndarray:
        """Predicted probabilities [n, C]."""
        return self.frame[self.columns].to_numpy(float)

    def arrays(self) -> Predictions:
        """The rows as arrays without leading dimensions, in the table's order."""
        rows, pointer = self.frame, self.has_pointer
        return Predictions(
            self.classes,
            self.target,
            self.probabilities if self.has_class else None,
            rows[SPAN].to_numpy(float) if pointer else None,
            rows[TRUE_SPAN].to_numpy(float) if pointer else None,
            self.window_bars,
            self._numbers("predicted") if self.has_class and "predicted" in rows else None,
        )

    def in_order(self, window_id: Sequence[str]) -> tuple[Predictions, np.ndarray]:
        """Predictions with repeats as leading dimension, shape (S, n), of the windows in this order; and each one's test fold [S, n]."""
        place: Mapping[str, int] = {name: i for i, name in enumerate(window_id)}
        rows = self.frame[self.frame["window_id"].isin(place)]
        rows = rows.assign(_place=rows["window_id"].map(place)).sort_values(["repeat", "_place"], kind="stable")
        shape = (rows["repeat"].nunique(), len(place))
        flat = self._of(rows).arrays()
        folded = {
            name: None if part is None else part.reshape(*shape, *part.shape[1:])
            for name in ("target", "probabilities", "span", "true_span", "answered")
            for part in [getattr(flat, name)]
        }
        target = folded.pop("target")
        assert target is not None
        return Predictions(self.classes, target, window_bars=self.window_bars, **folded), rows["fold"].to_numpy(
            int
        ).reshape(shape)
