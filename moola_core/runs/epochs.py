"""The epochs of a run as columns, made of its events."""

from __future__ import annotations

import numpy as np

from moola_core.runs.store import Run

KEYS = ("repeat", "fold", "epoch", "split")
VALUES = ("loss", "loss_class", "loss_pointer", "sigma_class", "sigma_pointer", "lr")


def epoch_columns(run: Run) -> dict[str, np.ndarray]:
    """One row an epoch and split: repeat, fold, epoch, split, losses, σ and learning rate; nan where an event has no such value."""
    events = [event for event in run.events() if event["type"] == "epoch"]
    columns: dict[str, np.ndarray] = {key: np.array([event.get(key) for event in events]) for key in KEYS}
    for name in VALUES:
        values = [event.get("values", {}).get(name) for event in events]
        columns[name] = np.array([np.nan if value is None else value for value in values], dtype=float)
    return columns
