"""What the vital signs of a run, or of one that is planned, are measured on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from moola_core.diagnostics import vitals
from moola_core.diagnostics.doctor.baseline_facts import FIFTHS, aggregated, out_of_fold
from moola_core.diagnostics.fitted import classes_of
from moola_core.diagnostics.predict import answers_of
from moola_core.errors import RunError
from moola_core.estimators.extra_trees import trees
from moola_core.launch.worker.labelled import Labelled
from moola_core.models.checkpoint import Pretrained
from moola_core.runs.folds import Folds
from moola_core.runs.store import Run
from moola_core.specs import Finetune

TOGETHER = 13  # windows that are asked about again at a time; a fold of 60 windows has 12
SMALLEST = 1e-12  # a probability of 0 has no finite loss


def evidence_of(run: Run, material: Labelled, features: tuple[str, ...], facts: Mapping[str, Any]) -> vitals.Evidence:
    """What the signs are measured on; what an older or imported run does not hold is left out."""
    folds = _or_none(lambda: Folds(run.folds, material.trainable.window_id))
    again = (_or_none(lambda: _again(run, material, folds)) if folds is not None else None) or (None, None)
    return replace(
        of_plan(run.spec, material, features, folds, facts),
        predictions=_or_none(lambda: run.predictions),
        events=run.events(),
        steps=_or_none(lambda: run.steps),
        weights=_weights(run),
        shared_parameters=run.record.facts.shared_parameters,
        again=again[0],
        spans_again=again[1],
        inner_again=_or_none(lambda: _inner_losses(run, material, folds)) if folds is not None else None,
    )


def of_plan(
    spec: Finetune, material: Labelled, features: tuple[str, ...], folds: Folds | None, facts: Mapping[str, Any]
) -> vitals.Evidence:
    """What the signs are measured on before anything is trained: the data, and what simple models find in them."""
    probabilities = None
    if folds is not None and spec.model.tasks != "pointers":
        probabilities = out_of_fold(trees, aggregated(material.x, FIFTHS), folds, material.trainable.label)
    return vitals.Evidence(
        windows=material.trainable,
        every=material.all,
        x=material.x,
        features=features,
        spec=spec,
        claimed=material.trainable.claimed,
        bars=material.bars,
        folds=folds,
        facts=facts,
        probabilities=probabilities,
    )


def _or_none(read: Any) -> Any:
    """What is read, or None where the run does not hold it."""
    try:
        return read()
    except (RunError, OSError, KeyError):
        return None


def _again(run: Run, material: Labelled, folds: Folds) -> tuple[np.ndarray | None, np.ndarray | None]:
    """What the first repeat's stored networks say of the windows that each of them tests: probabilities [n, C], and start and end in bars [n, 2].

    nan for windows that none tests, None for a task that was not trained. They are asked last to first and a few at a time: what is said of a
    window does not depend on those that it is asked with.
    """
    if not run.spec.is_network:
        return None, None
    n, tasks = len(material.x), run.spec.model.tasks
    probabilities, spans = np.full((n, len(classes_of(run))), np.nan), np.full((n, 2), np.nan)
    for fit in _of_first_repeat(run, folds):
        test = folds.rows(*fit).test[::-1]
        for part in np.split(test, range(TOGETHER, len(test), TOGETHER)) if len(test) else ():
            for kept, own in zip((probabilities, spans), answers_of(run, fit, material.x[part]), strict=True):
                if own is not None:
                    kept[part] = own
    return probabilities if tasks != "pointers" else None, spans if tasks != "class" else None


def _inner_losses(run: Run, material: Labelled, folds: Folds) -> dict[tuple[int, int], float] | None:
    """Class loss of the first repeat's stored networks on the windows that selected their epoch, by fit."""
    if not _tells_classes(run):
        return None
    target = np.searchsorted(np.array(classes_of(run)), material.trainable.label.astype(str))
    losses = {}
    for fit in _of_first_repeat(run, folds):
        rows = folds.rows(*fit).validation
        if len(rows):
            p = answers_of(run, fit, material.x[rows])[0]
            assert p is not None, "it tells classes"
            losses[fit] = float(-np.log(np.maximum(p[np.arange(len(rows)), target[rows]], SMALLEST)).mean())
    return losses


def _tells_classes(run: Run) -> bool:
    return run.spec.is_network and run.spec.model.tasks != "pointers"


def _of_first_repeat(run: Run, folds: Folds) -> list[tuple[int, int]]:
    """The fits of the first repeat whose networks are stored."""
    kept = run.replicates()
    return [fit for fit in folds if fit in kept and fit[0] == min(kept)[0]]


def as_started(run: Run, start: Pretrained) -> dict[str, int]:
    """How many tensors of the first fit's encoder, and of the scale of its inputs, are not those of the encoder that it began with."""
    folder = run.replicates()[min(run.replicates())]
    stored = load_file(Path(folder) / "weights.safetensors")
    encoder = {f"encoder.{name}": value for name, value in start.weights.items()}
    scale = {"scale.mean": start.mean, "scale.std": start.std}
    other = {
        fact: sum(
            name in stored and not np.allclose(stored[name], value, rtol=1e-4, atol=1e-6) for name, value in own.items()
        )
        for fact, own in (("encoder_differs", encoder), ("scale_differs", scale))
    }
    return other | {"encoder_tensors": len(encoder)}


def _weights(run: Run) -> dict[tuple[int, int], dict[str, np.ndarray]]:
    """The parameters of every fit of a network; empty for other models."""
    paths = {fit: Path(folder) / "weights.safetensors" for fit, folder in run.replicates().items()}
    return {fit: load_file(path) for fit, path in paths.items() if path.is_file()} if run.spec.is_network else {}
