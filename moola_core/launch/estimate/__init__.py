"""How long a run will take, as a range, and how much disk it will fill: from this host's figures, corrected by what finished runs took."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from moola_core.host.figures import Figures
from moola_core.launch.estimate import base
from moola_core.launch.estimate.base import TUNED, Base, figures_for, parameters
from moola_core.launch.estimate.finished_runs import (
    around_key,
    held,
    key_of,
    newest_finished,
    off_around,
    off_of_fits,
)
from moola_core.launch.estimate.ranges import Seconds, corrected, total
from moola_core.runs.store import Store
from moola_core.specs import Finetune, Pretrain, Search, Study

__all__ = [
    "Estimate",
    "Evidence",
    "estimate",
    "estimate_investigation",
    "estimate_pretraining",
    "estimate_search",
    "estimate_study",
]

# Standard deviation of the logarithm of the fits' seconds before any run is known, by where the base comes from.
UNSURE_TUNED, UNSURE, UNSURE_AROUND = 0.45, 0.8, 0.4
WIDE = "nothing like it ran here yet, so the range is wide"
COMPARING = 2.5, 0.5  # seconds of a study that are no run's, and how sure that is
PRUNED = 0.75  # of the time of a whole trial: about what a trial takes, since some end early
PRUNED_UNSURE = 0.3
USUAL_SHARE = 0.9, 0.25  # of its budget, that an investigation takes, and how sure that is
LATEST_SHARE = 1.1  # of its budget: what then runs is ended


@dataclass(frozen=True)
class Estimate:
    """How long something will take, and how much disk it will fill.

    Attributes
    ----------
    seconds : float
        The median: as likely too short as too long.
    low, high : float
        The true time is expected between them in 8 cases of 10.
    bytes : int
        On disk.
    fits : int
        Fits, or for a pre-training about how many windows an epoch has.
    source : str
        Where it comes from.
    """

    seconds: float
    low: float
    high: float
    bytes: int
    fits: int
    source: str

    @classmethod
    def of(cls, whole: Seconds, size: tuple[int, int], source: str) -> Estimate:
        return cls(whole.median, whole.low, whole.high, *size, source)


class Evidence:
    """What the store and this host's figures say of the seconds of runs."""

    def __init__(self, store: Store) -> None:
        self.store, self.known = store, newest_finished(store)
        self._figures: dict[str, Figures | None] = {}
        self._offs: dict[str, list] = {}

    def figures(self, device: str) -> Figures | None:
        if device not in self._figures:
            self._figures[device] = figures_for(self.store, device)
        return self._figures[device]

    @cached_property
    def around(self) -> list:
        return off_around(self.known)

    def offs(self, device: str) -> list:
        if device not in self._offs:
            self._offs[device] = off_of_fits(self.known, self.figures(device))
        return self._offs[device]

    def run(
        self, spec: Finetune, windows: int, is_part: bool = False, before: int | None = None
    ) -> tuple[Seconds, Base]:
        """Of a cross-validated run; as a part of a study without `before` repeats that are taken over, by default those that the store holds."""
        if before is None:
            before = held(self.known, spec) if is_part else 0
        every = spec.training.folds * spec.training.repeats
        fits = every - spec.training.folds * before
        size = windows, spec.data.windows_reading.window_bars or base.DEFAULT_BARS
        figures = self.figures(spec.training.device)
        known, around = base.of_run(spec, size, max(fits, 1), figures), self._around(spec, is_part, (fits, every))
        return (total([around, self._fits(spec, known)]) if fits else around), known

    def pretraining(self, spec: Pretrain, bars: int, is_part: bool = False) -> tuple[Seconds, Base]:
        epochs = spec.training.epochs
        known = base.of_pretraining(spec, windows_of(spec, bars), epochs)
        return total([self._around(spec, is_part, (epochs, epochs)), self._fits(spec, known)]), known

    def _fits(self, spec: Finetune | Pretrain, known: Base) -> Seconds:
        unsure = UNSURE_TUNED if known.from_host else UNSURE
        return corrected(known.fits_s, unsure, key_of(spec), self.offs(spec.training.device))

    def _around(self, spec: Finetune | Pretrain, is_part: bool, counts: tuple[int, int]) -> Seconds:
        """counts: how many fits or epochs the run makes itself, and how many it has."""
        key = around_key(spec, is_part, counts[0])
        return corrected(base.around(key[0], counts[1]), UNSURE_AROUND, key, self.around)

    def source(self, spec: Finetune | Pretrain, known: Base) -> str:
        """Where an estimate of the spec comes from, in words."""
        key, suffix = key_of(spec), ", all fits at once" if known.at_once else ""
        for depth, alike in ((3, "with these settings"), (2, "of this size"), (1, "of this kind")):
            runs = [one for one in self.known if one.key[:depth] == key[:depth]]
            if runs:
                several = f"{len(runs)} runs {alike} in this store, the newest {runs[0].run_id}"
                return f"measured in {several if len(runs) > 1 else f'run {runs[0].run_id} {alike}'}{suffix}"
        if known.from_host:
            return f"{TUNED}{suffix}; {WIDE}"
        lstm = isinstance(spec, Finetune) and (not spec.is_network or spec.model.encoder == "bilstm")
        like = "" if lstm or isinstance(spec, Pretrain) else " with an LSTM of this size"
        card = (
            ""
            if base.default_device() == "cpu" or spec.training.device == "cpu"
            else "; no run on this card is kept yet"
        )
        return f"{known.source}{like}{card}{suffix}; {WIDE}"


