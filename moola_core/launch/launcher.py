"""What every launcher promises."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


class Launcher(Protocol):
    """Starts runs somewhere and returns at once."""

    def submit(
        self, spec: Any, name: str = "", note: str = "", tags: Sequence[str] = (), parent: str | None = None
    ) -> str:
        """Start a run of `spec` and return its id."""
        ...
