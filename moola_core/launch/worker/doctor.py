"""The doctor at work: brings together what it reads of a run, of figures, or of a spec that is only planned."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from moola_core.diagnostics import vitals
from moola_core.diagnostics.doctor import Case, examine, of_runs, reading
from moola_core.diagnostics.doctor.baseline_facts import around_spans
from moola_core.diagnostics.doctor.preset_ranges import far_settings
from moola_core.diagnostics.doctor.reported import plain, reported_case
from moola_core.diagnostics.results import Diagnosis
from moola_core.diagnostics.results.experiments import Experiments
from moola_core.diagnostics.shift import LEAST, domain_auroc
from moola_core.diagnostics.weak_slices import weak_slices
from moola_core.errors import CheckpointError, DataError, MoolaError, RunError, SpecError
from moola_core.features.catalog import FEATURES, names
from moola_core.features.matrix import window_matrix
from moola_core.host.threads import one_thread
from moola_core.launch.worker import unseen, vital_signs
from moola_core.launch.worker.labelled import Labelled, check_fit, encoder_of, fold_columns, load_inputs, load_labelled
from moola_core.launch.worker.pretrain import load_material
from moola_core.market.bars import Bars, load_bars
from moola_core.market.windows import Windows, load_windows, overlap
from moola_core.models.checkpoint import Pretrained
from moola_core.runs import codec
from moola_core.runs.checkpoints import description_of, resolve
from moola_core.runs.folds import Folds
from moola_core.runs.recommended import INVESTIGATION
from moola_core.runs.references import ancestors
from moola_core.runs.store import Run
from moola_core.specs import Diagnose, Features, Finetune, Pretrain, parse
from moola_core.specs.choices import IMPORTED
from moola_core.training.audit import ASKED, deviations
from moola_core.training.by_definition import Deviation
from moola_core.training.by_property import of_features
from moola_core.training.folds import Fold, make_folds
from moola_core.training.inputs import Inputs
from moola_core.training.pretraining.bar_windows import WARMUP_BARS, BarWindows, linspace_subset

KINDS = ("finetune", "pretrain", "study", "compare")
MOST_OTHERS = 600


def store(run: Run) -> None:
    """Write what the doctor finds in a run that has just been trained; a failure is a warning and loses nothing else."""
    try:
        diagnosis = examined(run)
        run.write_result("doctor", diagnosis)
        counts = Counter(finding.severity for finding in diagnosis.findings)
        run.update(facts=replace(run.record.facts, doctor=dict(counts)))
    except (MoolaError, ValueError, ArithmeticError, KeyError, TypeError) as error:
        run.append_log(traceback.format_exc())
        run.write_result("doctor", {"why_not": f"It could not be computed: {error}"})
        run.update(warnings=(*run.record.warnings, f"The doctor could not check this run: {error}"))


def looks_at(run: Run) -> bool:
    """Whether the doctor has anything to say of such a run: not of the baselines of a study, nor of the doctor's own experiments."""
    model, parent = getattr(run.spec, "estimator", "network"), next(ancestors(run), None)
    if parent is not None and parent.record.kind == "diagnose":
        return False
    return run.record.kind in KINDS and (
        model == "network" or run.record.parent is None or (parent is not None and parent.record.kind == INVESTIGATION)
    )  # whose runs of simple models are not there to compare with alone


@one_thread()
def examined(run: Run, experiments: Experiments | None = None) -> Diagnosis:
    """What the doctor finds in a trained run; experiments: what was tried with it, where something was."""
    spec = run.spec
    if not looks_at(run):
        raise RunError(
            "is not a run that the doctor can check.",
            where=f"run {run.id}",
            hint="Give a fine-tuning, pre-training or study run; of baselines, one that was launched by itself.",
        )
    if spec.kind in ("study", "compare"):
        return examine(Case("study", of_runs.compared(run), spec, about=run.id))
    if spec.kind == "pretrain":
        return examine(
            Case("pretrain", of_runs.pretrained(run, _of_bars(spec, run.store_root / "cache")), spec, about=run.id)
        )
    evidence = evidence_of(run)
    readings, unmeasured = vitals.measure(evidence)
    facts = dict(evidence.facts) | {
        "vital_signs": vitals.judge(readings, evidence.model),
        "weak_slices": weak_slices(evidence),
        "experiments": experiments,
    }
    return replace(examine(Case("finetune", facts, spec, about=run.id)), unmeasured=unmeasured)


