"""Which engine fits the replicates: one after another, or all at once."""

from __future__ import annotations

from dataclasses import replace

from moola_core.host.choices import engine_of, fastest, memory_for, shape_of
from moola_core.host.engine import REPLICAS, SEQUENTIAL, Engine
from moola_core.host.figures import Figures
from moola_core.models.encoders import encoder_class
from moola_core.specs import Finetune
from moola_core.training.device import Device

LEAST_FITS = 2
# Windows in a step × gate rows: beyond it one fit's products are large enough for a card.
FULL_STEP = 2**19


def choose_engine(
    spec: Finetune, device: Device, fits: int, figures: Figures | None = None, window_bars: int = 0
) -> Engine:
    """What `training.engine` asks for; for auto, the fastest that was measured, else by the device, the number of fits and a step's size.

    figures: of the device, where it was measured.
    """
    asked = spec.training.engine
    if figures is not None and device.kind == figures.hardware.kind and encoder_class(spec.model).stacked is not None:
        row = fastest(figures, spec, window_bars, fits)
        if row is not None:
            return engine_of(row, fits, shape_of(spec, window_bars).work)
    if encoder_class(spec.model).stacked is None and asked == "auto":
        return Engine(SEQUENTIAL, f"The encoder {spec.model.encoder} has no form for many fits at once.")
    if asked != "auto":
        engine = Engine(asked, f"training.engine={asked} asks for it.")
        if figures is None or device.kind != figures.hardware.kind or asked != REPLICAS:
            return engine
        return replace(engine, fit_mb=memory_for(figures, shape_of(spec, window_bars)))
    if device.kind == "cpu":
        return Engine(SEQUENTIAL, "On a CPU fits one after another, side by side in processes, are faster.")
    if fits < LEAST_FITS:
        return Engine(SEQUENTIAL, "There is one fit, so nothing to train in parallel.")
    if spec.training.batch_size * 8 * spec.model.hidden > FULL_STEP:
        return Engine(SEQUENTIAL, "One fit's steps are large enough to fill the card.")
    return Engine(REPLICAS, f"{fits} small fits at once use the card that one would leave almost idle.")
