"""A cross-validated run: folds, fits, predictions, and what they are worth."""

from __future__ import annotations

import hashlib
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from moola_core.diagnostics.evaluation import evaluate_run
from moola_core.errors import MoolaError
from moola_core.launch.worker import diagnose
from moola_core.launch.worker.labelled import fold_columns, load_inputs, start_of
from moola_core.launch.worker.relay import Listen, Relay
from moola_core.runs.store import Run
from moola_core.training.device import resolve_device
from moola_core.training.finetune import fit_all
from moola_core.training.folds import make_folds
from moola_core.training.inputs import Inputs, Replicate


def work(run: Run, listen: Listen | None) -> None:
    """Cross-validate as the spec says."""
    spec = run.spec
    device = resolve_device(spec.training)
    start = start_of(run)
    material, inputs, hashes, counts = load_inputs(spec, run.store_root / "cache")
    hashes |= {"checkpoint": _hash(Path(start.source))} if start else {}
    folds = make_folds(inputs.label, inputs.places, spec.training, spec.faults)
    table = run.write_table("folds", fold_columns(folds, inputs))
    hashes["folds"] = _hash(table)
    done = run.replicates()
    progress = {"done": len(done), "total": len(folds), "epochs": spec.training.epochs}
    run.update(device=f"{device.name} {device.precision}", data_hashes=hashes, counts=counts, progress=progress)
    relay = Relay(run, progress, listen)
    replicates = []
    for replicate in fit_all(spec, inputs, folds, relay, frozenset(done), start):
        run.write_replicate(replicate.repeat, replicate.fold, prediction_columns(replicate, inputs), replicate.weights)
        replicates.append(replicate)
        relay.finished()
    relay.flush()
    _gather(run, replicates, inputs)
    _evaluate(run)
    diagnose.store_all(run, material)


def prediction_columns(replicate: Replicate, inputs: Inputs) -> dict[str, Any]:
    """The columns of predictions.parquet for one fit's test windows."""
    test = replicate.test
    columns: dict[str, Any] = {
        "repeat": np.full(len(test), replicate.repeat),
        "fold": np.full(len(test), replicate.fold),
        "window_id": inputs.window_id[test].astype(str),
        "label": inputs.label[test].astype(str),
    }
    empty = [None] * len(test)
    if replicate.probabilities is None:
        columns["predicted"] = empty
    else:
        columns["predicted"] = np.array(inputs.classes)[replicate.probabilities.argmax(1)]
        columns |= {f"p_{name}": replicate.probabilities[:, i] for i, name in enumerate(inputs.classes)}
    columns |= {"start_true": inputs.start[test], "end_true": inputs.end[test]}
    return columns | {
        "start_pred": np.full(len(test), np.nan) if replicate.start_pred is None else replicate.start_pred,
        "end_pred": np.full(len(test), np.nan) if replicate.end_pred is None else replicate.end_pred,
    }


def _gather(run: Run, replicates: list[Replicate], inputs: Inputs) -> None:
    """One table of all predictions, one of all steps, and the σ ratio of each repeat."""
    tables = [pq.read_table(folder / "predictions.parquet") for folder in run.replicates().values()]
    whole = pa.concat_tables(tables, promote_options="permissive")
    run.write_table("predictions", {name: whole[name] for name in whole.column_names})
    ordered = sorted(replicates, key=lambda replicate: (replicate.repeat, replicate.fold))
    if ordered:
        run.write_table(
            "steps",
            {name: np.concatenate([replicate.steps[name] for replicate in ordered]) for name in ordered[0].steps},
        )
    ratios: dict[int, list[float]] = {}
    for replicate in ordered:
        if replicate.sigma_ratio is not None:
            ratios.setdefault(replicate.repeat, []).append(replicate.sigma_ratio)
    counts = run.record.counts | {
        "sigma_ratios": {str(repeat): float(np.mean(values)) for repeat, values in ratios.items()}
    }
    if ordered:
        counts |= {
            "trainable_parameters": ordered[0].trainable_parameters,
            "shared_parameters": ordered[0].shared_parameters,
        }
        counts |= {
            "best_epochs": [replicate.best_epoch for replicate in ordered],
            "epochs_run": [replicate.epochs for replicate in ordered],
        }
    run.update(counts=counts)


def _evaluate(run: Run) -> None:
    """Store what the predictions are worth; when that fails the fits are still kept, and the record says so."""
    try:
        run.write_result("evaluation", evaluate_run(run))
    except (MoolaError, ValueError, ArithmeticError, KeyError) as error:
        run.append_log(traceback.format_exc())
        run.update(warnings=(*run.record.warnings, f"The evaluation could not be computed: {error}"))


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
