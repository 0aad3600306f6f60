"""How well a run's out-of-fold predictions match the labels: pooled for each repeat, spread over repeats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from moola_core.diagnostics import claims, sampling
from moola_core.diagnostics.results import Confusion, Evaluation, FoldShare, PointerBaseline, Spread
from moola_core.metrics import METRICS, Predictions, measure
from moola_core.metrics.classification import confusion, majority
from moola_core.metrics.pointers import PARTS, TOLERANCES_BARS
from moola_core.metrics.probability import BRIER_CONVENTION
from moola_core.overlap import Overlap
from moola_core.runs.facts import needed
from moola_core.runs.folds import shared_bars
from moola_core.runs.predictions import TRUE_SPAN, PredictionTable
from moola_core.runs.store import Run

BY_CHANCE = 0.05  # how often a fold may have one class by chance before it is called constant


def evaluate(
    predictions: pd.DataFrame,
    window_bars: int,
    sigma_ratios: Mapping[int, float] | None = None,
    shared: Overlap | None = None,
) -> Evaluation:
    """Evaluate a table of out-of-fold predictions.

    Parameters
    ----------
    predictions : DataFrame
        The columns of `predictions.parquet`.
    window_bars : int
        Window length, for errors as fractions of the window.
    sigma_ratios : mapping of int to float, optional
        Mean σ pointer / σ class of each repeat's fits.
    shared : Overlap, optional
        Which windows share bars, for the intervals.

    Returns
    -------
    Evaluation
        Every registered metric, pooled out of fold for each repeat.
    """
    table = PredictionTable(predictions, window_bars)
    rows = []
    for repeat, own in table.repeats():
        ratio = (sigma_ratios or {}).get(repeat)
        rows.append(_measure(own.arrays()) | ({"sigma_ratio": ratio} if ratio is not None else {}))
    first = table.repeat()
    return Evaluation(
        classes=table.classes,
        windows=len(first.frame),
        metrics=_spreads(rows),
        by_repeat=tuple(rows),
        majority=majority(first.target, table.classes),
        confusions=_confusions(table),
        fold_shares=_fold_shares(table),
        pointer_baseline=_constant_pointer(first.frame),
        brier_convention=BRIER_CONVENTION,
        **_supported(table, shared),
    )


def over_folds(table: PredictionTable, metric: str) -> float | None:
    """A metric as the mean over all folds of its value in each, as other reports give it; None where no class was predicted."""
    if not table.has_class:
        return None
    return float(np.mean([measure(own.arrays(), names=[metric])[metric] for _, _, own in table.folds()]))


def evaluate_run(run: Run) -> Evaluation:
    """Evaluate a run's predictions, finished or as far as it has come."""
    facts = run.record.facts
    return evaluate(run.predictions, needed(facts.window_bars, "window_bars"), facts.sigma_ratios, shared_bars(run))


def _supported(table: PredictionTable, known: Overlap | None) -> dict[str, Any]:
    """The intervals of what the predictions beat."""
    grid = table.grid()
    shared = grid.shared(known)
    sampled = sampling.sample(table, shared)
    supported: dict[str, Any] = {"sampled": sampled}
    if table.frame["predicted"].notna().all() and len(table.classes) > 1:
        supported["auroc_within_folds"] = sampled["auroc"].interval if "auroc" in sampled else None
        supported["over_majority"] = claims.beats_majority(grid, shared)
    if "start_pred" in table.frame:
        supported["pointer_gains"] = claims.beats_constant(grid, shared)
    return supported


def _measure(predictions: Predictions) -> dict[str, Any]:
    """Every metric of one repeat as a plain number, None where it is not defined; by class where it has an entry per class."""
    values: dict[str, Any] = {}
    for name, value in measure(predictions).items():
        if METRICS[name].by_class:
            values[name] = dict(zip(predictions.classes, value.tolist(), strict=True))
        else:
            values[name] = float(value) if np.isfinite(value) else None
    return values


def _spreads(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Name to Spread over the repeats; metrics by class nest."""
    names = dict.fromkeys(name for row in rows for name in row)
    spreads: dict[str, Any] = {}
    for name in names:
        values = [row.get(name) for row in rows]
        nested = next((value for value in values if isinstance(value, dict)), None)
        spreads[name] = (
            {key: _spread([row[name][key] for row in rows]) for key in nested} if nested else _spread(values)
        )
    return spreads


def _spread(values: list[Any]) -> Spread:
    known = np.array([value for value in values if value is not None], float)
    if not len(known):
        return Spread(None, None)
    return Spread(float(known.mean()), float(known.std(ddof=1)) if len(known) > 1 else 0.0)


def _confusions(table: PredictionTable) -> tuple[Confusion, ...]:
    """One table over all repeats, then one per repeat."""
    if not table.has_class:
        return ()
    parts: list[tuple[int | None, PredictionTable]] = [(None, table), *table.repeats()]
    return tuple(Confusion(repeat, table.classes, confusion(own.arrays())) for repeat, own in parts)


def _fold_shares(table: PredictionTable) -> tuple[FoldShare, ...]:
    if not table.has_class:
        return ()
    rows = []
    for repeat, fold, own in table.folds():
        counts = np.bincount(own.arrays().predicted, minlength=len(table.classes))
        shares = tuple(float(count) for count in counts / len(own.frame))
        rows.append(FoldShare(repeat, fold, len(own.frame), shares, max(shares) == 1.0))
    frequency = np.bincount(table.target, minlength=len(table.classes)) / len(table.frame)
    by_repeat = {
        repeat: {row.shares for row in rows if row.repeat == repeat} for repeat in {row.repeat for row in rows}
    }
    return tuple(
        replace(row, constant=row.constant and (len(by_repeat[row.repeat]) == 1 or _tells(row, frequency)))
        for row in rows
    )


def _tells(row: FoldShare, frequency: np.ndarray) -> bool:
    """Whether one class in all of a fold's windows is more than chance: few windows, of leave-one-out a single one, have it by themselves."""
    return bool((frequency**row.windows).sum() < BY_CHANCE)


def _constant_pointer(rows: pd.DataFrame) -> PointerBaseline | None:
    """Errors of predicting the median pointer of the other folds for each fold's windows."""
    known = rows[rows[TRUE_SPAN].notna().all(axis=1)]
    if known.empty or known["fold"].nunique() < 2:
        return None
    constant = np.empty((len(known), 2))
    for fold in known["fold"].unique():
        own = (known["fold"] == fold).to_numpy()
        constant[own] = known[~own][TRUE_SPAN].median().to_numpy(float)
    names = [f"{part}_mae_bars" for part in PARTS] + [f"hit_at_{bars}" for bars in TOLERANCES_BARS]
    values = measure(
        Predictions((), np.zeros(len(known), int), span=constant, true_span=known[TRUE_SPAN].to_numpy(float)),
        names=names,
    )
    return PointerBaseline(**{name: float(value) for name, value in values.items()})
