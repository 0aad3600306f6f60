"""How the fits of a run are computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

SEQUENTIAL, REPLICAS = "sequential", "replicas"
FORM = "products"  # of the recurrence, where nothing else was measured


@dataclass(frozen=True)
class Engine:
    """An engine, its settings and the reason for it.

    Attributes
    ----------
    name : str
        ``"sequential"`` (one fit after another, in processes side by side on a CPU) or ``"replicas"`` (many at once).
    why : str
        A sentence.
    form : str
        Form of the recurrence of stacked LSTMs.
    precision : str
        Of the arithmetic; empty leaves it to the spec.
    at_once : int
        Fits in one step at most; 0 leaves it to the device.
    processes : int
        Processes side by side; 0 leaves it to the spec.
    graphs : bool
        Whether steps on a card are captured as CUDA graphs.
    fit_mb : float
        Memory that each of many fits at once takes, in millions of bytes, as measured; 0 where it was not.
    """

    name: str
    why: str
    form: str = FORM
    precision: str = ""
    at_once: int = 0
    processes: int = 0
    graphs: bool = True
    fit_mb: float = 0.0

    def settings(self) -> dict[str, Any]:
        """All of it but the reason, as it is kept in a run's record."""
        return {name: value for name, value in asdict(self).items() if name != "why"}

    @classmethod
    def of(cls, settings: Mapping[str, Any], why: str) -> Engine:
        """From what a record kept; settings that this version does not know are left out."""
        names = {field.name for field in fields(cls)} - {"why"}
        return cls(why=why, **{name: value for name, value in settings.items() if name in names})


STACKED, ALONE = Engine(REPLICAS, ""), Engine(SEQUENTIAL, "")
"""Many fits at once, and one fit alone, as they are computed where nothing was measured."""
