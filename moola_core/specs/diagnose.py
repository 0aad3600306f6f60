"""One diagnostic, of windows and bars alone or of a run."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from moola_core.specs.data import Data, Features
from moola_core.specs.part import SpecModel

Diagnostic = Literal[
    "features", "shift", "power", "calibration", "pointing", "balance", "errors", "transfer", "attribution", "doctor"
]


class Diagnose(SpecModel):
    """Computes one diagnostic; `run` is the id of the run that it is about, empty for windows and bars alone."""

    kind: Literal["diagnose"] = "diagnose"
    name: Diagnostic = Field("features", description="which diagnostic")
    run: str = Field("", description="the run that it is about")
    data: Data = Data()
    features: Features = Features()
    permutations: int = Field(5000, ge=99, le=1_000_000, description="permutations of the features' p-values")
    folds: int = Field(5, ge=2, le=50, description="folds of the quick models (power)")
    repeats: int = Field(1, ge=1, description="repeats whose models are explained (attribution)")
    figures: dict[str, Any] = Field(
        {}, description="reported figures that are judged, with no run behind them (doctor)"
    )
    planned: dict[str, Any] = Field(
        {},
        description="the spec that is judged before it is launched, or that fixes of reported figures start from (doctor)",
    )
    budget_s: float = Field(
        0.0, ge=0, le=30 * 86400, description="seconds for experiments that find the cause; 0 for none (doctor)"
    )
    seed: int = Field(17, ge=0, le=2**31 - 1, description="random seed of permutations and resampling")

    @model_validator(mode="after")
    def _consistent(self) -> Diagnose:
        of_windows = self.name in ("features", "shift", "power")
        if self.name == "doctor" and bool(self.run) == bool(self.figures or self.planned):
            raise ValueError("name=doctor needs run, or else figures or planned")
        if self.budget_s and not (self.name == "doctor" and self.run):
            raise ValueError("budget_s is for name=doctor and a run")
        if not of_windows and not self.run and self.name != "doctor":
            raise ValueError(f"name={self.name} needs run; give the id of a finished run")
        if of_windows and not self.data.windows:
            raise ValueError(f"name={self.name} needs data.windows; give labelled windows")
        return self
