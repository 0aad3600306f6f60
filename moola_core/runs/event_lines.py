"""The lines of events.jsonl."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moola_core.runs import codec
from moola_core.specs.aliases import SPLITS, STORED_SPLITS


def written(event: Mapping[str, Any]) -> str:
    """The line of an event, with the words of the file."""
    split = event.get("split")
    return codec.dumps({**event, "split": STORED_SPLITS[split]} if split in STORED_SPLITS else event) + "\n"


def read(line: bytes) -> dict[str, Any] | None:
    """The event of a line; None for one that was cut off when its writer was killed or the disk was full."""
    try:
        event = codec.load_object(line)
    except ValueError:
        return None
    split = event.get("split")
    return event | {"split": SPLITS[split]} if split in SPLITS else event