def estimate(spec: Finetune, windows: int, store: Store) -> Estimate:
    """The estimate for a run on this host.

    windows: how many take part. The window length is that of the spec's reading, or 105.
    """
    evidence, fits = Evidence(store), spec.training.folds * spec.training.repeats
    whole, known = evidence.run(spec, windows)
    return Estimate.of(whole, (base.bytes_of(spec, windows, fits), fits), evidence.source(spec, known))


def estimate_pretraining(spec: Pretrain, bars: int, store: Store) -> Estimate:
    """The estimate for a pre-training run over so many bars; `fits` is about how many windows it will see in an epoch."""
    evidence = Evidence(store)
    whole, known = evidence.pretraining(spec, bars)
    return Estimate.of(whole, (4 * 4 * parameters(spec), windows_of(spec, bars)), evidence.source(spec, known))


def estimate_study(spec: Study, windows: int, bars: int, store: Store) -> Estimate:
    """The estimate for all runs of a study; windows: how many take part, bars: of the pre-training.

    Fits that the store holds already are taken over, and take no time.
    """
    evidence, parts, sizes = Evidence(store), [Seconds.about(*COMPARING)], [0, 0]
    runs: list[Finetune | Pretrain] = []
    for arm in spec.arms:
        one = spec.spec_of(arm.name, "encoder")
        runs.append(one)
        parts.append(evidence.run(one, windows, is_part=True)[0])
        fits = one.training.folds * one.training.repeats
        sizes = [sizes[0] + base.bytes_of(one, windows, fits), sizes[1] + fits]
    for encoder, _ in spec.pretrainings() if bars else ():
        runs.append(encoder)
        times = spec.pretraining_counts[encoder.sampling.labelled]
        parts += [evidence.pretraining(encoder, bars, is_part=True)[0]] * times
    return Estimate.of(total(parts), (sizes[0], sizes[1]), _source_of_parts(evidence, runs))


def estimate_search(spec: Search, windows: int, store: Store) -> Estimate:
    """The estimate for a search: of all trials that it may make, or its budget where that is shorter."""
    evidence, fits = Evidence(store), spec.base.training.folds * spec.base.training.repeats
    count = spec.trials if spec.size is None else min(spec.trials, spec.size + 1)
    one, known = evidence.run(spec.base, windows)
    rest = Seconds(one.log_median, math.hypot(one.deviation, PRUNED_UNSURE)).times(PRUNED * max(count - 1, 1))
    whole = total([one, rest] if count > 1 else [one])
    size = count * base.bytes_of(spec.base, windows, fits), count * fits
    source = evidence.source(spec.base, known)
    if spec.budget_s is None or whole.low < spec.budget_s:
        made = Estimate.of(whole, size, source)
    else:  # the trials do not end before the budget does; a first one that is longer is finished
        made = Estimate.of(total([Seconds.about(max(spec.budget_s, one.median), 0.1)]), size, source)
    if spec.budget_s is None:
        return made
    latest = max(LATEST_SHARE * spec.budget_s, one.high)
    return Estimate(
        min(made.seconds, latest), min(made.low, latest), min(made.high, latest), made.bytes, made.fits, made.source
    )


def estimate_investigation(budget_s: float, store: Store) -> Estimate:
    """The estimate for an investigation or a plan: most of its budget, as those before took; it ends earlier when no question is left open."""
    shares = [
        record.seconds / record.progress["total"]
        for record in store.runs(kind="investigation")
        if record.state == "done" and record.seconds and record.progress.get("total")
    ]
    usual, deviation = USUAL_SHARE
    offs = [math.log(max(share, 1e-3)) for share in shares[:20]]
    weight = 4  # what is usual counts as much as so many investigations
    median = (weight * math.log(usual) + sum(offs)) / (weight + len(offs))
    squares = weight * deviation**2 + sum((off - median) ** 2 for off in offs)
    whole = Seconds(median, math.sqrt(squares / (weight + len(offs)))).times(budget_s)
    latest = LATEST_SHARE * budget_s
    source = f"the budget and {len(offs)} investigations of this store" if offs else "the budget"
    return Estimate(min(whole.median, latest), whole.low, min(whole.high, latest), 0, 0, source)


def windows_of(spec: Pretrain, bars: int) -> int:
    """About how many windows an epoch of pre-training has."""
    return max((bars - spec.sampling.window_bars) // spec.sampling.stride_bars, 1)


def _source_of_parts(evidence: Evidence, specs: Sequence[Finetune | Pretrain]) -> str:
    """How many of the parts were measured here."""
    own = {key_of(spec)[:2] for spec in specs}
    measured = own & {one.key[:2] for one in evidence.known}
    if len(measured) == len(own):
        return "runs of this store like all of its parts"
    if measured:
        return f"runs of this store like {len(measured)} of its {len(own)} kinds of runs; for the others {WIDE}"
    figures = any(evidence.figures(spec.training.device) is not None for spec in specs)
    return f"{TUNED if figures else base.TABLE}; {WIDE}"
