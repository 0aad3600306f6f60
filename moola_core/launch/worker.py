"""The worker: joins data, features and training to a run's folder.

python -m moola_core.launch.worker RUN_FOLDER
"""

from __future__ import annotations

import platform
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from moola_core.diagnostics.evaluation import evaluate_run
from moola_core.errors import DataError, FailedRun, MoolaError, RunError
from moola_core.features.catalog import names
from moola_core.features.matrix import window_matrix
from moola_core.market.bars import load_bars
from moola_core.market.windows import Windows, bar_spans, load_windows
from moola_core.runs.reaper import identity
from moola_core.runs.store import Run, now
from moola_core.specs import Finetune
from moola_core.training.device import resolve_device
from moola_core.training.events import Event
from moola_core.training.finetune import fit_all
from moola_core.training.folds import Fold, make_folds
from moola_core.training.inputs import Inputs, Replicate

PACKAGES = ("torch", "numpy", "pandas", "pyarrow", "numba", "scikit-learn", "scipy", "pydantic", "safetensors")
PROJECT = Path(__file__).resolve().parents[2]

Listen = Callable[[Event, Any], None]


def run(run: Run, listen: Listen | None = None) -> None:
    """Do what the run's spec asks for and bring its record to an end state.

    listen: called with each event and the record's progress, for a progress bar. An error for the user becomes the record's
    sentence and is raised; any other one goes to log.txt with its traceback and is raised as FailedRun.
    """
    record = run.record
    if record.state != "queued":
        raise RunError(f"is {record.state}, not queued.", where=f"run {run.id}", mend="Launch it again.")
    started = time.monotonic()
    run.update(state="running", started=now(), process=identity(), **_host())
    try:
        _finetune(run, listen)
    except BaseException as error:
        state = "cancelled" if isinstance(error, KeyboardInterrupt) else "failed"
        run.update(state=state, error=_sentence(error), ended=now(), seconds=time.monotonic() - started)
        if isinstance(error, MoolaError | KeyboardInterrupt):
            raise
        run.append_log(traceback.format_exc())
        raise FailedRun(_sentence(error), where=f"run {run.id}", mend=f"See {run.folder / 'log.txt'}.") from error
    run.update(state="done", ended=now(), seconds=time.monotonic() - started)


def _finetune(run: Run, listen: Listen | None) -> None:
    spec = run.spec
    device = resolve_device(spec.training)
    inputs, hashes, counts = load_inputs(spec, run.folder.parent.parent / "cache")
    folds = make_folds(inputs.label, inputs.places, spec.training, spec.faults)
    table = run.write_table("folds", fold_columns(folds, inputs))
    hashes["folds"] = _hash(table)
    done = run.replicates()
    progress = {"done": len(done), "total": len(folds), "epochs": spec.training.epochs}
    run.update(device=f"{device.name} {device.precision}", data_hashes=hashes, counts=counts, progress=progress)
    relay = Relay(run, progress, listen)
    replicates = []
    for replicate in fit_all(spec, inputs, folds, relay, frozenset(done)):
        run.write_replicate(replicate.repeat, replicate.fold, prediction_columns(replicate, inputs), replicate.weights)
        replicates.append(replicate)
        relay.finished()
    relay.flush()
    _gather(run, replicates, inputs)
    _evaluate(run, counts)


def load_inputs(spec: Finetune, cache: Path) -> tuple[Inputs, dict[str, str], dict[str, Any]]:
    """What training reads of the spec's data, the hashes of that data, and what was counted on the way."""
    bars = load_bars(spec.data.bars, spec.data.bars_reading) if spec.data.bars else None
    windows, left_out = load_windows(spec.data.windows, spec.data.windows_reading, bars).trainable(
        spec.data.grades_left_out
    )
    if not len(windows):
        raise DataError(
            f"all {left_out} windows are of a grade that is left out.",
            where=spec.data.windows,
            mend="Leave out fewer: data.grades_left_out.",
        )
    x = window_matrix(windows, spec.features, bars, cache)
    hashes = {"windows": windows.content_hash} | ({"bars": bars.content_hash} if bars is not None else {})
    labels, sizes = np.unique(windows.label.astype(str), return_counts=True)
    features = names(spec.features.columns)
    counts: dict[str, Any] = {
        "windows": len(windows),
        "left_out": left_out,
        "window_bars": windows.bars,
        "features": list(features),
    }
    counts["labels"] = dict(zip(labels.tolist(), sizes.tolist(), strict=True))
    return _inputs(windows, x, features), hashes, counts


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


class Relay:
    """Events on their way to the run's folder: written in handfuls, with the record's progress brought up to date."""

    every_s = 0.5

    def __init__(self, run: Run, progress: dict[str, Any], listen: Listen | None) -> None:
        self.run, self.progress, self.listen = run, progress, listen
        self.waiting: list[Event] = []
        self.written = time.monotonic()

    def __call__(self, event: Event) -> None:
        self.waiting.append(event)
        if event.epoch is not None:
            self.progress["epoch"] = event.epoch
        if self.listen:
            self.listen(event, self.progress)
        if time.monotonic() - self.written > self.every_s:
            self.flush()

    def finished(self) -> None:
        """One more fit is kept."""
        self.progress["done"] += 1
        self.flush()

    def flush(self) -> None:
        if self.waiting:
            self.run.append_events([vars(event) for event in self.waiting])
        self.waiting, self.written = [], time.monotonic()
        self.run.update(progress=dict(self.progress))


def _gather(run: Run, replicates: list[Replicate], inputs: Inputs) -> None:
    """One table of all predictions, one of all steps, and the σ ratio of each repeat."""
    import pyarrow as pa
    import pyarrow.parquet as pq

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


def _evaluate(run: Run, counts: dict[str, Any]) -> None:
    """Store what the predictions are worth; when that fails the fits are still kept, and the record says so."""
    try:
        run.write_result("evaluation", evaluate_run(run))
    except (MoolaError, ValueError, ArithmeticError, KeyError) as error:
        run.append_log(traceback.format_exc())
        run.update(warnings=(*run.record.warnings, f"The evaluation could not be computed: {error}"))


def _sentence(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "Cancelled."
    if isinstance(error, MoolaError):
        return str(error)
    if isinstance(error, MemoryError):
        return "Out of memory. Ask for a smaller model or batch, or for training.processes=1."
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}. Its log has the details."


def _host() -> dict[str, Any]:
    versions = {name: metadata.version(name) for name in PACKAGES} | {"python": platform.python_version()}
    commit, dirty = _commit()
    return {"host": platform.node(), "versions": versions, "commit": commit, "dirty": dirty}


def _commit() -> tuple[str, bool]:
    """The project's commit and whether files differ from it; empty outside a checkout."""
    if not (PROJECT / ".git").exists():
        return "", False
    asked = [["git", "rev-parse", "HEAD"], ["git", "status", "--porcelain"]]
    try:
        answers = [
            subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=10).stdout.strip()
            for command in asked
        ]
    except (OSError, subprocess.TimeoutExpired):
        return "", False
    return answers[0], bool(answers[1])


def _hash(path: Path) -> str:
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()


def main(arguments: list[str]) -> int:
    """Run the folder named on the command line; the exit status is the error's."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = Path(arguments[0])
    try:
        run(Run(folder))
    except MoolaError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_status
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
