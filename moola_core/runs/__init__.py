"""Runs: what was asked for, what happened, and what came out, as folders of plain files."""

from moola_core.runs.store import Run, Store

__all__ = ["Run", "Store"]
