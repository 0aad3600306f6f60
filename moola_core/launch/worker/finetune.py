"""A cross-validated run: folds, fits, predictions, and what they are worth."""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from moola_core.diagnostics.evaluation import evaluate_run
from moola_core.errors import DataError, MoolaError
from moola_core.estimators import storage
from moola_core.host.engine import Engine
from moola_core.launch.host import figures_of
from moola_core.launch.worker import diagnose, sharing, unseen
from moola_core.launch.worker.held_out import saw
from moola_core.launch.worker.labelled import check_unchanged, fold_columns, load_inputs, starts_of
from moola_core.launch.worker.relay import EventWriter, ProgressCallback
from moola_core.models.checkpoint import Pretrained
from moola_core.runs import codec
from moola_core.runs.facts import Facts, KeptEngine, ReadLabels
from moola_core.runs.predictions import STATED, is_class
from moola_core.runs.store import Run
from moola_core.specs import Finetune
from moola_core.specs.pretrain import SAW
from moola_core.training.baselines import fit_baselines
from moola_core.training.device import Device, resolve_device
from moola_core.training.engine import choose_engine
from moola_core.training.finetune import fit_all
from moola_core.training.folds import Fold, make_folds
from moola_core.training.inputs import Inputs, Replicate

NO_EXPANSIONS = (
    "No window has an expansion, so the pointers learn nothing and cost time. The preset series trains the class alone."
)


def work(run: Run, listen: ProgressCallback | None) -> None:
    """Cross-validate as the spec says."""
    spec = run.spec
    device = resolve_device(spec.training)
    starts = starts_of(run)
    material, inputs, hashes, facts = load_inputs(spec, run.store_root / "cache")
    hashes |= {f"checkpoint{i or ''}": _hash(Path(start.source)) for i, start in enumerate(starts)}
    check_unchanged(run, hashes)
    sharing.adopt(run, hashes)
    began = run.record.facts
    facts = replace(facts, taken_over=began.taken_over)
    folds = make_folds(inputs.label, inputs.shared, spec.training, spec.faults)
    unseen.refuse_seen(spec, run.store_root, folds, material.trainable)
    hashes["folds"] = _hash(_keep_folds(run, fold_columns(folds, inputs)))
    done = run.replicates()  # those of an interrupted run stay as they are
    progress = {"done": len(done), "before": len(done), "total": len(folds), "epochs": spec.training.epochs}
    notes = tuple(note for start in starts for note in start.notes_for(material.trainable.bars))
    notes += (NO_EXPANSIONS,) if _points_at_nothing(spec, inputs) else ()
    by_fits = unseen.saw_by_fits(spec.transfer, run.store_root)
    seen = by_fits or saw(starts, spec.transfer, folds, inputs.window_id.astype(str))
    if seen:
        facts = replace(facts, saw=seen)
        facts = facts if by_fits else replace(facts, pretraining_seeds=_seeds_of_repeats(spec, starts))
        notes += (SAW[seen],) if seen in ("see", "unknown") else ()
    run.update(
        device=f"{device.name} {device.precision}",
        data_hashes=hashes,
        facts=facts,
        progress=progress,
        warnings=tuple(dict.fromkeys((*run.record.warnings, *notes))),
    )
    run.keep_events(lambda event: event.get("fold") is None or (event["repeat"], event["fold"]) in done)
    if spec.is_network:
        device = device.using(_engine(run, began, len(folds), inputs.window_bars))
    relay = EventWriter(run, progress, listen)
    waiting = [fold for fold in folds if (fold.repeat, fold.fold) not in done]
    for replicate in _fits(spec, inputs, waiting, relay, starts, device):
        tables = {"predictions": prediction_columns(replicate, inputs)}
        tables |= {"steps": replicate.steps} if replicate.steps else {}
        tables |= span_tables(replicate, inputs)
        run.write_replicate(
            replicate.repeat,
            replicate.fold,
            tables,
            replicate.weights,
            facts_of(replicate),
            stored_estimator(replicate),
        )
        relay.finished()
    relay.flush()
    run.update(facts=replace(run.record.facts, fitting=relay.fitting()))
    gather(run)
    evaluate_into(run)
    diagnose.store_all(run, material)


def _points_at_nothing(spec: Finetune, inputs: Inputs) -> bool:
    """Whether a network is to learn expansions of windows that have none."""
    return spec.is_network and spec.model.tasks == "both" and not np.isfinite(np.asarray(inputs.start, float)).any()


def _fits(
    spec: Finetune,
    inputs: Inputs,
    folds: Sequence[Fold],
    relay: EventWriter,
    starts: tuple[Pretrained, ...],
    device: Device,
) -> Iterator[Replicate]:
    """The fits of the folds, of the network or of the estimator that the spec names."""
    if spec.is_network:
        yield from fit_all(spec, inputs, folds, relay, starts, device)
        return
    yield from fit_baselines(spec, inputs, folds, relay)


def _engine(run: Run, began: Facts, fits: int, window_bars: int) -> Engine:
    """How the fits are computed, kept in the record: what is resumed on the same device goes on as it `began`, by the facts of then."""
    spec, device = run.spec, resolve_device(run.spec.training)
    before = began.engine_settings
    if before and before.device == device.name:
        engine = Engine.of(before.settings, began.engine_why)
    else:
        engine = choose_engine(spec, device, fits, figures_of(run.store_root, device.kind), window_bars)
    kept = KeptEngine(device.name, engine.settings())
    run.update(
        device=f"{device.name} {engine.precision or device.precision}",
        facts=replace(run.record.facts, engine=engine.name, engine_why=engine.why, engine_settings=kept),
    )
    return engine


