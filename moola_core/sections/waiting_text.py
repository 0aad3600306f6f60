"""What a run that stands in the queue waits for, as a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moola_core.sections.formatting import duration, time_range
from moola_core.sections.timeline import TITLES

if TYPE_CHECKING:
    from moola_core.launch.waiting import Waiting

SENTENCES = {
    "paused": "The queue is paused: it begins after the queue is resumed.",
    "memory": "It waits until memory is free: another run takes what this machine has.",
}


def sentence(waiting: Waiting) -> str:
    """What it waits for, and for how long where that is known."""
    if waiting.reason in SENTENCES:
        return SENTENCES[waiting.reason]
    others = f"{waiting.before} other run{'' if waiting.before == 1 else 's'}" if waiting.before else ""
    if waiting.behind is None:
        return f"{others} begin{'s' if waiting.before == 1 else ''} before it." if others else "It begins in a moment."
    kind, name = TITLES.get(waiting.behind.kind, "Run").lower(), waiting.behind.name
    after = f"the {kind} {name}" if name else f"the {kind} {waiting.behind.run_id}"
    left = waiting.left
    time = f", which takes about {duration(left.seconds)} more ({time_range(left.low, left.high)})" if left else ""
    return f"It waits for {after}{time}{f', and for {others} before it' if others else ''}."
