"""What training reports while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Event:
    """One thing that happened: its `type`, where, and its `values` (plain numbers and texts).

    Types: replicate_started, trainable, changed, epoch, monitor, replicate_finished, log. `split` is train or validation.
    """

    type: str
    repeat: int | None = None
    fold: int | None = None
    epoch: int | None = None
    split: str | None = None
    values: dict[str, Any] = field(default_factory=dict)


Emit = Callable[[Event], None]