def _seeds_of_repeats(spec: Finetune, starts: Sequence[Pretrained]) -> tuple[int, ...]:
    """Of each repeat, the seed of the pre-training that it starts from; a number where a checkpoint does not say it."""
    first = [spec.transfer.encoder_of(repeat, 0) for repeat in range(spec.training.repeats)]
    plans = [starts[i].pretraining for i in first]
    return tuple(i if plan is None else plan.training.seed for i, plan in zip(first, plans, strict=True))


def _keep_folds(run: Run, columns: dict[str, np.ndarray]) -> Path:
    """folds.parquet, which an interrupted run has already. Raises DataError when this host would divide the windows otherwise."""
    path = run.folder / "folds.parquet"
    if not path.is_file():
        return run.write_table("folds", columns)
    kept = run.folds
    if any(not np.array_equal(kept[name].to_numpy(), column) for name, column in columns.items() if name in kept):
        raise DataError(
            "this host divides the windows into other folds than the run began with.",
            where=f"run {run.id}",
            hint="Resume it with the versions of numpy and scikit-learn that its record names, or launch a new run.",
        )
    return path


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
    if replicate.spans is not None and not is_class(STATED, inputs.classes):
        columns[STATED] = replicate.spans.p_span
    return columns | {
        "start_pred": np.full(len(test), np.nan) if replicate.start_pred is None else replicate.start_pred,
        "end_pred": np.full(len(test), np.nan) if replicate.end_pred is None else replicate.end_pred,
    }


def span_tables(replicate: Replicate, inputs: Inputs) -> dict[str, dict[str, np.ndarray]]:
    """The columns of per_bar.parquet and spans.parquet for one fit's test windows; empty where the model scores no spans."""
    scored = replicate.spans
    if scored is None:
        return {}
    names = inputs.window_id[replicate.test].astype(str)
    m, bars, _ = scored.per_bar.shape

    def rows(each: int, inner: str) -> dict[str, np.ndarray]:
        fit = {"repeat": np.full(m * each, replicate.repeat), "fold": np.full(m * each, replicate.fold)}
        return fit | {"window_id": np.repeat(names, each), inner: np.tile(np.arange(each), m)}

    start, end, inside = scored.per_bar.reshape(-1, 3).T.astype(np.float32)
    spans = scored.best.reshape(-1, 3)
    return {
        "per_bar": rows(bars, "bar") | {"p_start": start, "p_end": end, "p_inside": inside},
        "spans": rows(scored.best.shape[1], "rank")
        | {"start": spans[:, 0].astype(int), "end": spans[:, 1].astype(int), "p": spans[:, 2]},
    }


def stored_estimator(replicate: Replicate) -> bytes | None:
    """The fitted model as it is stored; None for a network, whose weights are stored."""
    return None if replicate.estimator is None else storage.dumps(replicate.estimator)


def facts_of(replicate: Replicate) -> dict[str, Any]:
    """What a fit stores next to its predictions: the selected epoch and its metrics of the validation windows, sizes, σ, seconds, how it reads labels."""
    names = (
        "best_epoch",
        "epochs",
        "sigma_ratio",
        "at_limit",
        "trainable_parameters",
        "shared_parameters",
        "seconds",
        "device",
        "inner",
    )
    noise = None if replicate.estimator is None else replicate.estimator.label_noise()
    return {name: getattr(replicate, name) for name in names} | {"label_noise": noise}


def gather(run: Run) -> None:
    """One table of all predictions, one of all steps, and what the fits tell, from the fits' own folders in their order."""
    folders = run.replicates()
    for name in ("predictions", "steps", "per_bar", "spans"):
        paths = [folder / f"{name}.parquet" for folder in folders.values()]
        tables = [pq.read_table(path) for path in paths if path.is_file()]
        if tables:
            whole = pa.concat_tables(tables, promote_options="permissive")
            run.write_table(name, {column: whole[column] for column in whole.column_names})
    fits = {fit: codec.load_object((folder / "fit.json").read_bytes()) for fit, folder in folders.items()}
    ratios: dict[int, list[float]] = {}
    for (repeat, _), one in fits.items():
        if one["sigma_ratio"] is not None:
            ratios.setdefault(repeat, []).append(one["sigma_ratio"])
    limited = [
        one["at_limit"] for one in fits.values() if one.get("at_limit") is not None
    ]  # older fits did not store it
    first = next(iter(fits.values()))
    facts = replace(
        run.record.facts,
        sigma_ratios={repeat: float(np.mean(values)) for repeat, values in ratios.items()},
        trainable_parameters=first["trainable_parameters"],
        shared_parameters=first["shared_parameters"],
        best_epochs=tuple(one["best_epoch"] for one in fits.values()),
        epochs_run=tuple(one["epochs"] for one in fits.values()),
        fits_at_limit=sum(limited) if limited else None,
        label_noise=_label_noise([one["label_noise"] for one in fits.values() if one.get("label_noise")]),
    )
    run.update(facts=facts)


def _label_noise(fits: Sequence[dict[str, float]]) -> ReadLabels | None:
    """How the fits that read the labelled expansions did so; None where none did."""
    if not fits:
        return None
    return ReadLabels(tuple(one["scatter_bars"] for one in fits), tuple(one["misplaced_frac"] for one in fits))


def evaluate_into(run: Run) -> None:
    """Store what the predictions are worth; when that fails the fits are still kept, and the record says so."""
    try:
        evaluation = evaluate_run(run)
        run.write_result("evaluation", evaluation)
        score = evaluation.metrics.get("f1_macro")
        run.update(facts=replace(run.record.facts, f1_macro=getattr(score, "mean", None)))
    except (MoolaError, ValueError, ArithmeticError, KeyError) as error:
        run.append_log(traceback.format_exc())
        run.update(warnings=(*run.record.warnings, f"The evaluation could not be computed: {error}"))


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
