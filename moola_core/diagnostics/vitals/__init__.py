"""Vital signs: quantities of a run from its file to its score, next to their ranges in healthy runs."""

from __future__ import annotations

from moola_core.diagnostics.vitals import (  # noqa: F401  each module registers its signs
    along,
    apart,
    by_group,
    classes,
    evaluation,
    inputs,
    optimisation,
    pointing,
    prices,
    regular,
)
from moola_core.diagnostics.vitals.ranges import judge, measure, reference, table_of
from moola_core.diagnostics.vitals.sign import SIGNS, Evidence

__all__ = ["SIGNS", "Evidence", "judge", "measure", "reference", "table_of"]
