"""In what compared runs differ: their settings, and the facts that a comparison supposes to be equal."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from moola_core.diagnostics.results import Difference
from moola_core.diagnostics.results.comparison import UNKNOWN
from moola_core.host.engine import SEQUENTIAL
from moola_core.runs.store import Run
from moola_core.specs import Finetune, settings
from moola_core.specs.choices import IMPORTED, JOINED

if TYPE_CHECKING:
    import pandas as pd

SAME = (
    "data.",
    "preset",
    "transfer.checkpoint",
    "transfer.more_checkpoints",
    "transfer.fold_checkpoints",
    "training.device",
    "training.engine",
    "training.processes",
)
NO_NETWORK = "no network"


def differences(runs: Mapping[str, Run]) -> tuple[Difference, ...]:
    """Settings and facts in which the networks differ."""
    networks = {arm: run for arm, run in runs.items() if run.spec.is_network}
    every = {arm: settings(run.spec) for arm, run in networks.items()}
    for arm, run in networks.items():
        facts = run.record.facts
        every[arm] |= {
            "trainable parameters": facts.trainable_parameters,
            "shared parameters": facts.shared_parameters,
            "median best epoch": float(np.median(facts.best_epochs)),
            "median epochs": float(np.median(facts.epochs_run)),
            "engine": facts.engine or SEQUENTIAL,  # runs of before there was a choice
        }
    names = dict.fromkeys(name for one in every.values() for name in one if not name.startswith(SAME))
    return _unlike({name: {arm: _shown(one.get(name)) for arm, one in every.items()} for name in names})


def unequal(runs: Mapping[str, Run], tables: Mapping[str, pd.DataFrame]) -> tuple[Difference, ...]:
    """Of size, encoder, epochs, stopping, labels, windows, folds, features and seeds, those in which any of the runs differ.

    What is not known of a run, as of imported predictions, is no difference, and is given as such.
    """
    every = {arm: _fitted(run) | _divided(run, tables[arm]) for arm, run in runs.items()}
    names = dict.fromkeys(name for one in every.values() for name in one)
    return _unlike({name: {arm: one[name] for arm, one in every.items()} for name in names})


def _fitted(run: Run) -> dict[str, str]:
    """What the run's models are and how they were trained."""
    spec: Finetune = run.spec
    if spec.estimator == IMPORTED:
        return dict.fromkeys(("size", "encoder", "epochs", "stopping", "labels", "features", "seeds"), UNKNOWN)
    model, training, facts = spec.model, spec.training, run.record.facts
    size = UNKNOWN if facts.trainable_parameters is None else f"{facts.trainable_parameters:,} trainable parameters"
    network = {
        "size": size,
        "encoder": f"{model.encoder} {model.layers}×{model.hidden}, normalisation {model.normalisation}",
        "epochs": f"{np.median(facts.epochs_run):g} of at most {training.epochs}",
        "stopping": "none" if training.patience is None else f"patience {training.patience}",
    }
    simple = dict.fromkeys(network, NO_NETWORK) | {"encoder": f"{NO_NETWORK} ({spec.estimator})"}
    if spec.estimator == JOINED:
        simple["encoder"] = f"classes of {spec.join.class_run}, expansions of {spec.join.pointer_run}"
    return (network if spec.is_network else simple) | {
        "labels": f"{training.train_size:.0%}",
        "features": ", ".join(spec.features.columns),
        "seeds": str(training.seed),
    }


def _divided(run: Run, table: pd.DataFrame) -> dict[str, str]:
    """Which windows the run predicts, and in which folds."""
    windows = table["window_id"].nunique()
    folds = f"{table['fold'].nunique()} × {table['repeat'].nunique()} repeats"
    return {
        "windows": f"{windows} ({run.record.data_hashes.get('windows', '')[:8] or UNKNOWN})",
        "folds": f"{folds} ({division(table)[:8]})",
    }


def division(table: pd.DataFrame) -> str:
    """A hash of which fold of which repeat tests each window."""
    rows = table.sort_values(["repeat", "window_id"])[["repeat", "fold", "window_id"]]
    return hashlib.sha256(rows.astype(str).to_csv(index=False).encode()).hexdigest()


def _unlike(rows: Mapping[str, Mapping[str, str]]) -> tuple[Difference, ...]:
    """The rows whose known values are not all alike."""
    return tuple(
        Difference(name, dict(values)) for name, values in rows.items() if len({*values.values()} - {UNKNOWN}) > 1
    )


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
