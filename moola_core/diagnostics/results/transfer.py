"""How fine-tuning changed a pre-trained encoder."""

from __future__ import annotations

from dataclasses import dataclass

from moola_core.diagnostics.results.pretraining import Probe


@dataclass(frozen=True)
class LayerChange:
    """One layer (from 1): debiased CKA between the pre-trained and the fine-tuned encoder, mean, least and most over the folds of
    the first repeat; `random`: the same between the pre-trained encoder and one of random weights; `moved`: ‖w − w₀‖ / ‖w₀‖."""

    layer: int
    cka: float
    low: float
    high: float
    random: float
    moved: float


@dataclass(frozen=True)
class Transferred:
    """Why a transfer helped or hurt: what a linear probe reads before and after, LogME by representation, layer by layer change.

    saw: what pre-training saw of the labelled windows, a key of `SAW`; empty in results of earlier versions.
    """

    source: str
    schedule: str
    probe: Probe
    logme: dict[str, float]
    layers: tuple[LayerChange, ...]
    saw: str = ""
