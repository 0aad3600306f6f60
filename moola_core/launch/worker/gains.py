"""What an experiment of the doctor gains over the run as it is, on windows and folds that both have."""

from __future__ import annotations

import numpy as np
import pandas as pd

from moola_core.diagnostics.comparison import arm_predictions, influences
from moola_core.diagnostics.intervals import TWO_MODELS, estimate
from moola_core.diagnostics.repairs import JUDGED, MOST
from moola_core.diagnostics.results.experiments import MetricGain
from moola_core.launch.worker.differing import division
from moola_core.metrics import better
from moola_core.runs.folds import shared_bars
from moola_core.runs.store import Run

LEVEL = 1 - 0.05 / len(JUDGED) / 2  # each is looked at again with more repeats, which are much the same windows
LEVEL_OF_REPAIRS = 1 - 0.05 / len(JUDGED) / MOST


def gains_over(about: Run, child: Run) -> tuple[MetricGain, ...]:
    """What the child gains over as many repeats of the run, fold for fold; empty where their windows or folds are not the same."""
    tables = _tables(about, child)
    if division(tables["own"]) != division(tables["other"]):
        return ()
    return _gains(about, tables, LEVEL)


def gains_of_repair(about: Run, child: Run) -> tuple[MetricGain, ...]:
    """What the child, fitted to mended windows, gains over as many repeats of the run on those windows that both have.

    Each is judged by its own labels. The classes divide the windows into folds, so the folds may differ.
    """
    tables = _tables(about, child)
    both = set(tables["own"]["window_id"].astype(str)) & set(tables["other"]["window_id"].astype(str))
    kept = {name: table[table["window_id"].astype(str).isin(both)] for name, table in tables.items()}
    return _gains(about, kept, LEVEL_OF_REPAIRS)


def _tables(about: Run, child: Run) -> dict[str, pd.DataFrame]:
    """The predictions of both in the repeats of the child."""
    first = range(child.spec.training.repeats)
    both = {"own": about.predictions, "other": child.predictions}
    return {name: table[table["repeat"].isin(first)] for name, table in both.items()}


def _gains(about: Run, tables: dict[str, pd.DataFrame], level: float) -> tuple[MetricGain, ...]:
    """What the other table gains over the own one, window by window."""
    shared = shared_bars(about)
    if shared is None:
        return ()
    names = sorted(tables["own"]["window_id"].astype(str).unique())
    values = {name: influences(arm_predictions(table, shared, names)) for name, table in tables.items()}
    gains = []
    for metric in JUDGED:
        if all(metric in one for one in values.values()):
            sign = 1 if better(metric) == "higher" else -1
            change_of = estimate(sign * (values["other"][metric] - values["own"][metric]), shared.of(names), TWO_MODELS)
            if change_of is not None:
                own, other = (float(np.nanmean(values[name][metric])) for name in ("own", "other"))
                gains.append(MetricGain(metric, own, other, change_of.interval(level)))
    return tuple(gains)
