"""What a metric is, what it reads, and the registry of all metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NoReturn, get_args

import numpy as np

from moola_core.errors import SpecError, nearest
from moola_core.registry import Registry

Better = Literal["higher", "lower", "neither"]
Task = Literal["class", "pointer", "both", "fit"]
Place = Literal["scores", "errors", "hits", "pointers", "terminal", "arms"]
Statistics = Callable[["Predictions"], np.ndarray]
Value = Callable[[np.ndarray, "Predictions"], np.ndarray]
Score = Callable[["Predictions", np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Predictions:
    """Predicted classes and spans alongside the true ones, as arrays that may have leading dimensions.

    Parameters
    ----------
    classes : tuple of str
        Class names, in the order of the columns of `probabilities`.
    target : ndarray of int, shape (..., n)
        True class numbers.
    probabilities : ndarray of float, shape (..., n, C), or None
        Predicted probabilities; None when no class was predicted.
    span, true_span : ndarray of float, shape (..., n, 2), or None
        Predicted and true (start, end) in bars, 0-based and inclusive. nan where a window has none; None when no pointer was predicted.
    window_bars : int
        Window length, for errors as fractions of the window.
    answered : ndarray of int, shape (..., n), or None
        Predicted class numbers where they are not those of the largest probability.
    fold : ndarray of int, shape (..., n), or None
        Which model predicted each window. Scores of different models have no common scale: only windows of one fold are ranked
        against each other.
    """

    classes: tuple[str, ...]
    target: np.ndarray
    probabilities: np.ndarray | None = None
    span: np.ndarray | None = None
    true_span: np.ndarray | None = None
    window_bars: int = 1
    answered: np.ndarray | None = None
    fold: np.ndarray | None = None

    @cached_property
    def predicted(self) -> np.ndarray:
        """Predicted class numbers, shape (..., n)."""
        if self.answered is not None:
            return self.answered
        assert self.probabilities is not None, "no class was predicted"
        return self.probabilities.argmax(-1)

    @cached_property
    def right(self) -> np.ndarray:
        """Whether each window's class is right, shape (..., n)."""
        return self.predicted == self.target

    @cached_property
    def located(self) -> np.ndarray:
        """Whether each window has a true and a predicted pointer, shape (..., n)."""
        assert self.span is not None and self.true_span is not None, "no pointer was predicted"
        return np.isfinite(self.true_span).all(-1) & np.isfinite(self.span).all(-1)

    @cached_property
    def gaps(self) -> dict[str, np.ndarray]:
        """Absolute errors in bars of center, length, start and end, each of shape (..., n); 0 where there is no pointer."""
        assert self.span is not None and self.true_span is not None, "no pointer was predicted"
        gap = np.where(self.located[..., None], self.span - self.true_span, 0.0)
        return {
            "center": np.abs(gap.sum(-1) / 2),
            "length": np.abs(gap[..., 1] - gap[..., 0]),
            "start": np.abs(gap[..., 0]),
            "end": np.abs(gap[..., 1]),
        }

    def repeat(self, index: int) -> Predictions:
        """The predictions at `index` of the first leading dimension."""
        own = {
            name: None if part is None else part[index]
            for name in ("probabilities", "span", "true_span", "answered", "fold")
            for part in [getattr(self, name)]
        }
        return Predictions(self.classes, self.target[index], window_bars=self.window_bars, **own)

    @property
    def tasks(self) -> frozenset[str]:
        """Which kinds of metric can be measured: class, pointer and both."""
        known = {"class"} if self.probabilities is not None or self.answered is not None else set()
        if self.span is not None and self.true_span is not None:
            known |= {"pointer", "both"} if known else {"pointer"}
        return frozenset(known)


