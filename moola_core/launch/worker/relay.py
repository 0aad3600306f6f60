"""Events on their way from training to the run's folder."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from moola_core.host import busy
from moola_core.runs import mirror
from moola_core.runs.facts import Fitting
from moola_core.runs.store import Run
from moola_core.training.events import Event

ProgressCallback = Callable[[Event, Any], None]


class EventWriter:
    """Events on their way to the run's folder: written in handfuls, with the record's progress brought up to date."""

    every_s = 0.5

    def __init__(self, run: Run, progress: dict[str, Any], listen: ProgressCallback | None) -> None:
        self.run, self.progress, self.listen = run, progress, listen
        self.waiting: list[Event] = []
        self.written = time.monotonic()
        self.began: float | None = None
        self.kept, self.stretch = 0, 1.0

    def __call__(self, event: Event) -> None:
        self.waiting.append(event)
        self.begin()
        if event.epoch is not None:
            self.progress["epoch"] = event.epoch
        if self.listen:
            self.listen(event, self.progress)
        self.beat()

    def beat(self) -> None:
        """Write what waits and the progress, if the last time was long enough ago."""
        if time.monotonic() - self.written > self.every_s:
            self.flush()

    def begin(self) -> None:
        """The first fit or epoch begins now, if it did not with an event before."""
        if self.began is None:
            self.began, self.stretch = time.monotonic(), busy.stretch()

    def finished(self) -> None:
        """One more fit is kept."""
        self.progress["done"] += 1
        self.kept += 1
        self.flush()
        mirror.step(self.run)

    def fitting(self) -> Fitting:
        """How many fits or epochs were kept, how long they took, and how busy the host was: what later estimates rest on."""
        seconds = 0.0 if self.began is None else time.monotonic() - self.began
        return Fitting(seconds, self.kept, (self.stretch + busy.stretch()) / 2)

    def flush(self) -> None:
        if self.waiting:
            self.run.append_events([vars(event) for event in self.waiting])
        self.waiting, self.written = [], time.monotonic()
        self.run.update(progress=dict(self.progress))
