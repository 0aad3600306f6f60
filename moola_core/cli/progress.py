"""Runs carried out in the foreground, with a progress bar."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from moola_core.runs.store import Run


def execute(run: Run, resume: bool = False) -> None:
    """Do or go on with the run here, with a progress bar where standard error is a terminal."""
    from moola_core.launch import worker  # loads torch: only once the settings are known to be right

    bar = Bar(run, quiet=not sys.stderr.isatty())
    try:
        (worker.resume if resume else worker.run)(run, bar)
    finally:
        bar.close()


class Bar:
    """A progress bar with the time left, on standard error; also shows the last epoch."""

    width, looks_s = 30, 2.0

    def __init__(self, run: Run, quiet: bool) -> None:
        self.run, self.quiet, self.drawn = run, quiet, 0.0
        self.left, self.looked = "", 0.0

    def __call__(self, event: Any, progress: dict[str, Any]) -> None:
        if self.quiet or time.monotonic() - self.drawn < 0.1:
            return
        self.drawn = time.monotonic()
        total = progress["total"] or 1
        begun = 0.0 if "unit" in progress else progress.get("epoch", 0) / progress["epochs"]
        share = min(1.0, (progress["done"] + begun) / total)
        if self.drawn - self.looked > self.looks_s:
            self.left, self.looked = self._time_left(), self.drawn
        filled = round(self.width * share)
        text = f"\r{'█' * filled}{'░' * (self.width - filled)} {progress['done']}/{total} {progress.get('unit', 'fits')}, epoch {progress.get('epoch', 0)}, {self.left}   "
        print(text, end="", file=sys.stderr, flush=True)

    def _time_left(self) -> str:
        from moola_core.launch.estimate.remaining import remaining
        from moola_core.sections.formatting import duration, time_range

        left = remaining(self.run)
        return "starting" if left is None else f"{duration(left.seconds)} left ({time_range(left.low, left.high)})"

    def close(self) -> None:
        if not self.quiet and self.drawn:
            print(file=sys.stderr)
