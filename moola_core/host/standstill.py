"""Processes that do nothing: stopped by a signal, or stuck, as opposed to slow ones."""

from __future__ import annotations

import time

import psutil

from moola_core.durations import duration

# After so long without doing anything a process that others wait for is ended.
LIMIT_S = 600.0
LOOK_S, MOST_S = 1.0, 3.0
MOVED_S = 0.1  # of the processor: what the watch over the parent takes in an hour


def stopped(pid: int) -> bool:
    """Whether a signal (SIGSTOP, Ctrl-Z) or a debugger holds the process."""
    try:
        return psutil.Process(pid).status() in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP)
    except psutil.Error:
        return False


class Watch:
    """How long a process has done nothing, as far as this process has looked.

    Parameters
    ----------
    pid : int
        The process.
    only_stopped : bool
        Do not count a process that runs and takes no time of the processor, because it may rightly wait for others.

    Notes
    -----
    Between two looks at most three seconds count. So the time during which this process was stopped itself, was busy with other things,
    or the host slept is not held against the other one.
    """

    def __init__(self, pid: int, only_stopped: bool = False) -> None:
        self.pid, self.only_stopped = pid, only_stopped
        self.seconds = 0.0
        self._looked, self._processor_s = time.monotonic(), 0.0

    def look(self) -> bool:
        """Whether the process has done nothing for longer than the limit. Costs next to nothing when called often."""
        now = time.monotonic()
        if now - self._looked < min(LOOK_S, LIMIT_S):
            return False
        elapsed, self._looked = min(now - self._looked, MOST_S), now
        self.seconds = 0.0 if self._moves() else self.seconds + elapsed
        return self.seconds > LIMIT_S

    def reset(self) -> None:
        """The process has just shown that it is at work."""
        self.seconds = 0.0

    def why(self) -> str:
        """What it had done until now, as a part of a sentence."""
        how = "had been stopped by a signal" if stopped(self.pid) else "had not used the processor"
        return f"{how} for {duration(self.seconds)}"

    def _moves(self) -> bool:
        if stopped(self.pid):
            return False
        if self.only_stopped:
            return True
        try:
            used = psutil.Process(self.pid).cpu_times()
        except psutil.Error:  # it has ended, which others see
            return True
        if used.user + used.system - self._processor_s < MOVED_S:
            return False
        self._processor_s = used.user + used.system
        return True
