"""Vital signs of windows that stand apart: some of them from the rest, or the class from what the windows show."""

from __future__ import annotations

import numpy as np

from moola_core.diagnostics.vitals.groups import aurocs, deviation_of_auroc
from moola_core.diagnostics.vitals.prices import described, mean_range, ranges
from moola_core.diagnostics.vitals.sign import Evidence, Measured, NotKnown, sign

FAR = 8.0  # robust standard deviations from the median; the normal distribution has none there
NORMAL = 1.4826  # standard deviations in a median absolute deviation
LEAST_SPREAD = 0.02  # of a share or a logarithm: a description that hardly varies tells nothing
AFTER = (10, 30, 60)  # bars after a window


@sign(
    "data",
    "Windows apart from the rest",
    "Windows of one market look alike in their bars; some that look quite otherwise come from elsewhere or were damaged.",
    "Look at these windows next to others: the contract, the session, the interval, the export.",
    usual=(-np.inf, 0.04),
)
def windows_apart(evidence: Evidence) -> Measured:
    """Largest share of windows that lie more than 8 robust standard deviations from the median, over descriptions of their bars."""
    best = (0.0, "", np.zeros(len(evidence.windows), bool))
    for name, values in _described(evidence.windows.prices).items():
        middle = np.median(values)
        spread = max(NORMAL * float(np.median(np.abs(values - middle))), LEAST_SPREAD)
        far = np.abs(values - middle) > FAR * spread
        if far.mean() > best[0]:
            best = (float(far.mean()), f"in the {name}", far)
    return Measured(best[0], best[1], evidence.some(best[2]))


def _described(prices: np.ndarray) -> dict[str, np.ndarray]:
    """What describes the bars of each window [n], sizes by their logarithm, since they differ by factors."""
    own, close = described(prices), prices[:, :, 3]
    sizes = {name: np.log(np.maximum(own[name], 1e-4)) for name in ("largest bar", "body of a bar")}
    moves = np.diff(close, axis=1)
    away = (close.max(1) - close.min(1)) / np.maximum(np.abs(moves).sum(1), 1e-12)
    return sizes | {
        "step to the next open": own["step to the next open"],
        "share of still bars": (ranges(prices) == 0).mean(1),
        "size of a bar": np.log(mean_range(prices) / np.maximum(np.abs(close).mean(1), 1e-12)),
        "distance travelled for the moves made": np.log(np.maximum(away, 1e-4)),
    }


@sign(
    "labels",
    "Class told by what comes after",
    "A class that the bars after the window tell and the window does not was set with a look at the future.",
    "Look at how the classes were chosen. What the window does not show, no model of the window can learn.",
    unit="standard deviations",
    usual=(-np.inf, 3.0),
)
def told_after(evidence: Evidence) -> Measured:
    """By how many standard deviations the moves after a window tell the class better than extra trees tell it from the window."""
    bars, position, length = evidence.bars, evidence.windows.position, evidence.windows.bars
    if bars is None or evidence.probabilities is None:
        raise NotKnown("It needs the bars that the windows were cut from, and folds.")
    known = (position >= 0) & (position + length + max(AFTER) <= len(bars))
    positive = evidence.target == 0
    with np.errstate(invalid="ignore"):
        p = np.nanmean(evidence.probabilities, axis=0)[:, 0]
    known &= np.isfinite(p)
    if known.sum() < 20 or len(np.unique(positive[known])) < 2:
        raise NotKnown("Too few windows have bars after them.")
    last = position[known] + length - 1
    size = mean_range(evidence.windows.prices)[known]
    moves = np.stack([(bars.ohlc[last + ahead, 3] - bars.ohlc[last, 3]) / size for ahead in AFTER], axis=1)
    after = np.abs(aurocs(np.concatenate([moves, np.abs(moves)], axis=1), positive[known]) - 0.5)
    own = abs(float(aurocs(p[known, None], positive[known])[0]) - 0.5)
    noise = np.sqrt(2) * deviation_of_auroc(positive[known])
    ahead = AFTER[int(after.argmax()) % len(AFTER)]
    detail = f"the move in the {ahead} bars after it: AUROC {0.5 + after.max():.2f}, of the window {0.5 + own:.2f}"
    return Measured(float((after.max() - own) / noise), detail)
