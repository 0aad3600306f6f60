"""How long an active run still takes: its estimate at first, then more and more the pace of its own epochs and fits."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from moola_core.errors import MoolaError
from moola_core.launch.estimate import COMPARING, LATEST_SHARE, base, concurrency, estimate_investigation
from moola_core.launch.estimate.evidence import Evidence
from moola_core.launch.estimate.finished_runs import as_carried_out
from moola_core.launch.estimate.ranges import NOTHING, Seconds, total
from moola_core.launch.estimate.searching import count_of, later_trials
from moola_core.runs import event_file
from moola_core.runs.record import ACTIVE, Record
from moola_core.runs.store import Run, Store
from moola_core.specs import Finetune, Pretrain, Study
from moola_core.specs.study import name_of_first

OWN_PACE = 0.35  # standard deviation of the logarithm of what one whole fit (or epoch) says of all
FIRST_EPOCHS = 2.0  # how many fits the usual number of epochs counts as
NEARLY = 0.95  # of a fit that has not ended
AFTER_FITS = 0.4  # of what is around the fits: evaluation and the doctor come after them
OTHER_PACE = 0.4  # of runs of other kinds, which have nothing but their pace
WHOLE_BYTES, TAIL_BYTES = 8_000_000, 2_000_000  # of events: up to the first all are read at each look, else the end
FRESH_S = 5.0  # evidence of the store is kept so long


@dataclass(frozen=True)
class Remaining:
    """Seconds to the end of a run: the median, and the limits that hold in 8 cases of 10."""

    seconds: float
    low: float
    high: float

    @classmethod
    def of(cls, left: Seconds) -> Remaining:
        return cls(left.median, left.low, left.high)


def remaining(run: Run, now: datetime | None = None) -> Remaining | None:
    """How long the run still takes; None where it does not run, or nothing is known of it yet.

    now: the moment, by default the present one.
    """
    record = run.record
    if record.state != "running" or not record.started:
        return None
    clock = _Clock(now or datetime.now(UTC))
    if record.kind == "investigation":
        return _of_investigation(run, record, clock)
    try:
        left = _left(run, record, clock)
    except MoolaError:  # a file of a part that cannot be read
        return None
    return Remaining.of(left) if left is not None else None


class _Clock:
    """The moment that is asked about."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def since(self, text: str) -> float:
        """Seconds since a time of a record or an event."""
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max((self.now - moment).total_seconds(), 0.0)


def _left(run: Run, record: Record, clock: _Clock) -> Seconds | None:
    evidence = _evidence(str(run.store_root), int(time.monotonic() / FRESH_S))
    if record.kind in ("finetune", "pretrain"):
        return _of_fits(run, record, clock, evidence)
    if record.kind == "study":
        return _of_study(run, record, clock, evidence)
    if record.kind == "search":
        return _of_search(run, record, clock, evidence)
    done, every = record.progress.get("done") or 0, record.progress.get("total") or 0
    if not done or not every:
        return None
    return Seconds.about(clock.since(record.started) * max(every - done, 0.01) / done, OTHER_PACE)


@lru_cache(4)
def _evidence(root: str, moment: int) -> Evidence:
    return Evidence(Store(Path(root)))


def _of_fits(run: Run, record: Record, clock: _Clock, evidence: Evidence) -> Seconds | None:
    """Of a cross-validated run or a pre-training: fits or epochs, and what comes after them."""
    spec, progress = run.spec, record.progress
    every = int(progress.get("total") or 0)
    if not every or (record.facts.windows is None and record.facts.train is None):
        return None  # it reads its data
    made_before = int(progress.get("before") or 0)
    to_make = every - made_before
    around = evidence.around_of(spec, record.parent is not None, (to_make, every))
    if not to_make:
        return around.left(clock.since(record.started))
    fits = evidence.fits_of(spec, _base(spec, record, to_make, evidence))
    pace = _pace(run, spec, record, clock)
    if pace is None:
        return total([around, fits]).left(clock.since(record.started))
    took_s, made, since_s = pace
    whole = _blended(fits, took_s, made, to_make)
    share = max(1 - made / to_make, 0.0)
    after = around.times(AFTER_FITS)
    return total([whole.times(share), after]).left(since_s) if share else after.left(since_s)


