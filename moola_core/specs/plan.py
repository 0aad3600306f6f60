"""Plans of earlier versions, whose results still open; a plan is an investigation in the order of the phases now."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from moola_core.specs.data import Data
from moola_core.specs.gates import Gates
from moola_core.specs.part import SpecModel


class Plan(SpecModel):
    """A plan of an earlier version: the named studies one after another. It is read, and neither started nor resumed."""

    kind: Literal["plan"] = "plan"
    preset: str = Field("recommended", description="the preset that the settings start from")
    data: Data = Field(description="labelled windows, and the bars for pre-training")
    changes: dict[str, Any] = Field({}, description="settings of all studies; pretrain.KEY for pre-training")
    checkpoint: str = Field("", description="an encoder that is there already; empty pre-trains in the plan")
    gates: Gates = Field(Gates(), description="thresholds of your own rules for the score of the class alone")
    seed: int = Field(17, ge=0, le=2**31 - 1, description="random seed of the verdicts")
