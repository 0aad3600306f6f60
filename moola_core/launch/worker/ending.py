"""How a run ends that did not come to its end."""

from __future__ import annotations

from moola_core.errors import MoolaError, from_system
from moola_core.runs.cancelling import asked
from moola_core.runs.store import Run


class EndedEarly(KeyboardInterrupt):
    """Raised from a run's listener: the run ends as cancelled, with this sentence as its reason, and keeps what it has."""


class Terminated(KeyboardInterrupt):
    """A TERM from outside."""


def state_and_sentence(run: Run, error: BaseException) -> tuple[str, str]:
    """The state and the sentence with which the run ends."""
    if asked(run):
        return "cancelled", "Cancelled."
    if isinstance(error, EndedEarly):
        return "cancelled", str(error)
    if isinstance(error, Terminated):
        return "lost", "Its process was terminated by the system. It can be resumed."
    return "cancelled" if isinstance(error, KeyboardInterrupt) else "failed", sentence_of(error)


def sentence_of(error: BaseException) -> str:
    """What the record says of the error."""
    if isinstance(error, KeyboardInterrupt):
        return "Cancelled."
    if isinstance(error, MoolaError):
        return str(error)
    if isinstance(error, OSError):
        return str(from_system(error))
    if isinstance(error, MemoryError):
        return "Out of memory. Ask for a smaller model or batch, or for training.processes=1."
    lines = str(error).strip().splitlines() or ["no message"]
    return f"{type(error).__name__}: {lines[0]}. See its log for details."