def _base(spec: Finetune | Pretrain, record: Record, count: int, evidence: Evidence) -> base.Base:
    facts = record.facts
    if isinstance(spec, Pretrain):
        return base.of_pretraining(spec, facts.train or 0, count, evidence.figures(spec.training.device))
    size = facts.windows or 0, facts.window_bars or base.DEFAULT_BARS
    figures = evidence.figures(spec.training.device)
    return base.of_run(as_carried_out(spec, record), size, count, figures, facts.engine)


def _blended(fits: Seconds, took_s: float, made: float, to_make: int) -> Seconds:
    """The seconds of all fits: the estimate, and what so many made ones say, each by how sure it is."""
    own, unsure = math.log(max(took_s, 1e-3) * to_make / made), OWN_PACE**2 / made
    weights = 1 / max(fits.deviation**2, 1e-6), 1 / unsure
    center = (weights[0] * fits.log_median + weights[1] * own) / sum(weights)
    return Seconds(center, math.sqrt(1 / sum(weights)))


def _pace(run: Run, spec: Finetune | Pretrain, record: Record, clock: _Clock) -> tuple[float, float, float] | None:
    """Of this session: seconds up to the newest event, how many fits or epochs were made in them, and seconds since; None at the start.

    Where the events are so many that reading them takes long, those at their end say it of the time that they cover.
    """
    is_large = event_file.size_of(run.folder) > WHOLE_BYTES
    events = event_file.tail(run.folder, TAIL_BYTES) if is_large else run.events()
    ages = [(clock.since(event["time"]), event) for event in events]
    began = clock.since(record.started)
    own = [(age, event) for age, event in ages if age <= began]
    if not own:
        return None
    if isinstance(spec, Pretrain):
        each = [(age, event["values"]["seconds"]) for age, event in own if "seconds" in event.get("values", {})]
        return (sum(seconds for _, seconds in each), float(len(each)), each[-1][0]) if each else None
    made = _made(own, spec)
    if is_large:
        return _pace_lately(own, made, spec, record)
    first, newest = own[0][0], own[-1][0]
    return (first - newest, made, newest) if made > 0 and first > newest else None


def _made(events: Iterable[tuple[float, dict[str, Any]]], spec: Finetune) -> float:
    """Fits that have ended, and the shares of those that go on by their epochs; a fit may stop before its last epoch."""
    epochs: dict[tuple[int, int], int] = {}
    ended: set[tuple[int, int]] = set()
    for _, event in events:
        if event.get("fold") is None:
            continue
        fit = int(event["repeat"]), int(event["fold"])
        if event["type"] == "replicate_finished":
            ended.add(fit)
        elif event["type"] == "epoch":
            epochs[fit] = max(epochs.get(fit, 0), int(event.get("epoch") or 0))
    known = [epochs[fit] for fit in ended if epochs.get(fit)]
    usual = (
        (FIRST_EPOCHS * base.epochs_of_fit(spec) + sum(known)) / (FIRST_EPOCHS + len(known)) if spec.is_network else 1.0
    )
    going_on = [min(NEARLY, count / max(usual, count + 1)) for fit, count in epochs.items() if fit not in ended]
    return len(ended) + sum(going_on)


def _pace_lately(
    events: list[tuple[float, dict[str, Any]]], made: float, spec: Finetune, record: Record
) -> tuple[float, float, float] | None:
    """As `_pace`, where these are the newest events alone: at the pace of the time that they cover. made: fits by these events."""
    ended = [event for _, event in events if event["type"] == "replicate_finished"]
    epochs = sum(event["type"] == "epoch" and event.get("split") == "train" for _, event in events)
    lengths = [length for event in ended if (length := int(event.get("values", {}).get("epochs") or 0))]
    usual = sum(lengths) / len(lengths) if lengths else base.epochs_of_fit(spec)
    lately = epochs / usual if epochs else float(len(ended))
    first, newest = events[0][0], events[-1][0]
    before = int(record.progress.get("done") or 0) - int(record.progress.get("before") or 0)
    whole = before + made - len({(event["repeat"], event["fold"]) for event in ended})
    if lately <= 0 or whole <= 0 or first <= newest:
        return None
    return (first - newest) / lately * whole, whole, newest