def evidence_of(run: Run) -> vitals.Evidence:
    """What the checks and the vital signs of a cross-validated run are judged by: its facts, its predictions and its data."""
    spec, cache = run.spec, run.store_root / "cache"
    if spec.estimator == IMPORTED:
        material = load_labelled(spec.data, spec.features, cache)
        return vital_signs.evidence_of(
            run, material, names(spec.features.columns), of_runs.imported(run, material.trainable.label)
        )
    material, inputs, _, _ = load_inputs(spec, cache)
    start, _ = _start(spec, inputs, run.store_root)
    # It fitted when the run began, whatever became of the file since.
    facts = of_runs.finetuned(run, _seen(spec, material, inputs, start, run.store_root)) | {"checkpoint_problem": ""}
    if start is not None and len(list(spec.transfer.encoders)) == 1:
        facts |= vital_signs.as_started(run, start)
    if start is not None:
        facts |= _of_pretraining(start)
    facts |= _audited(spec, material, inputs, start)
    return vital_signs.evidence_of(run, _as_trained(material, inputs), inputs.features, facts)


def _as_trained(material: Labelled, inputs: Inputs) -> Labelled:
    """The windows with the classes and pointers that training is given."""
    trained = replace(material.trainable, label=inputs.label, start=inputs.start, end=inputs.end)
    return replace(material, trainable=trained)


def _of_pretraining(start: Pretrained) -> dict[str, Any]:
    """What the doctor found in the pre-training of the encoder that is worse than a warning, and which of its settings are far from presets'; nothing where it was not made here."""
    facts: dict[str, Any] = {"pretraining_findings": []}
    try:
        run = Run(Path(start.source).resolve().parent.parent)  # whose folder has one of checkpoints
        if run.record.kind != "pretrain":
            return facts
        facts["far_in_pretraining"] = far_settings(run.spec)
        diagnosis = codec.restore(Diagnosis, run.result("doctor"))
    except (MoolaError, OSError, KeyError, TypeError):
        return facts
    return facts | {
        "pretraining_findings": [one for one in diagnosis.findings if one.severity in ("critical", "error")]
    }


def _audited(spec: Finetune, material: Labelled, inputs: Inputs, start: Pretrained | None) -> dict[str, Any]:
    """What training does otherwise than its settings say, as a fact; none of other models, and where a fit cannot be begun again."""
    if not spec.is_network:
        return {}
    try:
        return {"deviations": (*_of_features(spec, material.trainable), *deviations(spec, inputs, start))}
    except (MoolaError, RuntimeError):
        return {}


def _of_features(spec: Finetune, windows: Windows) -> Iterator[Deviation]:
    """Whether the features of some windows are the same when each is the only one; of those that do not run on over the bars."""
    if spec.features.state != "per_window":
        return
    rows = np.linspace(0, len(windows) - 1, min(ASKED, len(windows))).round().astype(int)
    parts = [rows, *rows.reshape(-1, 1)]
    together, *alone = (window_matrix(windows.select(part), spec.features) for part in parts)
    yield from of_features(together, alone)


def asked(spec: Diagnose, root: Path) -> Diagnosis:
    """What the doctor finds in reported figures, or in a spec before it is launched."""
    ahead = parse(spec.planned) if spec.planned else None
    return of_figures(spec.figures, ahead) if spec.figures else planned(ahead, root)


