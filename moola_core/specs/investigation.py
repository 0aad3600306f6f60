"""An investigation: experiments chosen one after another within a budget of time, and the conclusion that they support."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from moola_core.specs.data import Data
from moola_core.specs.gates import Gates
from moola_core.specs.part import SpecModel

PLAN_BUDGET_S = 36_000.0  # of an investigation in the order of the phases: a night
GOAL = re.compile(r"\s*(\w+)\s*(>=|<=|>|<)\s*(-?\d*\.?\d+)\s*")


class Investigation(SpecModel):
    """Asks at each step the question whose answer is most likely to change the conclusion for its time."""

    kind: Literal["investigation"] = "investigation"
    preset: str = Field("recommended", description="the preset that your settings start from")
    data: Data = Field(description="labelled windows, and the bars for pre-training")
    changes: dict[str, Any] = Field({}, description="your settings; pretrain.KEY for pre-training")
    checkpoint: str = Field("", description="an encoder that is there already; empty pre-trains in the investigation")
    budget_s: float = Field(900.0, ge=1, le=30 * 86400, description="seconds to spend; a fit that is running may end")
    goal: str = Field(
        "", description="what you need, such as hit_at_3 > 0.6; empty for the metric that covers both tasks"
    )
    order: Literal["value", "phases"] = Field(
        "value",
        description="value asks what is most likely to change the conclusion for its time; phases asks in the order of the researcher's plan",
    )
    priors: dict[str, dict[str, float]] = Field(
        {}, description="probabilities of a question's answers, in place of those that are stated for it"
    )
    gates: Gates = Field(Gates(), description="thresholds of your own rules for the score of the class alone")
    seed: int = Field(17, ge=0, le=2**31 - 1, description="random seed of folds, fits and verdicts")

    @field_validator("goal")
    @classmethod
    def _readable(cls, goal: str) -> str:
        if goal and not GOAL.fullmatch(goal):
            raise ValueError('give a metric, a comparison and a number, such as "hit_at_3 > 0.6"')
        return goal.strip()

    @field_validator("priors")
    @classmethod
    def _probabilities(cls, priors: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
        for question, answers in priors.items():
            if not answers or any(p < 0 for p in answers.values()) or not abs(sum(answers.values()) - 1) < 1e-6:
                raise ValueError(f"the probabilities of {question} must not be negative and add up to 1")
        return priors

    @model_validator(mode="after")
    def _consistent(self) -> Investigation:
        if not self.data.windows:
            raise ValueError("an investigation needs data.windows; give labelled windows")
        return self
