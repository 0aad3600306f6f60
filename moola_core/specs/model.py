"""The network."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from moola_core.specs.choices import ENCODERS, EncoderName, listed
from moola_core.specs.part import Part


class Model(Part):
    encoder: EncoderName = Field("bilstm", description=listed(ENCODERS))
    layers: int = Field(1, ge=1, le=4, description="layers of the encoder")
    hidden: int = Field(96, ge=4, le=512, description="hidden units per direction; the encoder is twice as wide")
    dropout: float = Field(0.5, ge=0, lt=1, description="dropout between layers and before the heads")
    pooling: Literal["mean", "last", "attention"] = Field("mean", description="how positions become one vector")
    trunk_width: int = Field(
        0, ge=0, le=1024, description="width of a linear layer with ReLU shared by both heads; 0 for none"
    )
    normalisation: Literal["none", "layer", "batch"] = Field("none", description="normalisation after the encoder")
    pointer: Literal["pooled", "positions"] = Field(
        "pooled",
        description="read the expansion from the pooled vector, or as the mean position under a learned weight",
    )
    tasks: Literal["both", "class", "pointers"] = Field("both", description="which heads are trained")
