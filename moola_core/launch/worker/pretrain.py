"""A pre-training run: windows of the bars, epochs, checkpoints, and what was learned."""

from __future__ import annotations

import hashlib
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from moola_core.diagnostics import results
from moola_core.diagnostics.intervals import of_stretches
from moola_core.diagnostics.transfer import Representation, aggregate, linear_probe
from moola_core.errors import DataError, MoolaError
from moola_core.features.catalog import FEATURES, feature, names
from moola_core.features.matrix import bar_matrix, window_matrix
from moola_core.host.choices import pretraining_precision
from moola_core.launch.host import figures_of
from moola_core.launch.worker.labelled import check_unchanged
from moola_core.launch.worker.relay import EventWriter, ProgressCallback
from moola_core.market.bars import Bars, load_bars
from moola_core.market.folder import data_folder
from moola_core.market.known import first_bars, known_windows
from moola_core.market.surrogates import shuffled
from moola_core.market.unlabelled import NOTHING
from moola_core.market.windows import Windows, load_windows, overlap
from moola_core.models.checkpoint import describe, load_weights, put_weights
from moola_core.runs.facts import Facts
from moola_core.runs.references import ancestors
from moola_core.runs.store import Run
from moola_core.specs import Faults, Pretrain, Training
from moola_core.specs.pretrain import SAW
from moola_core.training import seeds
from moola_core.training.device import Device, exact, resolve_device, torch_on_one_thread
from moola_core.training.folds import make_folds
from moola_core.training.pretraining.bar_windows import BarWindows
from moola_core.training.pretraining.evaluation import evaluate, representations
from moola_core.training.pretraining.sampling import Sample, nearness, sample
from moola_core.training.pretraining.trainer import Pretrainer, Snapshot, pretrain, threads_of_step

PROBE_REPEATS = 5
MOMENT = "moment|"


@dataclass(frozen=True, eq=False)
class PretrainInputs:
    """What pre-training reads: bars, their windows on the device, the selected first bars, and any labelled windows.

    labels: a hash of where other files place labelled windows in the bars; empty where they are given, and where none are known.
    """

    bars: Bars
    windows: BarWindows
    sample: Sample
    labelled: Windows | None
    notes: tuple[str, ...]
    labels: str = ""


def work(run: Run, listen: ProgressCallback | None) -> None:
    """Pre-train as the spec says, from the last finished epoch if there is one."""
    spec = run.spec
    device = _device(run)
    material = load_material(spec, run.store_root / "cache", device.kind)
    hashes = {"bars": material.bars.content_hash}
    if material.labelled is not None:
        hashes["windows"] = material.labelled.content_hash
    elif material.labels:
        hashes["labels"] = material.labels
    check_unchanged(run, hashes)
    sizes: dict[str, Any] = dict(material.sample.counts)
    facts = Facts(window_bars=spec.sampling.window_bars, features=tuple(material.windows.features), **sizes)
    progress = {"done": 0, "total": spec.training.epochs, "epochs": spec.training.epochs, "unit": "epochs"}
    run.update(
        device=f"{device.name} {device.precision}",
        data_hashes=hashes,
        facts=facts,
        progress=progress,
        warnings=tuple(dict.fromkeys((*run.record.warnings, *material.notes))),
    )
    relay = EventWriter(run, progress, listen)
    trainer = Pretrainer(spec, material.windows, material.sample, device, relay)
    start = last_snapshot(run)
    progress["done"] = progress["before"] = start.epoch if start else 0
    run.keep_events(lambda event: (event.get("epoch") or 0) <= progress["done"])
    snapshot = start
    relay.begin()
    with exact(device), _threads(run, device):
        for snapshot in pretrain(trainer, start):
            keep(run, spec, material, snapshot)
            relay.finished()
    relay.flush()
    facts = replace(facts, fitting=relay.fitting())
    assert snapshot is not None
    put_weights(trainer.network, snapshot.best_weights)
    parameters = sum(parameter.numel() for parameter in trainer.network.parameters())
    run.update(facts=replace(facts, parameters=parameters, best_epoch=snapshot.best_epoch))
    with _threads(run, device):
        run.write_result("learned", learned(trainer, material, snapshot.best_epoch))


def _device(run: Run) -> Device:
    """Where it trains, in the arithmetic that was measured to be fastest there; what is resumed goes on in that of its beginning."""
    spec = run.spec
    device = resolve_device(spec.training)
    name, _, began = run.record.device.rpartition(" ")
    if name == device.name:
        return replace(device, precision=began)
    figures = figures_of(run.store_root, device.kind) if spec.training.precision == "auto" else None
    return replace(device, precision=(figures and pretraining_precision(figures, spec.model)) or device.precision)


