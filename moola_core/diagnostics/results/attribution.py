"""What each group of inputs contributes to what the models predict."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

POINTER_OUTPUTS = ("center, bars", "length, bars")


@dataclass(frozen=True)
class Rank:
    """One group's mean absolute contribution to an output, over all windows and for each fit (fold of a repeat); rank from 1.

    error: the Monte Carlo error of the mean; None of older versions.
    """

    group: str
    output: str
    mean: float
    by_fit: tuple[float, ...]
    rank: int
    error: float | None = None


@dataclass(frozen=True)
class Attribution:
    """Grouped Shapley values of the out-of-fold models of the first `repeats` repeats, one row a window and repeat.

    groups [G]: features, with price_path as one; a left-out one takes the values of `background` training windows a fold; of a model that reads prices, groups of its statistics. outputs [O]: `logit of A over B`
    (or of each class over the others), center and length in bars; values [n, G, O]; empty, full [n, O]: the output with every group left
    out, and with none, so that empty + Σ values = full; level [n, G]: each window's standardised mean of a group that is one feature, the
    beeswarm's colour, and 0 for others; course [O, K, F]: mean absolute expected gradient of each feature of `features` [F] at each bar;
    only networks have one, and F is 0 for other models; background: 0 where left-out groups have values of their own, None of older
    versions, which took the mean window; agreement: by output, Spearman's correlation between the rankings of two fits, the mean over
    pairs.
    """

    repeats: int
    window_id: tuple[str, ...]
    groups: tuple[str, ...]
    outputs: tuple[str, ...]
    values: np.ndarray
    empty: np.ndarray
    full: np.ndarray
    level: np.ndarray
    ranking: tuple[Rank, ...]
    additivity_error: float
    features: tuple[str, ...]
    course: np.ndarray
    background: int | None = None
    agreement: tuple[float | None, ...] | None = None
