"""Fits that start from fits of another run: none tests a window that the other was trained or stopped on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from moola_core.errors import CheckpointError, MoolaError
from moola_core.market.bars import load_bars
from moola_core.market.windows import Windows, load_windows
from moola_core.runs.record import FIT, run_of
from moola_core.runs.source_fits import OF_THE_FOLDS, WHERE, source_of
from moola_core.runs.store import Run
from moola_core.specs import Finetune, Transfer, settings
from moola_core.training.folds import Fold

TRAINED_ON = ("train", "inner")
LEAKING = ("see", "unknown")  # of what pre-training saw, the worst first


def refuse_seen(spec: Finetune, root: Path, folds: Sequence[Fold], windows: Windows) -> None:
    """Raise CheckpointError where a fit would test windows that the fit it starts from was trained or stopped on.

    The fits that those started from in turn count too. root: the folder of the store; windows: those that take part.
    """
    encoders, sources = spec.transfer.encoders, _Sources(root, windows)
    if not any(FIT.fullmatch(reference) for reference in encoders):
        return
    ids, seen = windows.window_id.astype(str), dict[str, set[str]]()
    for fold in folds:
        reference = encoders[spec.transfer.encoder_of(fold.repeat, fold.fold)]
        if FIT.fullmatch(reference):
            seen.setdefault(run_of(reference), set()).update(sources.seen_by(reference).intersection(ids[fold.test]))
    for run_id, both in seen.items():
        if both:
            raise _seen(spec, sources.runs[run_id], len(both))


def saw_by_fits(transfer: Transfer, root: Path) -> str:
    """What the fits that a run starts from saw of its windows, a key of `SAW`; empty where not every encoder is that of a fit."""
    if not transfer.encoders or not all(FIT.fullmatch(reference) for reference in transfer.encoders):
        return ""
    sources = {run_of(reference): source_of(reference, root)[0] for reference in transfer.encoders}
    words = {run.record.facts.saw for run in sources.values()}
    return next((word for word in LEAKING if word in words), "fit")


def _seen(spec: Finetune, source: Run, count: int) -> CheckpointError:
    """The refusal, with the settings of the folds in which the two runs differ."""
    ours, theirs = settings(spec), settings(source.spec)
    apart = [f"--set {name}={theirs[name]}" for name in OF_THE_FOLDS if ours[name] != theirs[name]]
    fewer = spec.training.repeats > source.spec.training.repeats
    text = f"fits of the run {source.id} were trained or stopped on {count} {'window' if count == 1 else 'windows'} that this run would test after starting from them"
    times = source.spec.training.repeats
    more = f"; it has {times} repeat{'' if times == 1 else 's'} and this run {spec.training.repeats}" if fewer else ""
    hint = "Keep the data, the seed, the folds and the repeats as they were there, and start each fit from the one of its repeat and fold"
    return CheckpointError(f"{text}{more}.", where=WHERE, hint=f"{hint}{': ' if apart else ''}{' '.join(apart)}.")


class _Sources:
    """The windows that fits were trained or stopped on, each fit read once; runs: those that were read, by id."""

    def __init__(self, root: Path, windows: Windows) -> None:
        self.root, self.windows = root, windows
        self.runs: dict[str, Run] = {}
        self._names: dict[str, Mapping[str, str]] = {}
        self._seen: dict[str, frozenset[str]] = {}

    def seen_by(self, reference: str) -> frozenset[str]:
        """Our ids of the windows that the fit, or one that it started from, was trained or stopped on."""
        if reference not in self._seen:
            self._seen[reference] = frozenset()  # a circle, which no run of this program makes, ends here
            run, (repeat, fold) = source_of(reference, self.root)
            self.runs[run.id] = run
            table, transfer = run.folds, run.spec.transfer
            rows = table[(table["repeat"] == repeat) & (table["fold"] == fold) & table["role"].isin(TRAINED_ON)]
            names = self._names_of(run)
            seen = {names[one] for one in rows["window_id"].astype(str) if one in names}
            before = transfer.encoders[transfer.encoder_of(repeat, fold)] if transfer.encoders else ""
            self._seen[reference] = frozenset(seen | (self.seen_by(before) if FIT.fullmatch(before) else frozenset()))
        return self._seen[reference]

    def _names_of(self, run: Run) -> Mapping[str, str]:
        """Our id of each window of the run that is one of ours; by its prices, but for a constant, where the data is not the same."""
        if run.id not in self._names:
            if run.record.data_hashes.get("windows") == self.windows.content_hash:
                self._names[run.id] = {name: name for name in self.windows.window_id.astype(str)}
            else:
                ours, theirs = _by_prices(self.windows), _by_prices(_windows_of(run))
                self._names[run.id] = {their: ours[key] for key, their in theirs.items() if key in ours}
        return self._names[run.id]


def _by_prices(windows: Windows) -> dict[bytes, str]:
    moves = np.round(windows.prices - windows.prices[:, :1, :1], 6) + 0.0  # no negative zero
    return {one.tobytes(): str(name) for one, name in zip(moves, windows.window_id, strict=True)}


def _windows_of(run: Run) -> Windows:
    data = run.spec.data
    try:
        bars = load_bars(data.bars, data.bars_reading) if data.bars else None
        return load_windows(data.windows, data.windows_reading, bars)
    except MoolaError as error:
        raise CheckpointError(
            f"the run {run.id} was fitted to other windows, which cannot be read ({error}), so that it cannot be seen whether this run would "
            "test one of them.",
            where=WHERE,
            hint="Put that file back, or start from fits on the same windows.",
        ) from None
