"""Small made-up inputs whose class and pointer can be learned."""

from __future__ import annotations

import numpy as np

from moola_core.specs import Finetune, build, change
from moola_core.training.device import Device
from moola_core.training.folds import Fold
from moola_core.training.inputs import Inputs

CPU = Device("cpu", "cpu", "float32")


def toy_inputs(n: int = 60, bars: int = 20, classes: tuple[str, ...] = ("a", "b"), seed: int = 0) -> Inputs:
    """Windows apart from each other; a bump whose sign is the class and whose place is the pointer."""
    random = np.random.default_rng(seed)
    x = random.standard_normal((n, bars, 3)).astype(np.float32)
    target = np.arange(n) % len(classes)
    start = random.integers(0, bars - 8, n).astype(float)
    for i in range(n):
        x[i, int(start[i]) : int(start[i]) + 7, 0] += 3.0 * (target[i] - (len(classes) - 1) / 2)
        x[i, int(start[i]) : int(start[i]) + 7, 1] += 3.0
    return Inputs(
        x=x,
        label=np.array(classes, object)[target],
        start=start,
        end=start + 6,
        window_id=np.array([f"w{i}" for i in range(n)], object),
        series=np.zeros(n, np.int64),
        first=np.arange(n, dtype=np.int64) * 1000,
        features=("one", "two", "three"),
    )


def toy_fold(n: int = 60) -> Fold:
    """The first three fifths train, the next fifth is inner, the last test."""
    rows = np.arange(n)
    return Fold(0, 0, rows[: 3 * n // 5], rows[3 * n // 5 : 4 * n // 5], rows[4 * n // 5 :], rows[:0])


def toy_spec(**changes: object) -> Finetune:
    """A fit of a second or less, with settings changed by their last names."""
    spec = build(
        Finetune,
        {
            "model": {"hidden": 8, "dropout": 0.2},
            "training": {"epochs": 4, "batch": 12, "learning_rate": 5e-3, "device": "cpu", "monitor_every": 2},
        },
    )
    return change(spec, changes)