def _of_study(run: Run, record: Record, clock: _Clock, evidence: Evidence) -> Seconds | None:
    """What is left of the arms and encoders that were begun, and the estimates of those that were not."""
    spec: Study = run.spec
    children = {what: evidence.store.open(run_id) for what, run_id in record.facts.children.items()}
    windows, train = _sizes(record, children.values())
    if not windows:
        return None
    bars = record.facts.sizes.get("bars") or train * (spec.pretrain.sampling.stride_bars if spec.pretrain else 0)
    size, parts = concurrency.Size(windows, bars), concurrency.parts_of(spec, bars)
    several = concurrency.concurrency_of(spec, size, evidence)
    runs, left = _runs_of(spec, children, parts), []
    for part, run_of_it in zip(parts, runs, strict=True):
        fresh = concurrency.seconds_of(part.spec, size, evidence, several)
        left.append(_of_part(run_of_it, fresh, clock, evidence))
    for name in record.facts.untrained:  # arms are the last parts, in their order
        left[len(parts) - len(spec.arms) + [arm.name for arm in spec.arms].index(name)] = NOTHING
    rest = concurrency.all_of(left, [part.before for part in parts], several.runs)
    return total([Seconds.about(*COMPARING), rest])


def _runs_of(spec: Study, children: Mapping[str, Run], parts: Sequence[concurrency.StudyRun]) -> list[Run | None]:
    """The run of each part where it was made already: encoders in the order in which they were begun."""
    firsts: list[Run | None] = [children.get(name_of_first(first)) for first in spec.firsts()]
    encoders: list[Run | None] = [child for what, child in children.items() if what.startswith("encoder")]
    arms = [children.get(f"arm {arm.name}") for arm in spec.arms]
    count = len(parts) - len(firsts) - len(arms)
    return [*firsts, *(encoders + [None] * count)[:count], *arms]


def _sizes(record: Record, children: Iterable[Run]) -> tuple[int, int]:
    """Windows that take part, and windows of a pre-training; 0 where that is not known yet."""
    known = [child.record.facts for child in children]
    windows = next((facts.windows for facts in known if facts.windows), 0)
    train = next((facts.train for facts in known if facts.train is not None), 0)
    return record.facts.sizes.get("windows") or windows, train


def _of_part(child: Run | None, fresh: Seconds, clock: _Clock, evidence: Evidence) -> Seconds:
    """What is left of one run of a study; fresh: of all of it."""
    if child is None:
        return fresh
    record = child.record
    if record.state == "done":
        return NOTHING
    if record.state == "running":
        return _of_fits(child, record, clock, evidence) or fresh.left(clock.since(record.started))
    done, every = record.progress.get("done") or 0, record.progress.get("total") or 0
    return fresh.times(max(1 - done / every, 0.02)) if every else fresh


def _of_search(run: Run, record: Record, clock: _Clock, evidence: Evidence) -> Seconds | None:
    """The trial that goes on, and those after it; the budget ends it before."""
    spec, done = run.spec, int(record.progress.get("done") or 0)
    children = [evidence.store.open(run_id) for run_id in record.facts.children.values()]
    windows, _ = _sizes(record, children)
    if not windows:
        return None
    each = evidence.run(spec.base, windows)[0]
    going_on = [child for child in children if child.record.state in ACTIVE]
    parts = [_of_part(child, each, clock, evidence) for child in going_on]
    later = count_of(spec) - done - len(going_on)
    parts += [later_trials(evidence, spec, windows, later)] if later > 0 else []
    left = total(parts) if parts else Seconds.about(*COMPARING)
    if spec.budget_s is None:
        return left
    spent = (record.facts.spent_s or 0.0) or clock.since(record.started)
    most = max(LATEST_SHARE * spec.budget_s - spent, 1.0)
    return left if left.high <= most else Seconds.about(min(left.median, 0.8 * most), math.log(1.25) / 1.2816)


def _of_investigation(run: Run, record: Record, clock: _Clock) -> Remaining:
    """By what investigations take of their budgets; it ends before where nothing is left to ask."""
    budget_s = float(run.spec.budget_s)
    expected = estimate_investigation(budget_s, Store(run.store_root))
    # The record counts what was spent before a resume too, but is behind by seconds at the start.
    spent = max(float(record.progress.get("done") or 0.0), 0.0) or clock.since(record.started)
    most = max(LATEST_SHARE * budget_s - spent, 1.0)
    whole = Seconds.between(expected.low, expected.high).left(spent)
    return Remaining(min(whole.median, most), min(whole.low, most), min(whole.high, most))
