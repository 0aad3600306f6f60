"""Which arms of a finished study were not trained."""

from __future__ import annotations

from moola_core.runs.store import Run


def untrained(run: Run) -> dict[str, str]:
    """The arms that a study compares and could not train, with the reasons; not the simple models next to them."""
    simple = {arm.name for arm in run.spec.arms if arm.baseline}
    return {name: why for name, why in run.record.facts.untrained.items() if name not in simple}
