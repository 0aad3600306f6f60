"""Sequence encoders: one file each, registered by name."""

from moola_core.models.encoders.encoder import (
    ENCODERS,
    Encoder,
    StackedEncoder,
    dropout_shapes,
    encoder_class,
    make_encoder,
    represent,
)
from moola_core.registry import import_members

__all__ = ["ENCODERS", "Encoder", "StackedEncoder", "dropout_shapes", "encoder_class", "make_encoder", "represent"]

import_members(__name__, __path__)