@dataclass(frozen=True, kw_only=True, eq=False)
class Metric:
    """One number that says how good predictions are: its formula, direction, title, unit, margin, format and target.

    The formula is either `statistics` and `value` (weighted sums over windows, and what is made of them), so that evaluation, the training
    monitor, slices and intervals share it, or `score` of predictions and weights where it is no function of sums (ranks). A
    metric of task ``"fit"`` is measured in training and has no formula here.

    Parameters
    ----------
    name : str
        Key in stored results.
    title : str
        What a table or chart calls it.
    better : {"higher", "lower", "neither"}
        Which way is good; "neither" is never judged.
    task : {"class", "pointer", "both", "fit"}
        What must be predicted for it.
    description : str
        One sentence: the formula's convention, with its source.
    shown : tuple of str
        Where pages, reports and the terminal show it: ``"scores"``, the chart and table of metrics from 0 to 1; ``"errors"`` and
        ``"hits"``, the charts of pointer errors in bars and of shares of windows, and the table under them; ``"pointers"``, that table
        alone; ``"terminal"``, what ``moola finetune`` prints; ``"arms"``, the table of a comparison's arms. Empty for nowhere.
    order : int
        Metrics in one place are sorted by it; those of equal order keep that of the registry.
    short : str
        A shorter title, for a column or axis whose context is clear; the title unless given.
    unit : str
        ``"bars"``, ``"of the window"``, ``"nats"`` or empty for a share.
    margin : float
        Half width of the region of practical equivalence.
    digits : int
        Decimals shown.
    by_class : bool
        Whether the value has one entry per class, shape (..., C).
    of_probabilities : bool
        Whether it is made of probabilities, so that predicted classes alone do not allow it.
    compared : bool
        Whether comparisons of arms give a verdict on it.
    monitored : bool
        Whether it is measured on the validation windows while a fit trains, and kept in events.jsonl.
    least, most : float
        What it cannot be below and above, for its interval. `most` is 1 unless given where higher is better, and infinity else.
    low, high : float, optional
        The researcher's target: above `low`, below `high`, or between them.
    statistics, value, score : callable, optional
        The formula, as above.
    influence : callable, optional
        Of predictions without leading dimensions, what each window adds to a `score`: values of shape (n,) whose mean is the score and
        whose spread over windows is that of the score; nan for a window that does not count. For statistics it follows from the formula;
        for a score without it, which is measured once for each window, it takes long where there are thousands.

    Raises
    ------
    SpecError
        When a field is empty or holds an unknown word; the message names the metric and the field.
    """

    name: str
    title: str
    better: Better
    task: Task
    description: str
    shown: tuple[Place, ...]
    order: int = 0
    short: str = ""
    unit: str = ""
    margin: float = 0.02
    digits: int = 3
    by_class: bool = False
    of_probabilities: bool = False
    compared: bool = False
    monitored: bool = False
    least: float = 0.0
    most: float | None = None
    low: float | None = None
    high: float | None = None
    statistics: Statistics | None = None
    value: Value | None = None
    score: Score | None = None
    influence: Statistics | None = None

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            self._refuse("name", "is no identifier.", "Use letters, digits and underscores.")
        for field in ("title", "description"):
            if not getattr(self, field):
                self._refuse(field, "is empty.", "Describe the metric in words.")
        for field, words, known in (
            ("better", (self.better,), get_args(Better)),
            ("task", (self.task,), get_args(Task)),
            ("shown", self.shown, get_args(Place)),
        ):
            for word in set(words) - set(known):
                self._refuse(field, f"cannot be {word!r}.", nearest(word, known))
        if not self.margin > 0:
            self._refuse("margin", f"is {self.margin}.", "Give the smallest difference that matters.")
        for place, unit in (("scores", ""), ("hits", ""), ("errors", "bars")):
            if place in self.shown and self.unit != unit:
                self._refuse(
                    "unit", f"is {self.unit!r}, and all metrics in {place!r} have {unit!r}.", "Show it elsewhere."
                )
        formulas = sum(formula is not None for formula in (self.statistics, self.score))
        if formulas != (self.task != "fit") or (self.statistics is None) != (self.value is None):
            self._refuse(
                "formula", "is missing or given twice.", "Give statistics and value, or score; none for task 'fit'."
            )

        if self.by_class and set(self.shown) - {"scores"}:
            self._refuse("shown", "may only be 'scores', for there is a value per class.", "Leave the others out.")

    @property
    def bounds(self) -> tuple[float, float]:
        """What the metric cannot be below and above."""
        if self.most is not None:
            return self.least, self.most
        return self.least, 1.0 if self.better == "higher" else float("inf")

    def _refuse(self, field: str, what: str, hint: str) -> NoReturn:
        raise SpecError(f"its {field} {what}", where=f"metric {self.name!r}", hint=hint)

    def text(self, number: float | None) -> str:
        """The number as it is shown, with its unit.

        >>> METRICS["center_mae_bars"].text(2.125)
        '2.1 bars'
        """
        if number is None or not np.isfinite(number):
            return "–"
        return f"{number:.{self.digits}f}" + (f" {self.unit}" if self.unit else "")

    def measures(self, predictions: Predictions) -> bool:
        """Whether the predictions hold what the metric needs."""
        known = predictions.probabilities is not None or not self.of_probabilities
        return known and self.task in predictions.tasks

    @property
    def heading(self) -> str:
        """The title with the unit, for a column of plain numbers."""
        return f"{self.title}, {self.unit}" if self.unit else self.title

    @property
    def label(self) -> str:
        """The title where the context is clear: next to a bar of a chart."""
        return self.short or self.title


