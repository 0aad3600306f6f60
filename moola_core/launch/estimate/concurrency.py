"""Runs of a study beside each other on this host: how many at a time, in which order, and how much less time that takes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

import psutil

from moola_core.host.choices import fastest
from moola_core.launch.devices import default_device
from moola_core.launch.estimate import base
from moola_core.launch.estimate.evidence import Evidence, windows_of
from moola_core.launch.estimate.memory import estimate_memory
from moola_core.launch.estimate.ranges import Seconds, total
from moola_core.specs import Finetune, Pretrain, Study, change

USABLE = 0.85  # of the free memory
RUN_BYTES = 1.2e9  # of a run that was not measured; a pre-training over 1.8M bars took 0.9 (docs/LOG.md)
WORTH_S = 10.0  # that several at a time must save: to start their processes takes a few seconds, once for all runs
USUAL = 2  # processes, where nothing was measured


@dataclass(frozen=True)
class Concurrency:
    """How the runs of a study share this host.

    Attributes
    ----------
    runs : int
        How many run at a time; 1 where they follow one another.
    processes : int
        How many processes each of them may use, itself included; 0 where it decides.
    """

    runs: int = 1
    processes: int = 0

    def of(self, spec: Finetune) -> Finetune:
        """The spec of a run as it is carried out here."""
        return spec if self.runs == 1 else change(spec, {"training.processes": self.processes})


ONE_AFTER_ANOTHER = Concurrency()


@dataclass(frozen=True)
class Size:
    """What a study reads: the windows that take part, and bars of its pre-trainings; 0 where it has none."""

    windows: int
    bars: int


@dataclass(frozen=True)
class StudyRun:
    """A run of a study, and the places of the parts that it starts from."""

    spec: Finetune | Pretrain
    before: tuple[int, ...] = ()


def parts_of(study: Study, bars: int) -> list[StudyRun]:
    """Every run of the study, those that others start from first; without pre-trainings where there are no bars."""
    parts, starts = [StudyRun(first) for first in study.firsts()], dict[str, tuple[int, ...]]()
    firsts: dict[str, tuple[int, ...]] = {repr(part.spec): (i,) for i, part in enumerate(parts)}
    for encoder, arms in study.pretrainings() if bars else ():
        count = study.pretraining_counts[encoder.sampling.labelled]
        starts |= dict.fromkeys(arms, tuple(range(len(parts), len(parts) + count)))
        parts += [StudyRun(encoder)] * count
    for arm in study.arms:
        before = starts.get(arm.name, firsts.get(repr(study.first_of(arm.name)), ()))
        parts.append(StudyRun(study.spec_of(arm.name, "encoder"), before))
    return parts


def concurrency_of(study: Study, size: Size, evidence: Evidence) -> Concurrency:
    """How many runs of the study are carried out at a time on this host.

    As many as `training.processes` allows, as there are cores and memory for; one where several are not worth their start, and on a card.
    """
    parts = parts_of(study, size.bars)
    if any(_on_card(part.spec) for part in parts):
        return ONE_AFTER_ANOTHER
    asked = _processes(study.base, evidence)
    runs = min(asked, os.cpu_count() or 1, len(parts))
    if runs <= 1:
        return ONE_AFTER_ANOTHER
    most = max(_bytes(part.spec, size, evidence) for part in parts)
    runs = min(runs, int(USABLE * psutil.virtual_memory().available / most))
    if runs <= 1:
        return ONE_AFTER_ANOTHER
    several = Concurrency(runs, max(asked // runs, 1))
    seconds = [seconds_of(part.spec, size, evidence, several).median for part in parts]
    together = makespan(seconds, [part.before for part in parts], runs)
    return several if sum(seconds) - together > WORTH_S else ONE_AFTER_ANOTHER


def seconds_of(spec: Finetune | Pretrain, size: Size, evidence: Evidence, several: Concurrency) -> Seconds:
    """Of one run of a study, where so many are carried out beside each other."""
    if isinstance(spec, Pretrain):
        return evidence.pretraining(spec, size.bars, is_part=True)[0]
    return evidence.run(several.of(spec), size.windows, is_part=True)[0]


def all_of(parts: Sequence[Seconds], before: Sequence[Sequence[int]], runs: int) -> Seconds:
    """Of all parts, so many at a time; before: the places of those that each of them waits for."""
    seconds = [part.median for part in parts]
    alone = sum(seconds)
    return total(parts).times(makespan(seconds, before, runs) / alone) if alone > 0 and runs > 1 else total(parts)


def chains(seconds: Sequence[float], before: Sequence[Sequence[int]]) -> list[float]:
    """Of each part, how long it and the longest line of parts that wait for it take; parts stand behind those that they wait for."""
    rank = list(seconds)
    for i in reversed(range(len(rank))):
        for one in before[i]:
            rank[one] = max(rank[one], seconds[one] + rank[i])
    return rank


def makespan(seconds: Sequence[float], before: Sequence[Sequence[int]], runs: int) -> float:
    """How long all parts take where so many run at a time, of those that can begin the one with the longest chain (Graham 1969)."""
    rank, ended = chains(seconds, before), dict[int, float]()
    waiting = sorted(range(len(rank)), key=lambda i: -rank[i])
    free = [0.0] * runs
    heapify(free)
    while waiting:
        now = heappop(free)
        ready = next((i for i in waiting if all(ended.get(one, now + 1) <= now for one in before[i])), None)
        if ready is None:  # until the next one ends
            heappush(free, min(end for end in ended.values() if end > now))
            continue
        waiting.remove(ready)
        ended[ready] = now + seconds[ready]
        heappush(free, ended[ready])
    return max(ended.values(), default=0.0)


def _on_card(spec: Finetune | Pretrain) -> bool:
    device = spec.training.device
    return device == "cuda" or (device == "auto" and default_device() != "cpu")


def _processes(spec: Finetune, evidence: Evidence) -> int:
    """How many processes the settings of the study's base allow."""
    if spec.training.processes:
        return spec.training.processes
    usual, figures = min(USUAL, os.cpu_count() or 1), evidence.figures(spec.training.device)
    if figures is None or not spec.is_network:
        return usual
    bars = spec.data.windows_reading.window_bars or base.DEFAULT_BARS
    row = fastest(figures, spec, bars, spec.training.folds * spec.training.repeats)
    return max(usual, row.processes) if row is not None else usual


def _bytes(spec: Finetune | Pretrain, size: Size, evidence: Evidence) -> float:
    """The memory of a run: the most that runs like it took here, where one was measured."""
    windows = windows_of(spec, size.bars) if isinstance(spec, Pretrain) else size.windows
    known = estimate_memory(spec, windows, evidence.store)
    return known.high if known is not None else RUN_BYTES
