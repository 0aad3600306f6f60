"""How a run divided its windows: which of them each fit trained on, and which share bars."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from moola_core.errors import RunError
from moola_core.overlap import Overlap
from moola_core.specs.aliases import SPLITS

if TYPE_CHECKING:
    import pandas as pd

    from moola_core.runs.store import Run


class FoldRows(NamedTuple):
    """Row numbers of the windows of one fold by their role.

    Attributes
    ----------
    train : ndarray of int
        Windows that the fit was trained on.
    validation : ndarray of int
        Windows on which the best epoch was selected.
    test : ndarray of int
        Windows that the fit predicted.
    purged : ndarray of int
        Windows left out because they share bars with test or validation windows.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    purged: np.ndarray

    @property
    def fitting(self) -> np.ndarray:
        """Train and validation rows in order, without test rows: what a simple model on the same fold may be fitted to."""
        return np.setdiff1d(np.r_[self.train, self.validation], self.test)


class Folds:
    """The rows of `folds.parquet`: the role of each window in each fold of each repeat.

    Parameters
    ----------
    table : DataFrame or mapping of str to ndarray
        The columns repeat, fold, window_id and role; and the places of the windows, or their groups in runs of earlier versions.
    window_id : sequence of str, optional
        The windows that row numbers refer to; by default those of the table, in the order in which they first occur.

    Attributes
    ----------
    window_id : tuple of str
        The windows that row numbers refer to.
    shared : Overlap or None
        Which windows share bars; None where the table does not tell.

    Examples
    --------
    >>> columns = {"repeat": [0, 0, 0], "fold": [1, 1, 1], "window_id": ["b", "c", "a"], "role": ["train", "inner", "test"]}
    >>> folds = Folds(columns, window_id=["a", "b", "c"])
    >>> list(folds)
    [(0, 1)]
    >>> folds.rows(0, 1).test.tolist(), folds.rows(0, 1).fitting.tolist()
    ([0], [1, 2])
    """

    def __init__(
        self, table: pd.DataFrame | Mapping[str, np.ndarray], window_id: Sequence[str] | np.ndarray | None = None
    ) -> None:
        names = [str(name) for name in table["window_id"]]
        windows: Iterable[str] = dict.fromkeys(names) if window_id is None else map(str, window_id)
        place = {name: i for i, name in enumerate(windows)}
        self.window_id = tuple(place)
        self._row = np.array([place[name] for name in names], int)
        self._role = np.array([SPLITS.get(role, role) for role in map(str, table["role"])])
        self._fit = np.stack([np.asarray(table[name], int) for name in ("repeat", "fold")], axis=1)
        self.shared = _shared(table, names)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """The repeat and fold of each fit, in order."""
        for repeat, fold in np.unique(self._fit, axis=0):
            yield int(repeat), int(fold)

    def rows(self, repeat: int, fold: int) -> FoldRows:
        """Row numbers by role in one fold, in the order of the table."""
        own = (self._fit == (repeat, fold)).all(1)
        return FoldRows(*(self._row[own & (self._role == role)] for role in FoldRows._fields))


def place_columns(shared: Overlap, rows: np.ndarray) -> dict[str, np.ndarray]:
    """The columns of folds.parquet that tell which of the windows in `rows` share bars."""
    columns = {"window_bars": np.full(len(rows), shared.window_bars)}
    for i, way in enumerate(shared.ways()):
        columns |= {f"{name}_{i}": values[rows] for name, values in zip(("series", "first"), way, strict=True)}
    return columns


def _shared(table: pd.DataFrame | Mapping[str, np.ndarray], names: Sequence[str]) -> Overlap | None:
    """From the places of the windows, or from their groups, which are all that earlier versions kept."""
    _, once = np.unique(names, return_index=True)
    window_id = np.array(names, object)[once]
    if "series_0" in table:
        ways = [i for i in (0, 1) if f"series_{i}" in table]
        series, first = (
            np.stack([np.asarray(table[f"{part}_{i}"], int)[once] for i in ways], axis=1)
            for part in ("series", "first")
        )
        return Overlap(series, first, int(np.asarray(table["window_bars"])[0]), window_id)
    return Overlap.of_groups(np.asarray(table["group"], int)[once], window_id) if "group" in table else None


def shared_bars(run: Run) -> Overlap | None:
    """Which windows of the run share bars; None for a run that keeps no folds, or of a version that did not keep it."""
    try:
        table = run.folds
    except RunError:
        return None
    return Folds(table).shared
