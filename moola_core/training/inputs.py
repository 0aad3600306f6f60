"""What training reads of labelled windows, and what one fit gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from moola_core.overlap import Overlap

if TYPE_CHECKING:
    from moola_core.estimators.estimator import Estimator
    from moola_core.spans.decoding import SpanPrediction


@dataclass(frozen=True, eq=False)
class Inputs:
    """n windows ready to train on.

    x [n, K, F] float32, not yet standardised; label [n] str; start, end [n] float64 pointers in bars (nan: none);
    window_id [n]; series, first [n] or [n, w]: which windows share bars, in any of w ways; features [F] names; prices [n, K, 4]
    open, high, low, close, which networks do not need.
    """

    x: np.ndarray
    label: np.ndarray
    start: np.ndarray
    end: np.ndarray
    window_id: np.ndarray
    series: np.ndarray
    first: np.ndarray
    features: tuple[str, ...]
    prices: np.ndarray | None = None

    @property
    def window_bars(self) -> int:
        return self.x.shape[1]

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Exactly the classes that occur."""
        return tuple(sorted({str(name) for name in self.label}))

    @cached_property
    def target(self) -> np.ndarray:
        """Class numbers [n]."""
        return np.searchsorted(np.array(self.classes), self.label.astype(str))

    @cached_property
    def pointer(self) -> np.ndarray:
        """(center, length) [n, 2] float32 as fractions of the window; nan where there is none."""
        center, length = (self.start + self.end) / 2, self.end - self.start
        return (np.stack([center, length], axis=1) / self.window_bars).astype(np.float32)

    @property
    def shared(self) -> Overlap:
        return Overlap(self.series, self.first, self.window_bars)


@dataclass(frozen=True, eq=False)
class Replicate:
    """One fit and its out-of-fold predictions.

    test [m] row numbers; probabilities [m, C] (None without a class head; below 1 in sum with a planted extra output);
    start_pred, end_pred [m] bars (None without a pointer head); weights of the selected epoch, with `scale.mean` and
    `scale.std` [F]; steps: columns of equal length; best_epoch counts from 1; at_limit: whether what the weighting of the losses
    learns reached a bound in any step (None where it has none). spans: their probabilities, of models that score them. estimator: the fitted
    model where it is no network. inner: the monitored metrics of the validation windows at the selected epoch; empty where no epoch is selected.
    """

    repeat: int
    fold: int
    test: np.ndarray
    probabilities: np.ndarray | None
    start_pred: np.ndarray | None
    end_pred: np.ndarray | None
    best_epoch: int
    epochs: int
    weights: dict[str, np.ndarray] = field(default_factory=dict)
    steps: dict[str, np.ndarray] = field(default_factory=dict)
    sigma_ratio: float | None = None
    at_limit: bool | None = None
    trainable_parameters: int = 0
    shared_parameters: int = 0
    seconds: float = 0.0
    device: str = ""
    spans: SpanPrediction | None = None
    estimator: Estimator | None = None
    inner: dict[str, Any] = field(default_factory=dict)
