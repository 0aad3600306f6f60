"""Which windows of the bars pre-training sees: at a stride, whole, away from the labelled ones, and split in time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from moola_core.errors import DataError
from moola_core.market.bars import Bars
from moola_core.market.unlabelled import HeldOut, candidates, kept_of, refuse_too_few
from moola_core.specs import Pretrain
from moola_core.training.pretraining.bar_windows import BarWindows

LEAST_TRAINED = 2  # one window alone is no batch: there is nothing to tell it apart from, nothing to normalise it by
NEAREST = 5
SEASON_WINDOWS = 277  # about ten sessions of 1-minute bars at stride 52


@dataclass(frozen=True, eq=False)
class Sample:
    """First bars of the windows to train on [a] and to validate on [b], and what was left out, counted by reason."""

    train: np.ndarray
    valid: np.ndarray
    counts: dict[str, int]


def sample(
    bars: Bars, spec: Pretrain, left_out: np.ndarray, nearness: Callable[[np.ndarray], np.ndarray] | None = None
) -> Sample:
    """The windows that the spec asks for.

    left_out: first bars of labelled windows in these bars, which are left out unless sampling.labelled is see; nearness: first bars [n] → how
    near each window lies to the
    labelled ones [n], larger is nearer (for sampling.keep "similar").
    Training and validation windows share no bar, the bars that their targets are made from included. Raises DataError when
    fewer than 100 windows are left, or fewer than 2 to train on.
    """
    sampling = spec.sampling
    refuse_too_few(bars, spec, HeldOut(left_out))
    train, valid, counts = candidates(bars, spec, left_out)
    if sampling.keep != "all":
        worth = activity(bars, sampling.window_bars) if sampling.keep == "active" else nearness
        assert worth is not None
        kept = [_best(part, worth(part), sampling.keep_frac) for part in (train, valid)]
        counts[f"not_{sampling.keep}"] = len(train) + len(valid) - len(kept[0]) - len(kept[1])
        train, valid = kept
    if len(train) < LEAST_TRAINED:
        raise DataError(
            f"only {len(train)} of {len(train) + len(valid)} windows is left to train on, too few for a batch.",
            where="sampling.valid_frac",
            hint="Give more bars, or a smaller sampling.valid_frac.",
        )
    return Sample(train, valid, counts | {"train": len(train), "valid": len(valid)})


def activity(bars: Bars, length_bars: int) -> Callable[[np.ndarray], np.ndarray]:
    """First bars [n] → mean range of each window over that of its season (the 277 windows around it).

    Against its own season, or the filter would choose years instead of hours.
    """
    total = np.r_[0.0, np.cumsum(bars.ohlc[:, 1] - bars.ohlc[:, 2])]

    def worth(first: np.ndarray) -> np.ndarray:
        mean_range = (total[first + length_bars] - total[first]) / length_bars
        half = SEASON_WINDOWS // 2
        edges = np.arange(len(first))
        running = np.r_[0.0, np.cumsum(mean_range)]
        low, high = np.maximum(edges - half, 0), np.minimum(edges + half + 1, len(first))
        season = (running[high] - running[low]) / np.maximum(high - low, 1)
        return mean_range / np.maximum(season, 1e-12)

    return worth


def _best(first: np.ndarray, worth: np.ndarray, share: float) -> np.ndarray:
    """The `share` of windows of the largest worth, in time order."""
    return first[np.sort(np.argsort(-worth, kind="stable")[: kept_of(len(first), share)])]


def nearness(windows: BarWindows, labelled: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """First bars [n] → minus the mean distance of each window to its 5 nearest labelled ones.

    Windows are compared by the mean and standard deviation of each feature, every one of these 2 F numbers scaled to 1.
    """

    def worth(first: np.ndarray) -> np.ndarray:
        ours, theirs = _described(windows, first), _described(windows, labelled)
        scale = ours.std(0, keepdim=True).clamp(min=1e-8)
        apart = torch.cdist(ours / scale, theirs / scale)
        return -apart.topk(min(NEAREST, len(labelled)), dim=1, largest=False).values.mean(1).cpu().numpy()

    return worth


def _described(windows: BarWindows, first: np.ndarray) -> torch.Tensor:
    parts = [windows.raw(part) for part in np.array_split(first, -(-len(first) // 1024)) if len(part)]
    return torch.cat([torch.cat([x.mean(1), x.std(1)], dim=1) for x in parts])
