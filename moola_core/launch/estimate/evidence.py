"""What the store and this host's figures say of the seconds of runs."""

from __future__ import annotations

import math
import time
from functools import cached_property, lru_cache
from pathlib import Path

from moola_core.host import busy
from moola_core.host.figures import Figures
from moola_core.launch.devices import default_device
from moola_core.launch.estimate import base
from moola_core.launch.estimate.base import TUNED, Base, figures_for
from moola_core.launch.estimate.finished_runs import (
    around_key,
    held,
    key_of,
    newest_finished,
    off_around,
    off_of_fits,
)
from moola_core.launch.estimate.ranges import Observed, Seconds, corrected, total
from moola_core.runs.store import Store
from moola_core.specs import Finetune, Pretrain

# Standard deviation of the logarithm of the fits' seconds before any run is known, by where the base comes from.
UNSURE_TUNED, UNSURE_SCALED, UNSURE, UNSURE_AROUND = 0.35, 0.5, 0.8, 0.4
UNSURE_BUSY = 0.3  # of the logarithm of how many times as long work takes on a busy host
FRESH_S = 5.0  # evidence of a store is kept so long, where it is read again and again
SAID = 1.3  # from so many times on it is said that the host is busy
WIDE = "nothing like it ran here yet, so the range is wide"


class Evidence:
    """What the store and this host's figures say of the seconds of runs."""

    def __init__(self, store: Store) -> None:
        self.store, self.known = store, newest_finished(store)
        self.stretch = busy.stretch()
        self._figures: dict[str, Figures | None] = {}
        self._offs: dict[str, list[Observed]] = {}

    def figures(self, device: str) -> Figures | None:
        if device not in self._figures:
            self._figures[device] = figures_for(self.store, device)
        return self._figures[device]

    @cached_property
    def around(self) -> list[Observed]:
        return off_around(self.known)

    def offs(self, device: str) -> list[Observed]:
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
        known, around = base.of_run(spec, size, max(fits, 1), figures), self.around_of(spec, is_part, (fits, every))
        return (total([around, self.fits_of(spec, known)]) if fits else around), known

    def pretraining(self, spec: Pretrain, bars: int, is_part: bool = False) -> tuple[Seconds, Base]:
        epochs = spec.training.epochs
        known = base.of_pretraining(spec, windows_of(spec, bars), epochs, self.figures(spec.training.device))
        return total([self.around_of(spec, is_part, (epochs, epochs)), self.fits_of(spec, known)]), known

    def fits_of(self, spec: Finetune | Pretrain, known: Base) -> Seconds:
        """Of the fits or epochs that the base counts, corrected by those of finished runs."""
        unsure = UNSURE
        if known.from_host or known.as_fast_as_host:
            own = UNSURE_TUNED if known.from_host else UNSURE_SCALED
            unsure = math.hypot(own, UNSURE_BUSY * math.log1p(known.load))
        return self._now(corrected(known.fits_s, unsure, key_of(spec), self.offs(spec.training.device)))

    def around_of(self, spec: Finetune | Pretrain, is_part: bool, counts: tuple[int, int]) -> Seconds:
        """Of what is around the fits; counts: how many fits or epochs the run makes itself, and how many it has."""
        key = around_key(spec, is_part, counts[0])
        return self._now(corrected(base.around(key, counts[1]), UNSURE_AROUND, key, self.around))

    def _now(self, alone: Seconds) -> Seconds:
        """As long as it takes while the host is as busy as it is at the moment, of which nobody knows how long it lasts."""
        deviation = math.hypot(alone.deviation, UNSURE_BUSY * math.log(self.stretch))
        return Seconds(alone.log_median, deviation).times(self.stretch)

    @property
    def busy(self) -> str:
        """A sentence's end where other work keeps the host busy."""
        if self.stretch < SAID:
            return ""
        return f"; other work keeps this host busy, so that runs take about {self.stretch:.1f} times as long now"

    def source(self, spec: Finetune | Pretrain, known: Base) -> str:
        """Where an estimate of the spec comes from, in words."""
        key, suffix = key_of(spec), ", all fits at once" if known.at_once else ""
        for depth, alike in ((3, "with these settings"), (2, "of this size"), (1, "of this kind")):
            runs = [one for one in self.known if one.key[:depth] == key[:depth]]
            if runs:
                several = f"{len(runs)} runs {alike} in this store, the newest {runs[0].run_id}"
                return f"{several if len(runs) > 1 else f'run {runs[0].run_id} {alike}'}{suffix}{self.busy}"
        if known.from_host:
            return f"{TUNED}{suffix}; {WIDE}{self.busy}"
        lstm = isinstance(spec, Finetune) and (not spec.is_network or spec.model.encoder == "bilstm")
        like = "" if lstm or isinstance(spec, Pretrain) else " with an LSTM of this size"
        card = "" if default_device() == "cpu" or spec.training.device == "cpu" else "; no run on this card is kept yet"
        return f"{known.source}{like}{card}{suffix}; {WIDE}{self.busy}"


def windows_of(spec: Pretrain, bars: int) -> int:
    """About how many windows an epoch of pre-training has."""
    return max((bars - spec.sampling.window_bars) // spec.sampling.stride_bars, 1)


def recent(root: Path) -> Evidence:
    """The evidence of a store, read anew every few seconds."""
    return _read(str(root), int(time.monotonic() / FRESH_S))


@lru_cache(4)
def _read(root: str, moment: int) -> Evidence:
    return Evidence(Store(Path(root)))
