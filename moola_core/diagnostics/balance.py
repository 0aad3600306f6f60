"""Balance: what each task's loss, σ and gradients were during training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from moola_core.diagnostics.results import Balance, TaskBalance
from moola_core.errors import DataError
from moola_core.metrics import METRICS
from moola_core.runs.store import Run

TASKS = ("class", "pointer")
SIGMA_RATIO = METRICS["sigma_ratio"]
COSINE_EDGES = np.linspace(-1, 1, 21)


def balance(run: Run) -> Balance:
    """The balance of a fine-tuning run's two tasks. Raises DataError when one task alone was trained."""
    spec = run.spec
    if not spec.is_network:
        raise DataError(
            f"only networks balance their tasks, and the run's model is {spec.estimator}.",
            where="balance",
            hint="Look at a run of a network.",
        )
    if spec.model.tasks != "both":
        raise DataError("only one task was trained.", where="balance", hint="Train both: model.tasks=both.")
    if run.predictions[["start_true", "end_true"]].isna().any(axis=1).all():
        raise DataError(
            "no window has a pointer, so the class was trained alone.", where="balance", hint="Label the expansions."
        )
    epochs = _epochs(run)
    steps = run.steps
    tasks = tuple(_task(name, epochs, steps) for name in TASKS)
    measured = steps[steps["cosine"].notna()]
    ratios = [task.sigma_end for task in tasks]
    ratio = ratios[1] / ratios[0] if ratios[0] and ratios[1] else None
    expected = _expected_ratio(tasks) if spec.loss.weighting == "uncertainty" else None
    norms = measured[measured["norm_class"] > 0]
    gradient_ratio = float((norms["norm_pointer"] / norms["norm_class"]).median()) if len(norms) else None
    return Balance(
        spec.loss.weighting,
        tasks,
        ratio,
        (SIGMA_RATIO.low or 0.0, SIGMA_RATIO.high or np.inf),
        expected,
        gradient_ratio,
        COSINE_EDGES,
        np.histogram(measured["cosine"], COSINE_EDGES)[0],
        len(measured),
        len(steps),
        _mean(measured, "conflict"),
        _mean(measured, "projected"),
        spec.loss.pcgrad,
        spec.loss.pcgrad_threshold,
        run.record.facts.shared_parameters or 0,
    )


def _epochs(run: Run) -> pd.DataFrame:
    rows: list[dict[str, Any]] = [
        {"split": event["split"], "epoch": event["epoch"], **event["values"]}
        for event in run.events()
        if event["type"] == "epoch"
    ]
    if not rows:
        raise DataError("no epoch was recorded.", where=f"run {run.id}", hint="Wait until the run is done.")
    return pd.DataFrame(rows)


def _task(name: str, epochs: pd.DataFrame, steps: pd.DataFrame) -> TaskBalance:
    """A task's losses and σ, medians over the fits of the first and the last epochs."""
    train, validation = (epochs[epochs["split"] == split] for split in ("train", "validation"))
    column, sigma = f"loss_{name}", f"sigma_{name}"
    has_sigma = sigma in train and train[sigma].notna().any()
    return TaskBalance(
        name,
        _at(train, column, first=True),
        _at(train, column, first=False),
        _at(validation, column, first=False),
        float(steps[sigma].iloc[0]) if has_sigma else None,
        _at(train, sigma, first=False) if has_sigma else None,
        _median(steps[f"norm_{name}"]),
    )


def _at(rows: pd.DataFrame, column: str, first: bool) -> float:
    """The median over fits of the first epoch, or over the last quarter of the epochs."""
    selected = (
        rows[rows["epoch"] == rows["epoch"].min()] if first else rows[rows["epoch"] >= 0.75 * rows["epoch"].max()]
    )
    return float(selected[column].median())


def _expected_ratio(tasks: Sequence[TaskBalance]) -> float:
    """σ pointer / σ class at the optimum: σ² = L for the Gaussian pointer, 2 L for the cross-entropy (Kendall et al. 2018)."""
    return float(np.sqrt(tasks[1].loss_end / max(2 * tasks[0].loss_end, 1e-12)))


def _median(values: pd.Series) -> float | None:
    known = values.dropna()
    return float(known.median()) if len(known) else None


def _mean(rows: pd.DataFrame, name: str) -> float | None:
    return float(rows[name].mean()) if len(rows) else None
