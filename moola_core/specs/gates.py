"""The researcher's own rules for the score of a model of the class alone, as thresholds that the user may set."""

from __future__ import annotations

from pydantic import Field

from moola_core.specs.part import SpecModel


class Gates(SpecModel):
    """Thresholds of the macro F1 of a model that is trained from random weights on the class alone."""

    architecture: float = Field(0.30, ge=0, le=1, description="below: the architecture is at fault")
    unfreezing: float = Field(0.40, ge=0, le=1, description="below: unfreeze the encoder")
    negative_transfer: float = Field(
        0.50, ge=0, le=1, description="above: abandon masked pre-training for contrastive or supervised pre-training"
    )
    pointers: float = Field(0.55, ge=0, le=1, description="above: the class is good enough to add the pointers back")
    target: float = Field(0.60, ge=0, le=1, description="above: the target is met, so add the pointers back")
