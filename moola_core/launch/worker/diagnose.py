"""Diagnostics: computed after a cross-validated run into its own folder, or asked for and kept as a run of their own."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

from moola_core.diagnostics.balance import balance
from moola_core.diagnostics.calibration import calibrations
from moola_core.diagnostics.correlation import feature_report, with_expectations
from moola_core.diagnostics.slices import errors
from moola_core.errors import DataError, RunError
from moola_core.features.catalog import names
from moola_core.features.matrix import window_matrix
from moola_core.launch.worker.relay import Listen
from moola_core.market.bars import load_bars
from moola_core.market.windows import Windows, bar_spans, load_windows
from moola_core.runs.store import Run, Store
from moola_core.specs import Diagnose
from moola_core.training.folds import Places, overlap_groups

FOLDS = 5  # what the groups of windows that share bars are cut for

OF_RUN: dict[str, Callable[[Run, Windows], Any]] = {
    "calibration": lambda run, windows: calibrations(run.predictions),
    "balance": lambda run, windows: balance(run),
    "errors": lambda run, windows: errors(run.predictions, windows, run.spec.data.windows_reading.exchange_tz),
}


def store_all(run: Run, windows: Windows) -> None:
    """Write every diagnostic of a cross-validated run; one that cannot be computed is written as the sentence that says why."""
    for name, compute in OF_RUN.items():
        try:
            run.write_result(name, compute(run, windows))
        except DataError as error:
            run.write_result(name, {"why_not": str(error)})
        except (ValueError, ArithmeticError, KeyError) as error:
            run.append_log(traceback.format_exc())
            run.write_result(name, {"why_not": f"It could not be computed: {error}"})
            run.update(warnings=(*run.record.warnings, f"{name} could not be computed: {error}"))


def work(run: Run, listen: Listen | None) -> None:
    """Compute what the spec names and write it into the run's own folder."""
    spec = run.spec
    if spec.name == "features":
        windows, report = features(spec)
        run.update(data_hashes={"windows": windows.content_hash}, counts={"windows": len(windows)})
        run.write_result("features", report)
        return
    about = Store(run.store_root).open(spec.run)
    if about.record.state != "done":
        raise RunError(f"is {about.record.state}.", where=f"run {about.id}", mend="Diagnose a run that is done.")
    run.write_result(spec.name, OF_RUN[spec.name](about, windows_of(about)))


def windows_of(run: Run) -> Windows:
    """The windows that took part in a cross-validated run."""
    data = run.spec.data
    bars = load_bars(data.bars, data.bars_reading) if data.bars else None
    return load_windows(data.windows, data.windows_reading, bars).trainable(data.grades_left_out)[0]


def features(spec: Diagnose) -> tuple[Windows, Any]:
    """Features beside the labels of the windows that take part in training."""
    data = spec.data
    bars = load_bars(data.bars, data.bars_reading) if data.bars else None
    windows, _ = load_windows(data.windows, data.windows_reading, bars).trainable(data.grades_left_out)
    x = window_matrix(windows, spec.features, bars)
    series, first = bar_spans(windows)
    groups = overlap_groups(Places(series, first, windows.bars), FOLDS)
    columns = names(spec.features.columns)
    report = feature_report(x, windows.label, windows.start, columns, groups, (spec.permutations, spec.seed))
    return windows, with_expectations(report)
