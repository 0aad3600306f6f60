"""Which engine fits the replicates: one after another, or all at once."""

from __future__ import annotations

from dataclasses import dataclass

from moola_core.models.encoders import encoder_class
from moola_core.specs import Finetune
from moola_core.training.device import Device

LEAST_FITS = 2
# Windows in a step × gate rows: beyond it one fit's products are large enough for a card.
FULL_STEP = 2**19


@dataclass(frozen=True)
class Engine:
    """name: sequential or replicas; why: a sentence."""

    name: str
    why: str


def choose_engine(spec: Finetune, device: Device, fits: int) -> Engine:
    """What `training.engine` asks for; for auto, by the device, the number of fits and the size of a step."""
    asked = spec.training.engine
    if encoder_class(spec.model).stacked is None and asked == "auto":
        return Engine("sequential", f"The encoder {spec.model.encoder} has no form for many fits at once.")
    if asked != "auto":
        return Engine(asked, f"training.engine={asked} asks for it.")
    if device.kind == "cpu":
        return Engine("sequential", "On a CPU fits one after another, side by side in processes, are faster.")
    if fits < LEAST_FITS:
        return Engine("sequential", "There is one fit, so nothing to train in parallel.")
    if spec.training.batch_size * 8 * spec.model.hidden > FULL_STEP:
        return Engine("sequential", "One fit's steps are large enough to fill the card.")
    return Engine("replicas", f"{fits} small fits at once use the card that one would leave almost idle.")
