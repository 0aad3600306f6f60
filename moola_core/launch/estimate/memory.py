"""How much memory a run will take, from what runs like it took on this host; there is no other estimate of it."""

from __future__ import annotations

from dataclasses import dataclass

from moola_core.launch.estimate.finished_runs import key_of, newest_finished
from moola_core.runs.record import Record
from moola_core.runs.store import Store
from moola_core.specs import Finetune, Pretrain

ALIKE = 2.0  # times as many windows, or as few: fewer windows tell nothing of many


@dataclass(frozen=True)
class Memory:
    """The most that runs like it took, in bytes.

    Attributes
    ----------
    low, high : float
        The least and the most of it. What the processes of a run share is counted once in the one and for each process in the other.
    runs : int
        How many such runs there are.
    """

    low: float
    high: float
    runs: int


def estimate_memory(spec: Finetune | Pretrain, windows: int, store: Store) -> Memory | None:
    """The memory of a run of so many windows; None where no run of this model and size was measured on this host."""
    kind = key_of(spec)[:2]
    like = [one.record for one in newest_finished(store) if one.key[:2] == kind and _is_like(one.record, windows)]
    peaks = [record.facts.peak_memory for record in like if record.facts.peak_memory is not None]
    if not peaks:
        return None
    return Memory(1e6 * min(one.low_mb for one in peaks), 1e6 * max(one.high_mb for one in peaks), len(peaks))


def _is_like(record: Record, windows: int) -> bool:
    own = (record.facts.train if record.kind == "pretrain" else record.facts.windows) or 0
    return own > 0 and windows > 0 and 1 / ALIKE <= own / windows <= ALIKE
