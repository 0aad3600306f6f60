"""How long a run will take, as a range, and how much disk it will fill: from this host's figures, corrected by what finished runs took."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from moola_core.launch.estimate import base, concurrency
from moola_core.launch.estimate.base import TUNED, parameters
from moola_core.launch.estimate.evidence import WIDE, Evidence, windows_of
from moola_core.launch.estimate.finished_runs import key_of
from moola_core.launch.estimate.ranges import Seconds, total
from moola_core.launch.estimate.searching import count_of, later_trials
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

COMPARING = 2.5, 0.5  # seconds of a study that are no run's, and how sure that is
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

    Fits that the store holds already are taken over, and take no time. Runs that are carried out beside each other overlap.
    """
    evidence, size = Evidence(store), concurrency.Size(windows, bars)
    several, parts = concurrency.concurrency_of(spec, size, evidence), concurrency.parts_of(spec, bars)
    seconds = [concurrency.seconds_of(part.spec, size, evidence, several) for part in parts]
    runs = concurrency.all_of(seconds, [part.before for part in parts], several.runs)
    sizes = [0, 0]
    for one in (part.spec for part in parts if isinstance(part.spec, Finetune)):
        fits = one.training.folds * one.training.repeats
        sizes = [sizes[0] + base.bytes_of(one, windows, fits), sizes[1] + fits]
    source = _source_of_parts(evidence, [part.spec for part in parts])
    return Estimate.of(total([Seconds.about(*COMPARING), runs]), (sizes[0], sizes[1]), source)


def estimate_search(spec: Search, windows: int, store: Store) -> Estimate:
    """The estimate for a search: of all trials that it may make, or its budget where that is shorter."""
    evidence, fits, count = Evidence(store), spec.base.training.folds * spec.base.training.repeats, count_of(spec)
    first, known = evidence.run(spec.base, windows)
    whole = total([first, later_trials(evidence, spec, windows, count - 1)]) if count > 1 else first
    size = count * base.bytes_of(spec.base, windows, fits), count * fits
    # No trial begins after the budget or where it would end much later; the first is always made.
    latest = math.inf if spec.budget_s is None else max(LATEST_SHARE * spec.budget_s, first.high)
    seconds, low, high = (min(one, latest) for one in (whole.median, whole.low, whole.high))
    return Estimate(seconds, low if low < latest else 0.75 * latest, high, *size, evidence.source(spec.base, known))


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
    plural = "" if len(offs) == 1 else "s"
    source = f"the budget and {len(offs)} investigation{plural} of this store" if offs else "the budget"
    return Estimate(min(whole.median, latest), whole.low, min(whole.high, latest), 0, 0, source)


def _source_of_parts(evidence: Evidence, specs: Sequence[Finetune | Pretrain]) -> str:
    """How many of the parts were measured here."""
    own = {key_of(spec)[:2] for spec in specs}
    measured = own & {one.key[:2] for one in evidence.known}
    if len(measured) == len(own):
        return f"runs of this store like all of its parts{evidence.busy}"
    if measured:
        return f"runs of this store like {len(measured)} of its {len(own)} kinds of runs; for the others {WIDE}{evidence.busy}"
    figures = any(evidence.figures(spec.training.device) is not None for spec in specs)
    return f"{TUNED if figures else base.TABLE}; {WIDE}{evidence.busy}"
