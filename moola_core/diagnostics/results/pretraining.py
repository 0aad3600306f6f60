"""What pre-training learned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from moola_core.diagnostics.results.interval import Interval


@dataclass(frozen=True)
class FeatureError:
    """Mean absolute error at hidden bars of one feature, in its `unit`.

    model: as trained; masked_input: with the hidden bars surely covered; feature_mean and carry_forward: of the trivial predictors;
    noise_floor: what noise in the windows leaves to anyone.
    """

    name: str
    unit: str
    model: float
    masked_input: float
    feature_mean: float
    carry_forward: float
    noise_floor: float


@dataclass(frozen=True)
class Reconstruction:
    """A validation window: when it starts (ISO, UTC), `truth` and `guess` [K, F] in the features' units, `hidden` [K] bool."""

    start_time: str
    truth: np.ndarray
    guess: np.ndarray
    hidden: np.ndarray


@dataclass(frozen=True)
class Measure:
    """One figure next to what needs no learning; `better` is higher or lower; gain: by how much it is better, with its interval."""

    name: str
    value: float
    trivial: float
    better: str
    gain: Interval | None = None


@dataclass(frozen=True)
class ProbeScore:
    """AUROC of a linear probe on one representation, among the windows of a fold: mean and standard deviation over `by_repeat`.

    interval: 95% over windows and repeats; None where it was not measured, as by older versions.
    """

    representation: str
    mean: float
    std: float
    by_repeat: tuple[float, ...]
    interval: Interval | None = None


@dataclass(frozen=True)
class ProbeGap:
    """AUROC of the probe on `representation` less that on `against`, window by window on the same folds, with its 95% interval."""

    representation: str
    against: str
    gap: Interval


@dataclass(frozen=True)
class Probe:
    """How well a linear probe tells the labels from what an encoder makes of `windows` labelled windows."""

    windows: int
    scores: tuple[ProbeScore, ...]
    gaps: tuple[ProbeGap, ...] | None = None


@dataclass(frozen=True)
class PretrainReport:
    """What pre-training learned, on validation windows.

    features: errors by feature (masked objective only); masked_mae, trivial {feature_mean, carry_forward} and noise_floor are
    their means over the features; measures: figures of the other objectives; counts: windows by what became of them; gain: the
    error of the better trivial predictor less masked_mae, with its 95% interval over stretches of validation windows; saw: what was seen of
    the labelled windows, a word of `sampling.labelled` (empty in results of earlier versions).
    """

    objective: str
    best_epoch: int
    features: tuple[FeatureError, ...]
    masked_mae: float | None
    masked_input_mae: float | None
    trivial: dict[str, float]
    noise_floor: float | None
    measures: tuple[Measure, ...]
    examples: tuple[Reconstruction, ...]
    probe: Probe | None
    counts: dict[str, int]
    gain: Interval | None = None
    saw: str = ""