def planned(spec: Any, root: Path) -> Diagnosis:
    """What the spec and its data alone show. Raises SpecError for a spec of another kind than fine-tuning or pre-training."""
    if not isinstance(spec, Finetune | Pretrain):
        raise SpecError(
            f"a {spec.kind} spec cannot be checked before it is launched.", hint="Give a finetune or a pretrain spec."
        )
    if isinstance(spec, Pretrain):
        return examine(Case("pretrain", reading.of_spec(spec) | _of_bars(spec, root / "cache"), spec, planned=True))
    material, inputs, _, _ = load_inputs(spec, root / "cache")
    start, problem = _start(spec, inputs, root)
    seen = _seen(spec, material, inputs, start, root)
    folds = make_folds(inputs.label, inputs.shared, spec.training, spec.faults)
    columns = fold_columns(folds, inputs)
    facts = reading.of_spec(spec) | reading.of_windows(spec, seen)
    facts |= reading.of_folds(columns, seen)
    facts |= problem if problem["checkpoint_problem"] else _problem_of_folds(spec, material, folds, root)
    facts |= {} if problem["checkpoint_problem"] else _audited(spec, material, inputs, start)
    facts |= {} if start is None else _of_pretraining(start)
    facts["steps_per_epoch"] = int(np.ceil(len(folds[0].train) / spec.training.batch_size))
    own = _as_trained(material, inputs)
    divided = Folds(columns, own.trainable.window_id)
    evidence = vital_signs.of_plan(spec, own, inputs.features, divided, facts)
    facts["vital_signs"] = vitals.judge(vitals.measure(evidence)[0], evidence.model)
    return examine(Case("finetune", facts, spec, planned=True))


def of_figures(figures: dict[str, Any], ahead: Finetune | None = None, about: str = "") -> Diagnosis:
    """What reported figures show; ahead: the spec, on the windows that they are about, that fixes start from."""
    figures = plain(figures)
    if ahead is None:
        return examine(reported_case(figures, about))
    data = ahead.data
    windows, _ = load_windows(data.windows, data.windows_reading).trainable(data.exclude_grades)
    labels, counts = np.unique(windows.label.astype(str), return_counts=True)
    known = {"class_counts": dict(zip(labels.tolist(), counts.tolist(), strict=True)), "window_bars": windows.bars}
    return examine(reported_case(known | {"n_windows": len(windows)} | figures, about, ahead))


def _start(spec: Finetune, inputs: Inputs, root: Path) -> tuple[Pretrained | None, dict[str, Any]]:
    """The encoder that the spec begins with if it can be used; and as facts why it cannot, with the settings that it asks for."""
    try:
        start = encoder_of(spec, root)
        if start is not None:
            check_fit(start, spec, inputs.features)
    except CheckpointError as error:
        facts: dict[str, Any] = {"checkpoint_problem": f"{error.where}: {error.what}", "checkpoint_advice": error.hint}
        with suppress(CheckpointError):  # where there is no file, nothing tells its settings
            described = description_of(spec.transfer.checkpoint, root, spec.transfer.encoder_name)
            facts["checkpoint_settings"] = described.settings()
        return None, facts
    return start, {"checkpoint_problem": ""}


def _problem_of_folds(spec: Finetune, material: Labelled, folds: Sequence[Fold], root: Path) -> dict[str, Any]:
    """As facts, why the fits of the folds cannot start from fits of another run; no problem for any other encoder."""
    try:
        unseen.refuse_seen(spec, root, folds, material.trainable)
    except CheckpointError as error:
        return {"checkpoint_problem": f"{error.where}: {error.what}", "checkpoint_advice": error.hint}
    return {"checkpoint_problem": ""}


def _seen(
    spec: Finetune, material: Labelled, inputs: Inputs, start: Pretrained | None, root: Path
) -> reading.LabelledInputs:
    """The windows as the network reads them, and how they stand to what its encoder was trained on."""
    width = inputs.x.shape[2]
    if start is not None:
        scale = np.asarray(start.std, float)
    else:
        std = inputs.x.reshape(-1, width).astype(float).std(0)
        scale = np.where(std > reading.DEAD, std, 1.0) if spec.features.standardise else np.ones(width)
    more: dict[str, Any] = {"pointers": int((np.isfinite(inputs.start) & np.isfinite(inputs.end)).sum())}
    more["grades"] = tuple(sorted(np.unique(material.trainable.grade.astype(str)).tolist()))
    more |= _transferred(spec, material, inputs, start, root) if start is not None else {}
    return reading.LabelledInputs(
        inputs.x,
        inputs.features,
        inputs.label,
        inputs.window_id,
        inputs.series,
        inputs.first,
        scale,
        more,
        None if inputs.prices is None else around_spans(inputs.prices, inputs.start, inputs.end),
    )