def _threads(run: Run, device: Device) -> AbstractContextManager[None]:
    """One thread for a part of a study, however many of its runs are carried out at a time: its numbers are then the same. Else as many as pay."""
    above = next(ancestors(run), None)
    in_study = above is not None and above.record.kind == "study"
    return torch_on_one_thread(device) if in_study else threads_of_step(run.spec, device)


def load_material(spec: Pretrain, cache: Path, device: str = "cpu") -> PretrainInputs:
    """Everything that the spec's data gives, on the device. Raises DataError."""
    if not spec.data.bars:
        raise DataError("pre-training needs bars.", where="data.bars", hint="Give a file of bars.")
    bars = load_bars(spec.data.bars, spec.data.bars_reading)
    labelled, position, similar_to, notes = _labelled(spec, bars)
    windows = _windows(bars, spec, cache, device)
    similar = nearness(windows, similar_to) if len(similar_to) else None
    try:
        selected = sample(bars, spec, position, similar)
    except DataError as error:
        if labelled is None and notes:  # somebody who named no labelled windows wants to know which these are
            raise DataError(f"{error.what} {' '.join(notes)}", where=error.where, hint=error.hint) from None
        raise
    if spec.sampling.shuffled:  # after the selection: the windows are those that they stand in for
        kind = _kinds(bars, spec, selected, position)
        rng = seeds.generator(spec.training.seed, 0, 0, seeds.SHUFFLED)
        windows = _windows(shuffled(bars, kind, rng), spec, None, device)
        notes.append("The bars came in random order: this encoder is a placebo.")
    windows.fit_scale(selected.train)
    others = labelled is None and spec.sampling.labelled == "exclude" and len(position)
    labels = hashlib.sha256(position.tobytes()).hexdigest() if others else ""
    return PretrainInputs(bars, windows, selected, labelled, tuple(notes), labels)


def _windows(bars: Bars, spec: Pretrain, cache: Path | None, device: str) -> BarWindows:
    """What the network reads of windows of the bars, on the device."""
    wanted = {column.name for column in FEATURES} & set(names(spec.features.columns))
    continuous = spec.features.state == "streaming" and wanted
    matrix = bar_matrix(bars, spec.sampling.window_bars, cache) if continuous else None
    return BarWindows(bars, matrix, spec.features, spec.sampling.window_bars, device)


def _kinds(bars: Bars, spec: Pretrain, selected: Sample, left_out: np.ndarray) -> np.ndarray:
    """Kinds of bars [n] that must not mix when they are shuffled: of validation, left out, and filler."""
    kind = (np.arange(len(bars)) >= selected.valid.min()).astype(int)
    if spec.sampling.labelled != "see":
        inside = np.zeros(len(bars) + 1, int)
        np.add.at(inside, left_out, 1)
        np.add.at(inside, np.minimum(left_out + spec.sampling.window_bars, len(bars)), -1)
        kind += 2 * (inside.cumsum()[:-1] > 0)
    return kind if bars.filler is None else kind + 4 * bars.filler


def _labelled(spec: Pretrain, bars: Bars) -> tuple[Windows | None, np.ndarray, np.ndarray, list[str]]:
    """The labelled windows that the spec names; first bars of those to leave out, and of those to look for similar ones of; and notes.

    Where the spec names none, all that are known in these bars are left out.
    """
    length, sees = spec.sampling.window_bars, spec.sampling.labelled == "see"
    if not spec.data.windows:
        known = known_windows(bars, str(spec.data.bars), data_folder())
        return None, known.first(length), NOTHING, known.notes(not sees)
    labelled = load_windows(spec.data.windows, spec.data.windows_reading, bars)
    position = first_bars([labelled], length)
    left_out, similar_to, notes = position, position, list[str]()
    if spec.sampling.left_out:  # what a fold tests must not decide either which windows are similar
        own = np.isin(labelled.window_id.astype(str), spec.sampling.left_out)
        left_out, similar_to = (first_bars([labelled.select(rows)], length) for rows in (own, ~own))
    if labelled.bars != spec.sampling.window_bars:
        notes.append(
            f"Labelled windows have {labelled.bars} bars, pre-training windows {spec.sampling.window_bars}: the encoder is "
            f"not probed. Set sampling.window_bars={labelled.bars} to compare them."
        )
    if not len(position):
        notes.append("None of the labelled windows lies in these bars: none is left out of pre-training.")
        if spec.sampling.keep == "similar":
            raise DataError(
                "none of the labelled windows lies in these bars, so none can be similar to them.",
                where="sampling.keep",
                hint="Give the bars that they were cut from, or keep all or active.",
            )
    elif sees:
        notes.append(SAW["see"])
    return labelled, left_out, similar_to, notes


