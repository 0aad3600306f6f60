"""One fit of each simple model, timed: no network, so that it tells how fast this processor's cores are beside a network's steps."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from moola_core.features.catalog import names
from moola_core.features.matrix import window_matrix
from moola_core.market.demo import make_demo
from moola_core.presets import preset
from moola_core.specs import Features, change
from moola_core.training.baselines import fit_baseline
from moola_core.training.folds import Fold
from moola_core.training.inputs import Inputs

# About how many seconds each takes with what it needs, on two cores.
QUICK = {"extra_trees": 2.0, "locate_then_classify": 4.5}
ALL = QUICK | {"minirocket": 10.0, "quant": 6.0}
BARS, WINDOWS, FOLDS = 40_000, 174, 5


@lru_cache(1)
def windows() -> Inputs:
    """The labelled windows of a demo market."""
    own = make_demo("helpful", BARS, WINDOWS, 7).windows
    features = Features()
    rows = np.arange(len(own))
    return Inputs(
        x=window_matrix(own, features),
        label=own.label,
        start=own.start,
        end=own.end,
        window_id=own.window_id,
        series=rows,
        first=105 * rows,
        features=tuple(names(features.columns)),
        prices=own.prices,
    )


def seconds_of_fit(name: str) -> float:
    """Seconds of one fit and its predictions, the second of two: the first one loads and compiles what it needs."""
    inputs, spec = windows(), change(preset("quick").finetune(), {"estimator": name})
    rows = np.arange(len(inputs.label))
    fold = Fold(0, 0, rows[rows % FOLDS > 1], rows[rows % FOLDS == 1], rows[rows % FOLDS == 0], rows[:0])
    return min(fit_baseline(spec, inputs, fold).seconds for _ in range(2))
