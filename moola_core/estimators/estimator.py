"""What every model that is no network offers: fitting to labelled windows, predicting, and being stored without pickle."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from moola_core.registry import Registry

Tasks = Literal["both", "class", "pointers"]


@dataclass(frozen=True, eq=False)
class TrainingWindows:
    """What an estimator is fitted to.

    Attributes
    ----------
    x : ndarray of float32, shape (n, K, F)
        Features of each bar, not standardised.
    prices : ndarray, shape (n, K, 4)
        Open, high, low, close of each bar.
    target : ndarray of int, shape (n,)
        Class numbers from 0 to C - 1.
    span : ndarray, shape (n, 2)
        First and last bar of each expansion; nan where a window has none.
    group : ndarray of int, shape (n,)
        Equal for windows that share bars.
    classes : int
        C.
    tasks : {"both", "class", "pointers"}
        What is to be predicted.
    """

    x: np.ndarray
    prices: np.ndarray
    target: np.ndarray
    span: np.ndarray
    group: np.ndarray
    classes: int
    tasks: Tasks = "both"

    @property
    def located(self) -> np.ndarray:
        """Which windows have an expansion, shape (n,)."""
        return np.isfinite(self.span).all(1)


@dataclass(frozen=True, eq=False)
class Prediction:
    """What an estimator says of m windows; None for what it does not predict.

    Attributes
    ----------
    probabilities : ndarray, shape (m, C), or None
    span : ndarray, shape (m, 2), or None
        First and last bar of the expansion.
    p_span : ndarray, shape (m,), or None
        Stated probability that the expansion's center lies within 3 bars of the predicted one.
    per_bar : ndarray, shape (m, K, 3), or None
        Probability of each bar to be the first, to be the last, and to lie inside the expansion.
    best : ndarray, shape (m, k, 3), or None
        The k most probable spans: first bar, last bar, probability; best first.
    """

    probabilities: np.ndarray | None = None
    span: np.ndarray | None = None
    p_span: np.ndarray | None = None
    per_bar: np.ndarray | None = None
    best: np.ndarray | None = None


class Estimator(ABC):
    """A model of labelled windows.

    A member of the registry is a class: its instances are fitted to one fold each.

    Parameters
    ----------
    seed : int
        Every random choice is drawn from it.
    settings : mapping, optional
        The settings of the spec's part that `part` names.
    """

    title: ClassVar[str]
    """What a table or chart calls it."""

    reads_prices: ClassVar[bool] = False
    """Whether it reads prices in place of the features."""

    part: ClassVar[str] = ""
    """The part of the spec that holds its settings; empty where it has none."""

    def __init__(self, seed: int = 0, **settings: Any) -> None:
        self.seed, self.settings = seed, settings

    def __getstate__(self) -> dict[str, Any]:
        """What is stored: numbers, texts, arrays, and lists and dictionaries of them, or models of scikit-learn."""
        return dict(vars(self))

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Become what was stored."""
        vars(self).update(state)

    @abstractmethod
    def fit(self, windows: TrainingWindows) -> Estimator:
        """Fit to the training windows of one fold, and return itself."""

    @abstractmethod
    def predict(self, x: np.ndarray, prices: np.ndarray) -> Prediction:
        """Predict m windows from their features x [m, K, F] and prices [m, K, 4]."""


ESTIMATORS: Registry[type[Estimator]] = Registry("estimator", "moola.estimators")
