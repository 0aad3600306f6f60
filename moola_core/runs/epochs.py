"""The epochs of a run as columns, made of its events."""

from __future__ import annotations

from typing import Any

import numpy as np

from moola_core.runs.event_file import EventReader
from moola_core.runs.store import Run

KEYS = ("repeat", "fold", "epoch", "split")
VALUES = ("loss", "loss_class", "loss_pointer", "sigma_class", "sigma_pointer", "lr")
TYPES = ("epoch", "monitor")
OF_CLASS = "."  # between a metric and the class that it is of, in the name of a column


def epoch_columns(run: Run) -> dict[str, np.ndarray]:
    """One row an epoch and split, as `EpochReader.columns`."""
    return EpochReader(run).columns()


class EpochReader:
    """The epochs of a run, of which each call of `columns` reads what is new.

    Of a file of events that is too large to be read in a second, the columns hold a sample; `share` is how much of it was read.
    """

    def __init__(self, run: Run) -> None:
        self._events = EventReader(run.folder)
        self._rows: list[dict[str, Any]] = []
        self._columns: dict[str, np.ndarray] | None = None

    @property
    def share(self) -> float:
        return self._events.share

    def columns(self) -> dict[str, np.ndarray]:
        """One row an epoch and split: repeat, fold, epoch, split, losses, σ and learning rate; and one row for each time that the fit was
        monitored on its validation windows: its metrics, ``recall.CLASS`` for each class, conflict and projection rate. nan where an event has no
        such value.
        """
        events, from_start = self._events.read_from_start()
        if from_start:
            self._rows = []
        new = [_row(event) for event in events if event["type"] in TYPES]
        if new or from_start or self._columns is None:
            self._rows += new
            self._columns = _columns(self._rows)
        return self._columns


def _row(event: dict[str, Any]) -> dict[str, Any]:
    row = {key: event.get(key) for key in KEYS}
    for name, value in event.get("values", {}).items():
        if isinstance(value, dict):
            row |= {f"{name}{OF_CLASS}{label}": one for label, one in value.items()}
        elif isinstance(value, int | float):
            row[name] = value
    return row


def _columns(rows: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    columns: dict[str, np.ndarray] = {key: np.array([row[key] for row in rows]) for key in KEYS}
    names = dict.fromkeys([*VALUES, *(name for row in rows for name in row if name not in KEYS)])
    return columns | {name: np.array([_number(row.get(name)) for row in rows], dtype=float) for name in names}


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else float("nan")
