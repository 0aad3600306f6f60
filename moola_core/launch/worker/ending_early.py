"""How a run is ended by the run that it is part of."""

from __future__ import annotations


class EndedEarly(KeyboardInterrupt):
    """Raised from a run's listener: the run ends as cancelled, with this sentence as its reason, and keeps what it has."""
