"""What the finished runs of a store took, as observations of how far the base of their estimates was off."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from moola_core.errors import MoolaError
from moola_core.host.figures import Figures
from moola_core.launch.estimate import base
from moola_core.launch.estimate.ranges import Observed
from moola_core.runs.fits import settings_of_fits
from moola_core.runs.record import Record
from moola_core.runs.store import Store
from moola_core.specs import Finetune, Pretrain, change, settings

MOST_READ = 300
NO_FITS = ("preset", "data.", "training.seed", "training.repeats", "training.processes", "transfer.checkpoint")
ALONE = "alone"


@dataclass(frozen=True)
class Finished:
    """A finished run: what it was asked, and the seconds of its fits (or epochs) and of what is around them; None where not known.

    Seconds are those that it would have taken had no other work kept the host busy.

    key: of its fits, as `ranges.Observed` has it; same: all settings of a fit, in words; made: how many fits or epochs.
    """

    run_id: str
    spec: Finetune | Pretrain
    record: Record
    key: tuple[str, ...]
    same: str
    made: int
    fits_s: float | None
    around_s: float | None

    def base(self, figures: Figures | None) -> base.Base:
        """What the estimate of it begins with."""
        facts = self.record.facts
        if isinstance(self.spec, Pretrain):
            return base.of_pretraining(self.spec, facts.train or 0, self.made, figures)
        size = facts.windows or 0, facts.window_bars or base.DEFAULT_BARS
        return base.of_run(as_carried_out(self.spec, self.record), size, self.made, figures, facts.engine)


def as_carried_out(spec: Finetune, record: Record) -> Finetune:
    """The spec with the processes that its run had, where it shared this host with other runs of its study."""
    processes = int(record.process.get("processes") or 0)
    return change(spec, {"training.processes": processes}) if processes else spec


def newest_finished(store: Store) -> list[Finished]:
    """The newest finished runs of this host, newest first."""
    here, known = os.uname().nodename, []
    for record in store.runs():
        if (
            record.kind in ("finetune", "pretrain")
            and record.state == "done"
            and record.host == here
            and record.seconds
        ):
            one = _finished(store, record)
            if one is not None:
                known.append(one)
            if len(known) >= MOST_READ:
                break
    return known


# By folder and end: neither the spec nor the record of a finished run changes what it took.
_known: dict[tuple[str, str, float | None], Finished | None] = {}


def _finished(store: Store, record: Record) -> Finished | None:
    place = str(store.runs_folder / record.run_id), record.ended, record.seconds
    if place not in _known:
        _known[place] = _read(store, record)
    return _known[place]


def _read(store: Store, record: Record) -> Finished | None:
    """None for a run of another version, one that lost a file, and one that made nothing itself."""
    try:
        spec = store.open(record.run_id).spec
    except MoolaError:
        return None
    facts, total = record.facts, int(record.progress.get("total") or 0)
    if isinstance(spec, Pretrain) and not facts.train:
        return None
    if isinstance(spec, Finetune) and spec.is_network and not facts.epochs_run:
        return None
    seconds, measured = float(record.seconds or 0.0), facts.fitting
    made, fits_s, around = total, None, None
    if measured:
        made, stretch = measured.fits, max(measured.stretch, 1.0)
        fits_s = measured.seconds / stretch if made else None
        around = max(seconds / stretch - (fits_s or 0.0), 0.2)
    elif facts.taken_over is not None or not total:
        return None
    else:  # a run of an earlier version says only how long it took in all
        fits_s = max(seconds - base.around(around_key(spec, record.parent is not None), total), 0.1 * seconds)
    same = repr(settings_of_fits(spec)) if isinstance(spec, Finetune) else ""
    return Finished(record.run_id, spec, record, key_of(spec), same, made, fits_s, around)


def key_of(spec: Finetune | Pretrain) -> tuple[str, ...]:
    """Kind of work, size and settings of its fits."""
    if isinstance(spec, Pretrain):
        kind, size = f"pretrain {spec.objective.name}", _size(spec)
        same = {
            name: value for name, value in settings(spec).items() if not name.startswith(("data.", "training.seed"))
        }
    elif spec.is_network:
        kind, size = f"network {spec.model.encoder}", _size(spec)
        same = _without(settings_of_fits(spec))
    else:
        kind, size = spec.estimator, ""
        same = _without(settings_of_fits(spec))
    return kind, size, hashlib.sha256(repr(sorted(same.items())).encode()).hexdigest()[:16]


def _without(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if not name.startswith(NO_FITS)}


def _size(spec: Finetune | Pretrain) -> str:
    """What sets the time of a step besides the encoder."""
    model, training = spec.model, spec.training
    parts: list[Any] = [model.layers, model.hidden, training.batch_size, training.device]
    if isinstance(spec, Finetune):
        schedule = spec.transfer.schedule if spec.transfer.encoders else "scratch"
        parts += [spec.training.engine, spec.loss.pcgrad, model.pointer, model.span_statistics, schedule]
    return " ".join(map(str, parts))


def around_key(spec: Finetune | Pretrain, is_part: bool, made: int = 1) -> tuple[str, ...]:
    """Of what is around the fits: reading, processes, evaluation; made: how many of its fits the run makes itself."""
    kind = "pretrain" if isinstance(spec, Pretrain) else "network" if spec.is_network else "estimator"
    kind = kind if made else "taken over"
    return kind, base.PART if is_part else ALONE, key_of(spec)[0]


def off_of_fits(known: Sequence[Finished], figures: Figures | None) -> list[Observed]:
    """How far the base was off for the fits of these runs."""
    return [
        Observed(one.key, math.log(max(one.fits_s, 1e-3) / max(one.base(figures).fits_s, 1e-3)))
        for one in known
        if one.fits_s is not None
    ]


def off_around(known: Sequence[Finished]) -> list[Observed]:
    """How far the base was off for what is around the fits."""
    pairs = [(one, around_key(one.spec, one.record.parent is not None, one.made)) for one in known]
    return [
        Observed(key, math.log(one.around_s / base.around(key, int(one.record.progress.get("total") or 0))))
        for one, key in pairs
        if one.around_s is not None
    ]


def held(known: Sequence[Finished], spec: Finetune) -> int:
    """How many repeats of the spec's fits the store holds already, so that a part of a study takes them over.

    Where an encoder is transferred there are none: its weights are not known before. The newest finished run tells which code is in force.
    """
    if spec.transfer.encoders and spec.is_network:
        return 0
    code = {(one.record.commit, one.record.dirty) for one in known[:1]}
    wanted, most = repr(settings_of_fits(spec)), 0
    for one in known:
        alike = one.same == wanted and (one.record.commit, one.record.dirty) in code
        if alike and isinstance(one.spec, Finetune) and one.spec.data.windows == spec.data.windows:
            most = max(most, one.spec.training.repeats)
    return min(most, spec.training.repeats)
