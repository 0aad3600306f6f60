"""What a vital sign is, what it reads, and the registry of all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from moola_core.diagnostics.results.weak_slices import MOST_WINDOWS
from moola_core.market.bars import Bars
from moola_core.market.windows import Windows
from moola_core.registry import Registry
from moola_core.runs.folds import Folds
from moola_core.runs.predictions import PredictionTable

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")


class NotKnown(Exception):
    """Why a sign cannot be measured of a run."""


class Measured(NamedTuple):
    """A measured value, where it comes from in words, and the windows [m] that it comes from."""

    value: float
    detail: str = ""
    windows: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the signs of a run are measured on; what is not known is None or empty.

    Attributes
    ----------
    windows, every : Windows
        The windows that take part, and all of the file.
    claimed : ndarray of datetime64[ns] or None
        Start of each of `windows` as its file states it, before windows were located in the bars.
    bars : Bars or None
    x : ndarray of float, shape (n, K, F)
        What a model reads of the windows, in raw units; `features` names its columns.
    folds : Folds or None
    predictions : DataFrame or None
        The columns of ``predictions.parquet``.
    events : list of dict
        What training recorded by epoch.
    steps : DataFrame or None
        What training recorded by step.
    weights : mapping of (repeat, fold) to dict of ndarray
        The parameters of each fit of a network.
    spec, facts
        The run's spec, and the facts that the doctor's checks read.
    shared_parameters : int or None
        How many parameters both tasks train.
    probabilities : ndarray of float, shape (repeats, n, C), or None
        Out-of-fold probabilities of extra trees on the run's folds, in the order of the sorted classes.
    again : ndarray of float, shape (n, C), or None
        What the stored networks of the first repeat predict of the windows that they test, asked again.
    spans_again : ndarray of float, shape (n, 2), or None
        The start and end in bars that these networks predict, asked again.
    inner_again : mapping of (repeat, fold) to float, or None
        Class loss of these networks on the windows that selected their epoch, asked again.
    """

    windows: Windows
    every: Windows
    x: np.ndarray
    features: tuple[str, ...]
    spec: Any
    claimed: np.ndarray | None = None
    bars: Bars | None = None
    folds: Folds | None = None
    predictions: pd.DataFrame | None = None
    events: list[dict[str, Any]] = field(default_factory=list)
    steps: pd.DataFrame | None = None
    weights: Mapping[tuple[int, int], dict[str, np.ndarray]] = field(default_factory=dict)
    shared_parameters: int | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    probabilities: np.ndarray | None = None
    again: np.ndarray | None = None
    spans_again: np.ndarray | None = None
    inner_again: Mapping[tuple[int, int], float] | None = None
    _kept: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def model(self) -> str:
        """Whose ranges apply: those of a network, or of another model."""
        return "network" if self.spec.is_network else "other"

    def fact(self, name: str) -> Any:
        """A fact of the doctor. Raises NotKnown without it."""
        if self.facts.get(name) is None:
            raise NotKnown(f"The run does not hold this: {name.replace('_', ' ')}.")
        return self.facts[name]

    @cached_property
    def ids(self) -> np.ndarray:
        return self.windows.window_id.astype(str)

    @cached_property
    def rows_in_file(self) -> np.ndarray:
        """The rows [n] of the windows among all of the file."""
        place = {name: i for i, name in enumerate(self.every.window_id.astype(str))}
        return np.array([place[name] for name in self.ids])

    @cached_property
    def label(self) -> np.ndarray:
        return self.windows.label.astype(str)

    @cached_property
    def target(self) -> np.ndarray:
        """The classes [n] as numbers, in sorted order."""
        return np.unique(self.label, return_inverse=True)[1]

    @cached_property
    def table(self) -> PredictionTable:
        if self.predictions is None:
            raise NotKnown("The run holds no predictions.")
        return PredictionTable(self.predictions)

    @cached_property
    def by_epoch(self) -> pd.DataFrame:
        """The losses of training and validation by fit and epoch. Raises NotKnown without them."""
        import pandas as pd

        rows = [
            {"repeat": e["repeat"], "fold": e["fold"], "epoch": e["epoch"], "split": e["split"], **e["values"]}
            for e in self.events
            if e["type"] == "epoch"
        ]
        if not rows:
            raise NotKnown("Losses by epoch are recorded of networks that were trained here.")
        return pd.DataFrame(rows).sort_values(["repeat", "fold", "epoch"])

    def fits(self) -> Folds:
        if self.folds is None:
            raise NotKnown("The run keeps no folds.")
        return self.folds

    def kept(self, name: str, make: Callable[[], T]) -> T:
        """What `make` gives, made once: several signs read it."""
        if name not in self._kept:
            self._kept[name] = make()
        return self._kept[name]

    def some(self, rows: np.ndarray) -> tuple[str, ...]:
        """The ids of the windows at `rows` (a mask or indices)."""
        return tuple(self.ids[rows][:MOST_WINDOWS].tolist())


@dataclass(frozen=True)
class Sign:
    """A vital sign.

    Attributes
    ----------
    name, stage, title, unit, reason, advice : str
        As in `results.VitalSign`.
    measure : callable
        Takes the Evidence and gives a Measured; raises NotKnown.
    tail : str
        Which side of the healthy range is unusual: high, low or both.
    usual : tuple of float
        Values between these are never unusual, whatever the healthy runs of the table have: what other markets and sizes may well show.
    of_model : bool
        Whether networks and other models have ranges of their own.
    """

    name: str
    stage: str
    title: str
    unit: str
    reason: str
    advice: str
    measure: Callable[[Evidence], Measured]
    tail: str = "high"
    usual: tuple[float, float] = (np.inf, -np.inf)
    of_model: bool = False


SIGNS: Registry[Sign] = Registry("vital sign", "moola.vitals")


def sign(
    stage: str, title: str, reason: str, advice: str, **more: Any
) -> Callable[[Callable[[Evidence], Measured]], Callable[[Evidence], Measured]]:
    """Register a function as the vital sign of its name; more: other fields of `Sign`."""

    def register(measure: Callable[[Evidence], Measured]) -> Callable[[Evidence], Measured]:
        name = measure.__name__
        own: dict[str, Any] = {"unit": "", "of_model": stage not in ("data", "labels")} | more
        SIGNS.add(name, Sign(name, stage, title, reason=reason, advice=advice, measure=measure, **own))
        return measure

    return register
