"""Sequence encoders: one file each, registered by name."""

from moola_core.models.encoders import bilstm, tcn  # noqa: F401  each registers its encoder
from moola_core.models.encoders.encoder import ENCODERS, Encoder, StackedEncoder, encoder_class, make_encoder, represent

__all__ = ["ENCODERS", "Encoder", "StackedEncoder", "encoder_class", "make_encoder", "represent"]
