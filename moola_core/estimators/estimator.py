"""What every model that is no network offers: fitting to labelled windows, predicting, and being stored without pickle."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from moola_core.registry import Registry
from moola_core.spans.decoding import SpanPrediction

Tasks = Literal["both", "class", "pointers"]
ROWS = 512  # coalitions that are predicted at once: their inputs are the largest arrays


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
    spans : SpanPrediction or None
        Probabilities of spans, of which `span` is the predicted one.
    """

    probabilities: np.ndarray | None = None
    span: np.ndarray | None = None
    spans: SpanPrediction | None = None


@dataclass(frozen=True, eq=False)
class Coalitions:
    """One window many times, each time with some groups of its inputs left out.

    Attributes
    ----------
    x, prices : ndarray, shape (K, F) and (K, 4)
        The window.
    background : ndarray, shape (b, K, F)
        Windows from which a feature that is left out is taken.
    columns : mapping of str to sequence of int
        The numbers of the columns of x, by group of features.
    kept : ndarray of bool, shape (c, G)
        Which of the estimator's `groups` the window keeps.
    place : ndarray of int, shape (c,)
        From which of the background windows the others are taken.
    """

    x: np.ndarray
    prices: np.ndarray
    background: np.ndarray
    columns: Mapping[str, Sequence[int]]
    kept: np.ndarray
    place: np.ndarray

    def kept_columns(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Which of the columns of x are kept, shape (at most `ROWS`, F) at a time, with `place`; for groups that are those of `columns`."""
        columns = np.zeros((len(self.kept), self.x.shape[1]), bool)
        for i, own in enumerate(self.columns.values()):
            columns[:, list(own)] = self.kept[:, i : i + 1]
        return ((columns[i : i + ROWS], self.place[i : i + ROWS]) for i in range(0, len(columns), ROWS))


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

    def groups(self, columns: Mapping[str, Sequence[int]]) -> tuple[str, ...]:
        """Names of the G groups of inputs that attribution leaves out: those of the features unless the estimator reads something else.

        columns: the numbers of the columns of x, by group of features.
        """
        return tuple(columns)

    def predict_coalitions(self, window: Coalitions) -> Prediction:
        """Predict the window with each coalition of its groups: a row each; probabilities and spans alone."""
        x, prices = window.x, window.prices
        return joined(
            [
                self.predict(
                    np.where(own[:, None], x, window.background[place]),
                    np.broadcast_to(prices, (len(own), *prices.shape)),
                )
                for own, place in window.kept_columns()
            ]
        )

    def label_noise(self) -> dict[str, float] | None:
        """How far the labelled ends scatter, in bars, and which share lies elsewhere, as the fit reads its labels; None where it does not."""
        return None


def joined(parts: Sequence[Prediction]) -> Prediction:
    """Predictions of some windows after those of others; probabilities and spans alone."""
    probabilities = [part.probabilities for part in parts if part.probabilities is not None]
    spans = [part.span for part in parts if part.span is not None]
    return Prediction(
        np.concatenate(probabilities) if probabilities else None, np.concatenate(spans) if spans else None
    )


ESTIMATORS: Registry[type[Estimator]] = Registry("estimator", "moola.estimators")
