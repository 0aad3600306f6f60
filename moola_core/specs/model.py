"""The network."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from moola_core.specs.choices import ENCODERS, EncoderName, listed
from moola_core.specs.part import SpecModel


class Model(SpecModel):
    encoder: EncoderName = Field("bilstm", description=listed(ENCODERS))
    layers: int = Field(1, ge=1, le=4, description="layers of the encoder")
    hidden: int = Field(96, ge=4, le=512, description="hidden units per direction; the encoder is twice as wide")
    dropout: float = Field(0.5, ge=0, lt=1, description="dropout between layers and before the heads")
    pooling: Literal["mean", "last", "attention"] = Field("mean", description="how positions become one vector")
    trunk_width: int = Field(
        0, ge=0, le=1024, description="width of a linear layer with ReLU shared by both heads; 0 for none"
    )
    normalisation: Literal["none", "layer", "batch"] = Field("none", description="normalisation after the encoder")
    pointer: Literal["regression", "soft_argmax", "span"] = Field(
        "regression",
        description="read the expansion from the pooled vector, as the mean position under a learned weight, or by a softmax over all spans",
    )
    class_input: Literal["pooled", "aligned"] = Field(
        "pooled",
        description="read the class from the pooled vector, or from the bars inside, before and after the expansion (needs pointer=span)",
    )
    span_statistics: bool = Field(
        False,
        description="add the span model's statistics to the scores of spans and classes (needs pointer=span and the price path)",
    )
    tasks: Literal["both", "class", "pointers"] = Field("both", description="which heads are trained")

    @model_validator(mode="after")
    def _consistent(self) -> Model:
        if self.class_input == "aligned" and self.pointer != "span":
            raise ValueError(
                f"class_input=aligned reads around a span, and pointer={self.pointer} gives none; set model.pointer=span or "
                "model.class_input=pooled"
            )
        if self.span_statistics and self.pointer != "span":
            raise ValueError(
                f"span_statistics adds to the scores of spans, and pointer={self.pointer} gives none; set model.pointer=span or "
                "model.span_statistics=false"
            )
        return self

    @property
    def adds_statistics(self) -> bool:
        """Whether the span model's terms are added to the network's scores."""
        return self.span_statistics and self.scores_spans

    @property
    def scores_spans(self) -> bool:
        """Whether the pointer is a softmax over spans."""
        return self.pointer == "span" and self.tasks != "class"

    @property
    def aligns(self) -> bool:
        """Whether the class is read around the span."""
        return self.class_input == "aligned" and self.tasks == "both"
