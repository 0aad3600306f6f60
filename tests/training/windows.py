"""Small synthetic windows with a signal, and specs to fit them in a second."""

from __future__ import annotations

from typing import Any

import numpy as np

from moola_core.specs import Finetune, change
from moola_core.training.inputs import Inputs


def make_inputs(n: int = 40, length: int = 12, classes: int = 2, seed: int = 0, signal: float = 2.0) -> Inputs:
    """Windows of two features: the first carries the class, the second a bump at the pointer. None share bars."""
    rng = np.random.default_rng(seed)
    label = np.arange(n) % classes
    x = rng.normal(0, 1, (n, length, 2)).astype(np.float32)
    x[:, :, 0] += signal * (label[:, None] - (classes - 1) / 2)
    start = rng.integers(1, length - 4, n)
    for i, at in enumerate(start):
        x[i, at : at + 3, 1] += 3 * signal
    names = np.array([f"class{i}" for i in label], object)
    ids = np.array([f"w{i}" for i in range(n)], object)
    return Inputs(
        x, names, start.astype(float), start + 2.0, ids, np.zeros(n, np.int64), np.arange(n) * length * 2, ("a", "b")
    )


def make_spec(**changes: Any) -> Finetune:
    """A tiny spec; `changes` by last name."""
    small = {
        "hidden": 6,
        "dropout": 0.2,
        "epochs": 4,
        "batch_size": 8,
        "learning_rate": 0.02,
        "folds": 3,
        "repeats": 1,
        "eval_every_epochs": 2,
        "patience": None,
        "processes": 1,
    }
    return change(Finetune(), small | changes)
