"""Diagnostics: computed after a cross-validated run into its own folder, or asked for and kept as a run of their own."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from moola_core.diagnostics.attribution import attribute, explain_together
from moola_core.diagnostics.attribution import explain as explain_job
from moola_core.diagnostics.balance import balance
from moola_core.diagnostics.calibration import calibrations
from moola_core.diagnostics.correlation import Permutations, feature_report, with_expectations
from moola_core.diagnostics.pointing import pointing
from moola_core.diagnostics.results import Attribution, Diagnosis, FeatureReport, Shift
from moola_core.diagnostics.shift import shift
from moola_core.diagnostics.slices import errors
from moola_core.diagnostics.transfer import transferred
from moola_core.errors import DataError, RunError
from moola_core.features.catalog import names
from moola_core.features.matrix import window_matrix
from moola_core.launch.worker import doctor, experiments
from moola_core.launch.worker.children import Children, Execute
from moola_core.launch.worker.labelled import Labelled, load_labelled, starts_of
from moola_core.launch.worker.power import powered
from moola_core.launch.worker.relay import EventWriter, ProgressCallback
from moola_core.market.bars import Bars, contains_break, shares_bars
from moola_core.market.windows import Windows, overlap
from moola_core.runs.facts import Facts
from moola_core.runs.folds import shared_bars
from moola_core.runs.store import Run, Store
from moola_core.specs import Diagnose
from moola_core.training import processes
from moola_core.training.device import asking_device
from moola_core.training.pretraining.bar_windows import BarWindows, linspace_subset

MOST_OTHERS = 2000

RUN_DIAGNOSTICS: dict[str, Callable[[Run, Labelled], Any]] = {
    "calibration": lambda run, material: calibrations(run.predictions, known=shared_bars(run)),
    "pointing": lambda run, material: pointing(run.predictions, shared_bars(run)),
    "balance": lambda run, material: balance(run),
    "errors": lambda run, material: errors(
        run.predictions, material.trainable, run.spec.data.windows_reading.exchange_tz, shared_bars(run)
    ),
    "transfer": lambda run, material: transferred(run, material.trainable, material.x, starts_of(run)),
}


def store_all(run: Run, material: Labelled) -> None:
    """Write every diagnostic of a cross-validated run; one that cannot be computed is written as the sentence that says why."""
    for name, compute in RUN_DIAGNOSTICS.items():
        try:
            run.write_result(name, compute(run, material))
        except DataError as error:
            run.write_result(name, {"why_not": str(error)})
        except (ValueError, ArithmeticError, KeyError) as error:
            run.append_log(traceback.format_exc())
            run.write_result(name, {"why_not": f"It could not be computed: {error}"})
            run.update(warnings=(*run.record.warnings, f"{name} could not be computed: {error}"))


def work(run: Run, listen: ProgressCallback | None, execute: Execute) -> None:
    """Compute what the spec names and write it into the run's own folder. execute: begins a run, or goes on with one."""
    spec = run.spec
    if spec.name in DATA_DIAGNOSTICS:
        material = load_labelled(spec.data, spec.features)
        run.update(
            data_hashes={"windows": material.trainable.content_hash}, facts=Facts(windows=len(material.trainable))
        )
        run.write_result(spec.name, DATA_DIAGNOSTICS[spec.name](spec, material))
        return
    if spec.name == "doctor" and not spec.run:
        run.write_result("doctor", doctor.asked(spec, run.store_root))
        return
    about = Store(run.store_root).open(spec.run)
    if about.record.state != "done":
        raise RunError(f"is {about.record.state}.", where=f"run {about.id}", hint="Diagnose a run that is done.")
    if spec.name == "attribution":
        run.write_result("attribution", explain(run, about, listen))
        return
    if spec.name == "doctor":
        run.write_result("doctor", _examined(run, about, Children(run, listen, execute, "experiment")))
        return
    run.write_result(spec.name, RUN_DIAGNOSTICS[spec.name](about, load_labelled(about.spec.data, about.spec.features)))


def _examined(run: Run, about: Run, made: Children) -> Diagnosis:
    """What the doctor finds in the run `about`, after experiments where the spec of `run` has a budget for them."""
    diagnosis = doctor.examined(about)
    if not run.spec.budget_s:
        return diagnosis
    return doctor.examined(about, experiments.settle(run, about, diagnosis, made))


def explain(run: Run, about: Run, listen: ProgressCallback | None) -> Attribution:
    """Attribution of the run `about`, its progress kept in the record of `run`."""
    material = load_labelled(about.spec.data, about.spec.features, run.store_root / "cache")
    progress: dict[str, Any] = {"done": 0, "total": len(material.trainable), "epochs": 1, "unit": "windows"}
    relay = EventWriter(run, progress, listen)

    def tell(done: int, total: int) -> None:
        progress.update(done=done, total=total)
        relay.beat()

    device = asking_device(about.spec.training) if about.spec.is_network else "cpu"
    work = partial(processes.process_map, explain_job) if device == "cpu" else partial(explain_together, device=device)
    attribution = attribute(about, material.trainable, material.x, run.spec.repeats, tell, work)
    relay.flush()
    return attribution


def features(spec: Diagnose, material: Labelled) -> FeatureReport:
    """Features and the labels: how they are associated."""
    kept, columns = material.trainable, names(spec.features.columns)
    permutations = Permutations(spec.permutations, spec.seed)
    return with_expectations(feature_report(material.x, kept.label, kept.start, columns, overlap(kept), permutations))


def shifted(spec: Diagnose, material: Labelled) -> Shift:
    """Labelled windows against windows of the same bars that share none with them, and those of grades left out."""
    kept, every, bars = material.trainable, material.all, material.bars
    others: dict[str, np.ndarray] = {}
    out = every.select(~np.isin(every.window_id.astype(str), kept.window_id.astype(str)))
    if len(out):
        others["left_out"] = window_matrix(out, spec.features, bars)
    if bars is not None:
        first = _elsewhere(bars, every)
        features = BarWindows(bars, None, spec.features.model_copy(update={"state": "per_window"}), kept.bars)
        others["bars"] = features.raw(first).numpy() if len(first) else material.x[:0]
    columns = names(spec.features.columns)
    return shift(material.x, kept.window_id, overlap(kept), columns, others, spec.seed)


def _elsewhere(bars: Bars, every: Windows) -> np.ndarray:
    """First bars of whole windows that share no bar with any labelled one: at most 2,000, linspace_subset spaced."""
    length = every.bars
    first = np.arange(0, max(len(bars) - length + 1, 0), length // 2)
    first = first[~contains_break(bars.breaks, first, length)]
    located = np.sort(every.position[every.position >= 0])
    return linspace_subset(first[~shares_bars(first, length, located, length)], MOST_OTHERS)


DATA_DIAGNOSTICS: dict[str, Callable[[Diagnose, Labelled], Any]] = {
    "features": features,
    "shift": shifted,
    "power": powered,
}
