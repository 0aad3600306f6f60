"""What a run's models predict of new windows, or of bars at a stride."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from moola_core.specs.data import Data
from moola_core.specs.part import SpecModel


class Predict(SpecModel):
    """Predicts with the models of `run`: each window of data.windows, or without one windows of data.bars at a stride."""

    kind: Literal["predict"] = "predict"
    run: str = Field(description="the finished run whose models predict")
    data: Data = Data()
    stride: int = Field(5, ge=1, le=10_000, description="bars from one window to the next, over bars")

    @model_validator(mode="after")
    def _consistent(self) -> Predict:
        if not (self.data.windows or self.data.bars):
            raise ValueError("predicting needs data.windows or data.bars; give a file of windows or of bars")
        return self