METRICS: Registry[Metric] = Registry("metric", "moola.metrics")


def shown_in(place: Place) -> list[Metric]:
    """The metrics that a chart or table shows.

    Parameters
    ----------
    place : str
        One of the places of `Metric.shown`.

    Returns
    -------
    list of Metric
        Sorted by `Metric.order`; those of equal order as registered.

    Examples
    --------
    >>> [metric.label for metric in shown_in("errors")]
    ['Center', 'Length', 'Start', 'End']
    """
    return sorted((metric for metric in METRICS.values() if place in metric.shown), key=lambda metric: metric.order)


def find(name: str) -> Metric | None:
    """The metric called `name`, or of `NAME CLASS` for the value of one class; None for a name that is not known."""
    kind, _, label = name.partition(" ")
    metric = METRICS.get(kind)
    return metric if metric is not None and (not label or metric.by_class) else None


def title(name: str) -> str:
    """What the metric is called, with its unit or class; one that is not known keeps its own name.

    >>> title("recall consolidation"), title("center_mae_bars"), title("unheard_of")
    ('Recall of consolidation', 'Center error, bars', 'unheard_of')
    """
    metric, label = find(name), name.partition(" ")[2]
    if metric is None:
        return name
    return f"{metric.title} of {label}" if label else metric.heading


def better(name: str) -> Literal["higher", "lower"]:
    """Which way the metric gets better.

    Parameters
    ----------
    name : str
        A metric, or ``NAME CLASS`` for its value of one class.

    Returns
    -------
    {"higher", "lower"}

    Raises
    ------
    SpecError
        When the metric is not known, or when neither way is better by itself.
    """
    metric = find(name)
    if metric is None:
        raise SpecError(f"unknown metric {name!r}.", hint=nearest(name, METRICS))
    if metric.better == "neither":
        raise SpecError(
            f"neither a higher nor a lower value of {name!r} is better by itself.", hint="Compare another metric."
        )
    return metric.better


def measure(
    predictions: Predictions, weight: np.ndarray | None = None, names: Iterable[str] | None = None
) -> dict[str, np.ndarray]:
    """Measure predictions under weights of the windows.

    Parameters
    ----------
    predictions : Predictions
        With leading dimensions, or without.
    weight : ndarray of float, shape (..., n), optional
        Weights of the windows, 1 each unless given. Broadcast against the predictions' leading dimensions; without those its own
        leading dimensions are the result's. A weight of k equals k copies of the window.
    names : iterable of str, optional
        Which metrics; all that the predictions allow unless given.

    Returns
    -------
    dict of str to ndarray
        Values of shape (...), or (..., C) for a metric with an entry per class; nan where a metric is not defined.

    Raises
    ------
    SpecError
        When a name is not known.

    Examples
    --------
    >>> p = Predictions(("a", "b"), np.array([0, 0, 1]), np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]]))
    >>> round(float(measure(p, names=["accuracy"])["accuracy"]), 3)
    0.667
    """
    weight = np.ones(predictions.target.shape) if weight is None else np.asarray(weight, float)
    metrics = [METRICS[name] for name in (METRICS if names is None else names)]
    metrics = [metric for metric in metrics if metric.measures(predictions)]
    kinds = list(dict.fromkeys(metric.statistics for metric in metrics if metric.statistics))
    sums = dict(zip(kinds, _sums([kind(predictions) for kind in kinds], weight), strict=True))
    values: dict[str, np.ndarray] = {}
    for metric in metrics:
        if metric.statistics and metric.value:
            values[metric.name] = metric.value(sums[metric.statistics], predictions)
        elif metric.score:
            values[metric.name] = metric.score(predictions, weight)
    return values


def _sums(columns: list[np.ndarray], weight: np.ndarray) -> list[np.ndarray]:
    """Weighted sums over windows of each [..., n, m], by one product for all of them."""
    if not columns:
        return []
    table = np.concatenate([part.astype(float) for part in columns], axis=-1)
    total = weight @ table if table.ndim == 2 else (weight[..., None, :] @ table)[..., 0, :]
    return np.split(total, np.cumsum([part.shape[-1] for part in columns])[:-1], axis=-1)


def ratio(part: np.ndarray, whole: np.ndarray, empty: float = 0.0) -> np.ndarray:
    """part / whole, and `empty` where the whole is 0."""
    part, whole = np.broadcast_arrays(part, whole)
    return np.divide(part, whole, out=np.full(part.shape, empty), where=whole > 0)
