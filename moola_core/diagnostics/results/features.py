"""Features and labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class FeatureLabel:
    """How one feature's aggregate tells `positive` from the other classes.

    aggregate: window, last or before_expansion; n windows; r: point-biserial correlation with its 95% interval; auc with its
    interval; auc_middle: AUC of the distance from the median; p: by permuting groups of windows; q: Benjamini–Hochberg over all rows;
    sign_stability: share of folds in which r keeps its sign; std of the aggregate over the windows.
    """

    feature: str
    aggregate: str
    positive: str
    n: int
    r: float
    r_low: float
    r_high: float
    auc: float
    auc_low: float
    auc_high: float
    auc_middle: float
    p: float
    q: float
    sign_stability: float
    std: float


@dataclass(frozen=True)
class Expectation:
    """What the researcher expected of a feature: that its correlation r is above `least`.

    actual: r, with its 95% interval from low to high, windows that share bars taken together; None where the feature or the class
    does not occur. met: True or False where the interval lies on one side of `least`, else None.
    """

    text: str
    actual: float | None
    met: bool | None
    low: float | None = None
    high: float | None = None
    least: float | None = None


@dataclass(frozen=True)
class ColumnFact:
    """A column of the features: `std` over all bars, share of bar positions at which it differs between windows, what is wrong."""

    feature: str
    mean: float
    std: float
    varying_positions: float
    remark: str


@dataclass(frozen=True)
class FeatureReport:
    """Features and labels.

    table: one row a feature, aggregate and class; distributions: window means by feature and class; course_mean, course_error
    [classes, features, K]: mean over the windows at each bar, and its standard error; correlation [features, features] of the
    window means.
    """

    classes: tuple[str, ...]
    features: tuple[str, ...]
    windows: int
    groups: int
    permutations: int
    last_bars: int
    table: tuple[FeatureLabel, ...]
    expectations: tuple[Expectation, ...]
    columns: tuple[ColumnFact, ...]
    distributions: dict[str, dict[str, list[float]]]
    course_mean: np.ndarray
    course_error: np.ndarray
    correlation: np.ndarray
