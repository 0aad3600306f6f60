"""What can be known before a run: facts of its spec, of its windows and of its folds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from moola_core.diagnostics.correlation import column_facts
from moola_core.diagnostics.doctor.preset_ranges import far_settings
from moola_core.runs.folds import Folds
from moola_core.specs import Finetune, Pretrain

if TYPE_CHECKING:
    import pandas as pd

DEAD = 1e-9


@dataclass(frozen=True, eq=False)
class LabelledInputs:
    """The windows that a run reads.

    x [n, K, F] in raw units; features [F] names; label, window_id [n]; series, first [n] or [n, w]: which windows share bars, in any
    of w ways; scale [F]: what x is divided by before the network reads it; more: facts about them that were computed elsewhere;
    around [n, D]: what the bars around the marked spans look like, None where not every window has a span.
    """

    x: np.ndarray
    features: tuple[str, ...]
    label: np.ndarray
    window_id: np.ndarray
    series: np.ndarray
    first: np.ndarray
    scale: np.ndarray
    more: Mapping[str, Any] = field(default_factory=dict)
    around: np.ndarray | None = None


def of_spec(spec: Finetune | Pretrain) -> dict[str, Any]:
    """What the spec alone says."""
    if isinstance(spec, Pretrain):
        return {
            "pretrain_jitter_std": spec.training.jitter_std,
            "learning_rate": spec.training.learning_rate,
            "far_settings": far_settings(spec),
        }
    training, loss = spec.training, spec.loss
    return {
        "tasks": spec.model.tasks,
        "weighting": loss.weighting,
        "log_variance_lr": loss.log_variance_lr,
        "pcgrad": loss.pcgrad,
        "pcgrad_threshold": loss.pcgrad_threshold,
        "patience": training.patience,
        "epochs": training.epochs,
        "learning_rate": training.learning_rate,
        "schedule": spec.transfer.schedule,
        "state": spec.features.state,
        "folds_mind_bars": not spec.faults.shuffled_folds,
        "far_settings": far_settings(spec),
        "excluded_grades": spec.data.exclude_grades,
    }


def of_inputs(
    x: np.ndarray, features: tuple[str, ...], scale: np.ndarray, jitter: np.ndarray | float
) -> dict[str, Any]:
    """What the columns of x [n, K, F] are: spread as the network reads it, where they vary, order; jitter in the network's units."""
    read = x.reshape(-1, x.shape[2]).astype(float).std(0) / scale
    noise = np.broadcast_to(np.asarray(jitter, float), read.shape)
    return {
        "feature_std": _named(features, read),
        "jitter_over_std": {
            name: float(noise[i] / read[i]) for i, name in enumerate(features) if read[i] > DEAD and noise[i] > 0
        },
        "varying_positions": {
            fact.feature: fact.varying_positions for fact in column_facts(x, features) if fact.std > DEAD
        },
        "next_bar_correlation": next_bar_correlation(x, features),
    }


def next_bar_correlation(x: np.ndarray, features: tuple[str, ...]) -> dict[str, float]:
    """Correlation of each feature with itself one bar before, within windows [n, K, F]; constant columns are left out."""
    centred = x.astype(float) - x.mean(1, keepdims=True)
    size = np.square(centred).sum((0, 1))
    lagged = (centred[:, 1:] * centred[:, :-1]).sum((0, 1))
    return {name: float(lagged[i] / size[i]) for i, name in enumerate(features) if size[i] > DEAD}


def of_windows(spec: Finetune, seen: LabelledInputs) -> dict[str, Any]:
    """What the labelled windows are."""
    shares = np.unique(seen.label.astype(str), return_counts=True)[1] / len(seen.label)
    classes = len(shares)
    facts = {
        "n_windows": len(seen.label),
        "n_classes": classes,
        "outputs": classes + spec.faults.extra_output,
        "majority_accuracy": float(shares.max()),
        "label_entropy": float(-(shares * np.log(shares)).sum()),
        "window_bars": seen.x.shape[1],
        "jitter_std": spec.training.jitter_std,
    }
    return facts | of_inputs(seen.x, seen.features, seen.scale, spec.training.jitter_std) | dict(seen.more)


def of_folds(folds: pd.DataFrame | Mapping[str, np.ndarray], seen: LabelledInputs) -> dict[str, Any]:
    """How the folds (repeat, fold, window_id, role) divide the windows: what is selected on test windows, what shares bars with them."""
    every = Folds(folds, seen.window_id)
    length = seen.x.shape[1]
    validation = validation_in_test = tests = 0
    shared: list[str] = []
    for repeat, fold in every:
        rows = every.rows(repeat, fold)
        test, used = rows.test, rows.fitting
        validation += len(rows.validation)
        validation_in_test += int(np.isin(rows.validation, test).sum())
        n = len(seen.series)
        near = np.zeros(len(test), bool)
        for series, first in zip(seen.series.reshape(n, -1).T, seen.first.reshape(n, -1).T, strict=True):
            apart = np.abs(first[test][:, None] - first[used][None])
            near |= ((series[test][:, None] == series[used][None]) & (apart < length)).any(1)
        tests += len(test)
        shared += seen.window_id[test[near]].astype(str).tolist()
    return {
        "validation_in_test_share": validation_in_test / max(validation, 1),
        "shared_bars_share": len(shared) / max(tests, 1),
        "shared_bars_windows": sorted(set(shared)),
    }


def _named(features: tuple[str, ...], values: np.ndarray) -> dict[str, float]:
    return {name: float(value) for name, value in zip(features, values, strict=True)}
