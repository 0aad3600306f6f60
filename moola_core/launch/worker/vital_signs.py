"""What the vital signs of a run are measured on, read from its folder and its data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from moola_core.diagnostics import vitals
from moola_core.diagnostics.doctor.baseline_facts import FIFTHS, aggregated, out_of_fold
from moola_core.errors import RunError
from moola_core.estimators.extra_trees import trees
from moola_core.launch.worker.labelled import Labelled
from moola_core.runs.folds import Folds
from moola_core.runs.store import Run


def evidence_of(run: Run, material: Labelled, features: tuple[str, ...], facts: Mapping[str, Any]) -> vitals.Evidence:
    """What the signs are measured on; what an older or imported run does not hold is left out."""
    folds = _or_none(lambda: Folds(run.folds, material.trainable.window_id))
    probabilities = None
    if folds is not None and run.spec.model.tasks != "pointers":
        probabilities = out_of_fold(trees, aggregated(material.x, FIFTHS), folds, material.trainable.label)
    return vitals.Evidence(
        windows=material.trainable,
        every=material.all,
        x=material.x,
        features=features,
        spec=run.spec,
        claimed=material.trainable.claimed,
        bars=material.bars,
        folds=folds,
        predictions=_or_none(lambda: run.predictions),
        events=run.events(),
        steps=_or_none(lambda: run.steps),
        weights=_weights(run),
        shared_parameters=run.record.facts.shared_parameters,
        facts=facts,
        probabilities=probabilities,
    )


def _or_none(read: Any) -> Any:
    """What is read, or None where the run does not hold it."""
    try:
        return read()
    except (RunError, OSError, KeyError):
        return None


def _weights(run: Run) -> dict[tuple[int, int], dict[str, np.ndarray]]:
    """The parameters of every fit of a network; empty for other models."""
    paths = {fit: Path(folder) / "weights.safetensors" for fit, folder in run.replicates().items()}
    return {fit: load_file(path) for fit, path in paths.items() if path.is_file()} if run.spec.is_network else {}
