"""How much memory a run takes at most, its processes together: what later runs like it can be expected to take."""

from __future__ import annotations

import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import psutil

from moola_core.runs.facts import PeakMemory
from moola_core.runs.store import Run

LOOK_S = 0.5
KINDS = ("finetune", "pretrain")
KB = 1e3 / 1.024  # ru_maxrss is in units of 1,024 bytes


@contextmanager
def kept(run: Run) -> Iterator[None]:
    """Inside, the memory of this process and those that it starts is looked at; at the end the run's facts have the most of it.

    Only of a run that has a process of its own, and is no part of another: of others it would be that of both.
    """
    record = run.record
    if record.kind not in KINDS or record.parent is not None or not record.queue:
        yield
        return
    over, most = threading.Event(), together_mb()

    def look() -> None:
        nonlocal most
        while not over.wait(LOOK_S):
            most = max(most, together_mb())

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(LOOK_S)
    low = largest_mb()
    run.update(facts=replace(run.record.facts, peak_memory=PeakMemory(low, max(low, most))))


def together_mb() -> float:
    """What this process and those that it started hold now; what they share is counted for each of them."""
    own = psutil.Process()
    total = 0
    for process in (own, *own.children(recursive=True)):
        with suppress(psutil.Error):  # it has ended meanwhile
            total += process.memory_info().rss
    return total / 1e6


def largest_mb() -> float:
    """The most that one process held: this one, or one that it started and that has ended."""
    of = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(who).ru_maxrss for who in of) / KB
