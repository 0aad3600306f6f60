"""Finished runs side by side."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from moola_core.specs.part import SpecModel


class Compare(SpecModel):
    """Compares runs with the first of them; runs that share windows and folds get a verdict."""

    kind: Literal["compare"] = "compare"
    runs: tuple[str, ...] = Field(min_length=2, description="ids of finished cross-validated runs, the baseline first")
    margin: float = Field(0.02, gt=0, le=0.5, description="differences within this count as equivalent")
    seed: int = Field(17, ge=0, le=2**31 - 1, description="random seed of the verdicts")
