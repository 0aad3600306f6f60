"""How well a run's out-of-fold predictions match the labels: pooled for each repeat, spread over repeats."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from moola_core.diagnostics import claims
from moola_core.diagnostics.results import Confusion, Evaluation, FoldShare, PointerBaseline, Spread
from moola_core.errors import RunError
from moola_core.metrics import classification, pointers, probability
from moola_core.runs.store import Run

BY_CLASS = ("f1", "recall", "precision")


def evaluate(
    predictions: pd.DataFrame,
    window_bars: int,
    sigma_ratios: Mapping[int, float] | None = None,
    group: claims.Groups = None,
) -> Evaluation:
    """Evaluate a table of predictions (the columns of `predictions.parquet`).

    window_bars: the window length, for errors as fractions; sigma_ratios: mean σ pointer / σ class of each repeat's fits; group:
    by window, which windows share bars, for the intervals.
    """
    classes = tuple(str(name)[2:] for name in predictions if str(name).startswith("p_"))
    classes = classes or tuple(sorted(predictions["label"].astype(str).unique()))
    rows = []
    for repeat, part in predictions.groupby("repeat", sort=True):
        ratio = (sigma_ratios or {}).get(int(repeat))
        rows.append(_measure(part, classes, window_bars) | ({"sigma_ratio": ratio} if ratio is not None else {}))
    first = predictions[predictions["repeat"] == predictions["repeat"].min()]
    return Evaluation(
        classes=classes,
        windows=len(first),
        metrics=_spreads(rows),
        by_repeat=tuple(rows),
        majority=classification.majority(first["label"].astype(str).to_numpy(), classes),
        confusions=_confusions(predictions, classes),
        fold_shares=_fold_shares(predictions, classes),
        pointer_baseline=_constant_pointer(first),
        **_supported(predictions, classes, group),
    )


def evaluate_run(run: Run) -> Evaluation:
    """Evaluate a run's predictions, finished or as far as it has come."""
    counts = run.record.counts
    ratios = {int(repeat): ratio for repeat, ratio in (counts.get("sigma_ratios") or {}).items()}
    return evaluate(run.predictions, int(counts["window_bars"]), ratios, groups_of(run))


def groups_of(run: Run) -> dict[str, int] | None:
    """By window, which windows of the run share bars; None for a run of a version that did not keep it."""
    try:
        folds = run.folds
    except RunError:
        return None
    if "group" not in folds:
        return None
    return dict(zip(folds["window_id"].astype(str), folds["group"].astype(int), strict=True))


def _supported(predictions: pd.DataFrame, classes: tuple[str, ...], group: claims.Groups) -> dict[str, Any]:
    """The intervals of what the predictions beat."""
    table, found = claims.Table(predictions, group), dict[str, Any]()
    if predictions["predicted"].notna().all() and len(classes) > 1:
        found["auroc_within_folds"] = claims.beats_chance(table, classes)
        found["over_majority"] = claims.beats_majority(table)
    if "start_pred" in predictions:
        found["pointer_gains"] = claims.beats_constant(table)
    return found


def _measure(group: pd.DataFrame, classes: tuple[str, ...], window_bars: int) -> dict[str, Any]:
    """Every metric of one repeat, pooled over its folds."""
    true = group["label"].astype(str).to_numpy()
    values: dict[str, Any] = {}
    right = np.ones(len(group), bool)
    if group["predicted"].notna().all():
        answer = group["predicted"].astype(str).to_numpy()
        right = answer == true
        values |= _class_metrics(group, true, answer, classes)
    if "start_pred" in group and group["start_pred"].notna().any():
        span = [group[name].to_numpy(float) for name in ("start_true", "end_true", "start_pred", "end_pred")]
        values |= pointers.summary(span[0], span[1], span[2], span[3], window_bars)
        known = np.isfinite(span[0]) & np.isfinite(span[1])
        if known.any() and group["predicted"].notna().all():
            values["joint_at_3"] = pointers.joint(right[known], pointers.errors(*span)["center"])
    return values


def _class_metrics(
    group: pd.DataFrame, true: np.ndarray, answer: np.ndarray, classes: tuple[str, ...]
) -> dict[str, Any]:
    probabilities = group[[f"p_{name}" for name in classes]].to_numpy(float)
    target = np.array([classes.index(name) for name in true])
    tables = classification.by_class(true, answer, classes)
    return {
        "f1_macro": classification.f1_macro(true, answer, classes),
        "accuracy": classification.accuracy(true, answer),
        "majority_accuracy": classification.majority(true, classes)["accuracy"],
        "recall_min": min(tables["recall"].values()),
        "auroc": classification.auroc(true, probabilities, classes),
        "aucpr": classification.aucpr(true, probabilities, classes),
        "ece": probability.ece(probabilities, target),
        "brier": probability.brier(probabilities, target),
        "log_loss": probability.log_loss(probabilities, target),
        **tables,
    }


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


def _confusions(predictions: pd.DataFrame, classes: tuple[str, ...]) -> tuple[Confusion, ...]:
    """One table over all repeats, then one a repeat."""
    if predictions["predicted"].isna().any():
        return ()
    groups: list[tuple[int | None, pd.DataFrame]] = [(None, predictions)]
    groups += [(int(repeat), group) for repeat, group in predictions.groupby("repeat", sort=True)]
    return tuple(
        Confusion(
            repeat,
            classes,
            classification.confusion(group["label"].astype(str), group["predicted"].astype(str), classes),
        )
        for repeat, group in groups
    )


def _fold_shares(predictions: pd.DataFrame, classes: tuple[str, ...]) -> tuple[FoldShare, ...]:
    if predictions["predicted"].isna().any():
        return ()
    found = []
    for (repeat, fold), group in predictions.groupby(["repeat", "fold"], sort=True):
        shares = tuple(float((group["predicted"].astype(str) == name).mean()) for name in classes)
        found.append(FoldShare(int(repeat), int(fold), len(group), shares, max(shares) == 1.0))
    return tuple(found)


def _constant_pointer(group: pd.DataFrame) -> PointerBaseline | None:
    """Errors of answering each fold's windows with the median pointer of the other folds."""
    known = group[group["start_true"].notna() & group["end_true"].notna()]
    if known.empty or known["fold"].nunique() < 2:
        return None
    spans = []
    for fold, own in known.groupby("fold"):
        others = known[known["fold"] != fold]
        constant = np.broadcast_to([others["start_true"].median(), others["end_true"].median()], (len(own), 2))
        spans.append(np.column_stack([own[["start_true", "end_true"]].to_numpy(float), constant]))
    errors = pointers.errors(*np.concatenate(spans).T)
    hits = {f"hit_at_{bars}": float((errors["center"] <= bars).mean()) for bars in pointers.TOLERANCES_BARS}
    means = {f"{name}_mae_bars": float(errors[name].mean()) for name in ("center", "length", "start", "end")}
    return PointerBaseline(**means, **hits)