def _transferred(spec: Finetune, material: Labelled, inputs: Inputs, start: Pretrained, root: Path) -> dict[str, Any]:
    """The state and the bars of pre-training against the run's own; empty without a readable description."""
    path = resolve(spec.transfer.checkpoint, root).with_suffix(".json")
    try:
        before = parse(codec.load_object(path.read_bytes())["spec"])
    except (OSError, ValueError, KeyError, SpecError):
        return {}
    facts: dict[str, Any] = {"pretrained_state": before.features.state}
    if before.features.state != spec.features.state and material.bars is not None:
        facts["state_gap"] = _state_gap(spec.features, material, np.asarray(start.std, float))
    bars = _bars_of(before)
    if bars is not None:
        windows = BarWindows(bars, None, spec.features.model_copy(update={"state": "per_window"}), inputs.window_bars)
        first = np.arange(0, max(len(bars) - inputs.window_bars + 1, 0), inputs.window_bars)
        facts |= _domain(material.trainable, inputs.features, windows, first)
    return facts


def _bars_of(before: Pretrain) -> Bars | None:
    """The bars of pre-training; None where they are gone or cannot be read any more."""
    if not before.data.bars or not Path(before.data.bars).is_file():
        return None
    try:
        return load_bars(before.data.bars, before.data.bars_reading)
    except DataError:
        return None


def _state_gap(features: Features, material: Labelled, std: np.ndarray) -> float | None:
    """Mean distance, in standard deviations, of the two states' features in the first 15 bars; None where windows are not located."""
    located = material.trainable.select(material.trainable.position >= 0)
    columns = names(features.columns)
    if not len(located) or not {feature.name for feature in FEATURES} & set(columns):
        return None
    both = [
        window_matrix(located, features.model_copy(update={"state": state}), material.bars)
        for state in ("per_window", "streaming")
    ]
    return float(np.abs((both[0] - both[1])[:, :WARMUP_BARS] / std).mean())


def _domain(labelled: Windows, columns: tuple[str, ...], windows: BarWindows, first: np.ndarray) -> dict[str, Any]:
    """How well labelled windows separate from (at most 600 of) those at the bars `first`, all of restarted state."""
    first = linspace_subset(first, MOST_OTHERS)
    if len(first) < LEAST or len(labelled) < LEAST:
        return {}
    x = window_matrix(labelled, Features(columns=columns))
    shared = overlap(labelled)
    auc, null_high, drivers = domain_auroc(x, shared, columns, windows.raw(first).cpu().numpy())
    return {
        "domain_auc": auc.value,
        "domain_auc_low": auc.low,
        "domain_auc_null_high": null_high,
        "domain_drivers": list(drivers),
    }


def _of_bars(spec: Pretrain, cache: Path) -> dict[str, Any]:
    """What pre-training reads: its columns, its jitter, and how the labelled windows stand to it."""
    material = load_material(spec, cache)
    columns, first = material.windows.features, linspace_subset(material.sample.train, MOST_OTHERS)
    x = material.windows.raw(first).numpy()
    scale = material.windows.std.numpy().astype(float)
    facts = reading.of_inputs(x, columns, scale, spec.training.jitter_std / scale)
    facts["jitter_std"] = spec.training.jitter_std
    labelled = material.labelled
    if labelled is None or labelled.bars != spec.sampling.window_bars:
        return facts
    kept, _ = labelled.trainable(spec.data.exclude_grades)
    restarted = BarWindows(material.bars, None, spec.features.model_copy(update={"state": "per_window"}), kept.bars)
    facts["labelled_located"] = bool((kept.position >= 0).any())
    return facts | _domain(kept, columns, restarted, material.sample.train)