def keep(run: Run, spec: Pretrain, material: PretrainInputs, snapshot: Snapshot) -> None:
    """Write the best weights and the last epoch's, the latter with all that is needed to go on."""
    scale = {
        "scale.mean": material.windows.mean.cpu().numpy(),
        "scale.std": material.windows.std.cpu().numpy(),
    }
    description = {
        "kind": "pretrain",
        "run_id": run.id,
        "features": list(material.windows.features),
        "spec": spec.model_dump(mode="json"),
        "best_epoch": snapshot.best_epoch,
        "best_loss": snapshot.best_loss,
    }
    if snapshot.best_epoch == snapshot.epoch:
        run.write_checkpoint("best", snapshot.best_weights | scale, description | {"epoch": snapshot.epoch})
    moments = {f"{MOMENT}{name}": value for name, value in snapshot.moments.items()}
    run.write_checkpoint("last", snapshot.weights | scale | moments, description | {"epoch": snapshot.epoch})


def last_snapshot(run: Run) -> Snapshot | None:
    """Where an interrupted run stopped; None when it has finished no epoch."""
    folder = run.folder / "checkpoints"
    if not ((folder / "last.safetensors").is_file() and (folder / "best.safetensors").is_file()):
        return None
    arrays, description = load_weights(folder / "last.safetensors"), describe(folder / "last.safetensors")
    best = load_weights(folder / "best.safetensors")
    moments = {name.removeprefix(MOMENT): value for name, value in arrays.items() if name.startswith(MOMENT)}
    weights, best = (
        {name: value for name, value in part.items() if not name.startswith((MOMENT, "scale."))}
        for part in (arrays, best)
    )
    return Snapshot(description["epoch"], weights, moments, description["best_epoch"], description["best_loss"], best)


def learned(trainer: Pretrainer, material: PretrainInputs, best_epoch: int) -> results.PretrainReport:
    """The network's figures with those of trivial answers, example windows, and the probe on labelled windows."""
    validation = evaluate(trainer)
    errors = validation.errors
    rows: tuple[results.FeatureError, ...] = ()
    examples: tuple[results.Reconstruction, ...] = ()
    if errors is not None:
        columns = (errors.model, errors.masked_input, errors.feature_mean, errors.carry_forward, errors.noise_floor)
        rows = tuple(
            results.FeatureError(name, feature(name).unit, *(float(column[i]) for column in columns))
            for i, name in enumerate(material.windows.features)
        )
        examples = tuple(
            results.Reconstruction(str(material.bars.time[first])[:19], truth, guess, hidden)
            for first, truth, guess, hidden in errors.examples
        )

    def mean(name: str) -> float | None:
        return float(np.mean([getattr(row, name) for row in rows])) if rows else None

    trivial = {name: value for name in ("feature_mean", "carry_forward") if (value := mean(name)) is not None}
    figures = tuple(
        results.Measure(m.name, m.value, m.trivial, m.better, of_stretches(m.gains)) for m in validation.measures
    )
    gain = of_stretches(errors.gains) if errors is not None else None
    probe = probe_labelled(trainer, material)
    return results.PretrainReport(
        trainer.spec.objective.name,
        best_epoch,
        rows,
        mean("model"),
        mean("masked_input"),
        trivial,
        mean("noise_floor"),
        figures,
        examples,
        probe,
        material.sample.counts,
        gain,
        trainer.spec.sampling.labelled,
    )


def probe_labelled(trainer: Pretrainer, material: PretrainInputs) -> results.Probe | None:
    """What a linear probe reads of the labelled windows: from the pre-trained encoder, a random one, and the raw features.

    None without labelled windows of the same length, and when their folds cannot be made.
    """
    spec, labelled = trainer.spec, material.labelled
    if labelled is None:
        return None
    windows, _ = labelled.trainable(spec.data.exclude_grades)
    if not len(windows) or windows.bars != spec.sampling.window_bars:
        return None
    located = bool((windows.position >= 0).all())
    state = "streaming" if spec.features.state == "streaming" and located else "per_window"
    x = window_matrix(windows, spec.features.model_copy(update={"state": state}), material.bars)
    shared = overlap(windows)
    try:
        folds = make_folds(
            windows.label,
            shared,
            Training(repeats=PROBE_REPEATS, seed=spec.training.seed),
            Faults(),
        )
    except MoolaError:
        return None
    drawn = [representations(trainer, x, repeat) for repeat in range(PROBE_REPEATS)]
    # Other random weights in each repeat: one draw may happen to be a good or a bad one.
    random = [drawn[fold.repeat]["random weights"] for fold in folds]
    encodings: dict[str, Representation] = {
        "pre-trained": drawn[0]["pre-trained"],
        "random weights": random,
        "raw features": aggregate(x),
    }
    splits = [(fold.repeat, np.r_[fold.train, fold.validation], fold.test) for fold in folds]
    return linear_probe(encodings, windows.label, splits, shared)
