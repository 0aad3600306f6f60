"""How well calibrated the probabilities are."""

from __future__ import annotations

from dataclasses import dataclass

from moola_core.diagnostics.results.interval import Interval


@dataclass(frozen=True)
class ReliabilityBin:
    """One bin of top-label confidence: its edges, `count` windows, mean `confidence`, their `accuracy`.

    low, high: where the accuracy of such a bin lies with probability 0.95 when the probabilities are calibrated.
    """

    left: float
    right: float
    count: int
    confidence: float
    accuracy: float
    low: float
    high: float


@dataclass(frozen=True)
class CalibrationError:
    """An ECE by one convention: its `value`, its interval, and its median and 95th percentile when calibrated."""

    convention: str
    value: float
    low: float
    high: float
    null_median: float
    null_95: float


@dataclass(frozen=True)
class Recalibrated:
    """What a cross-fitted recalibration would give: `parameter` is the temperature where it is one."""

    method: str
    ece: float
    log_loss: float
    brier: float
    accuracy: float
    parameter: float | None


@dataclass(frozen=True)
class Calibration:
    """How well calibrated the out-of-fold probabilities of one repeat are.

    errors: by convention, the first is the one to read; p_value: share of calibrated models with no smaller ECE;
    brier = reliability − resolution + uncertainty (+ within), by 10 bins of each class's probability;
    spiegelhalter_z: of the Brier score, beyond ±1.96 is miscalibrated; recalibrated: the first row is the run as it is.
    """

    repeat: int
    classes: tuple[str, ...]
    windows: int
    bins: tuple[ReliabilityBin, ...]
    errors: tuple[CalibrationError, ...]
    p_value: float
    brier: dict[str, float]
    spiegelhalter_z: float
    recalibrated: tuple[Recalibrated, ...]


@dataclass(frozen=True)
class CalibrationReport:
    """Calibration of each repeat of the cross-validation; repeats are not pooled, for they hold the same windows.

    auroc: AUROC among the windows of a fold, over all repeats; excess: mean Brier score less the one expected from the probabilities:
    above 0 they are overconfident, below 0 underconfident; gains: by how much each recalibration lowers the log loss, at a confidence
    that allows for there being several. Each with its interval over windows and repeats; None where it was not measured.
    brier_convention: whose Brier score it is; None for the sum over classes, as older versions stored it.
    """

    repeats: tuple[Calibration, ...]
    auroc: Interval | None = None
    excess: Interval | None = None
    gains: dict[str, Interval] | None = None
    brier_convention: str | None = None
