"""A cross-validated run: folds, fits, predictions, and what they are worth."""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from moola_core.diagnostics.evaluation import evaluate_run
from moola_core.errors import MoolaError
from moola_core.features.catalog import names
from moola_core.launch.worker import diagnose
from moola_core.launch.worker.labelled import load_labelled
from moola_core.launch.worker.relay import Listen, Relay
from moola_core.market.windows import Windows, bar_spans
from moola_core.models.checkpoint import Pretrained, load_pretrained
from moola_core.runs.checkpoints import resolve
from moola_core.runs.store import Run
from moola_core.specs import Finetune
from moola_core.training.device import resolve_device
from moola_core.training.finetune import fit_all
from moola_core.training.folds import Fold, make_folds
from moola_core.training.inputs import Inputs, Replicate
from moola_core.training.planting import plant


def work(run: Run, listen: Listen | None) -> None:
    """Cross-validate as the spec says."""
    spec = run.spec
    device = resolve_device(spec.training)
    start = _start(spec, run)
    windows, inputs, hashes, counts = load_inputs(spec, run.store_root / "cache")
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
    diagnose.store_all(run, windows)


def _start(spec: Finetune, run: Run) -> Pretrained | None:
    """The encoder that the fits begin with; None from scratch."""
    if spec.transfer.schedule == "none":
        return None
    return load_pretrained(resolve(spec.transfer.checkpoint, run.store_root))


def load_inputs(spec: Finetune, cache: Path) -> tuple[Windows, Inputs, dict[str, str], dict[str, Any]]:
    """The windows that take part, what training reads of them, the hashes of the data, and what was counted on the way."""
    found = load_labelled(spec.data, spec.features, cache)
    windows, bars = found.kept, found.bars
    hashes = {"windows": windows.content_hash} | ({"bars": bars.content_hash} if bars is not None else {})
    labels, sizes = np.unique(windows.label.astype(str), return_counts=True)
    features = names(spec.features.columns)
    counts: dict[str, Any] = {
        "windows": len(windows),
        "left_out": len(found.every) - len(windows),
        "window_bars": windows.bars,
        "features": list(features),
    }
    counts["labels"] = dict(zip(labels.tolist(), sizes.tolist(), strict=True))
    return windows, plant(_inputs(windows, found.x, features), spec), hashes, counts


def _inputs(windows: Windows, x: np.ndarray, features: tuple[str, ...]) -> Inputs:
    series, first = bar_spans(windows)
    return Inputs(x, windows.label, windows.start, windows.end, windows.window_id, series, first, features)


def fold_columns(folds: Sequence[Fold], inputs: Inputs) -> dict[str, np.ndarray]:
    """The columns of folds.parquet."""
    rows = [
        (fold.repeat, fold.fold, i, role)
        for fold in folds
        for role in ("train", "inner", "test", "purged")
        for i in getattr(fold, role)
    ]
    repeat, number, index, role = (np.array(column) for column in zip(*rows, strict=True))
    return {"repeat": repeat, "fold": number, "window_id": inputs.window_id[index].astype(str), "role": role}


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
