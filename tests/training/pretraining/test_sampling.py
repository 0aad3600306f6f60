from __future__ import annotations

import numpy as np
import pytest

from moola_core.errors import DataError
from moola_core.market.bars import bars_from_arrays
from moola_core.market.unlabelled import reach_bars
from moola_core.specs import Pretrain, change
from moola_core.specs.choices import OBJECTIVES
from moola_core.training.pretraining.bar_windows import BarWindows
from moola_core.training.pretraining.sampling import activity, nearness, sample

SMALL = {"sampling.window_bars": 20, "stride_bars": 7}
NONE = np.empty(0, np.int64)


def walk(count: int, gap_at: int | None = None, seed: int = 0):
    rng = np.random.default_rng(seed)
    close = 15000 + np.cumsum(rng.integers(-8, 9, count)) * 0.25
    opened = np.r_[close[0], close[:-1]]
    high = np.maximum(opened, close) + rng.integers(0, 5, count) * 0.25
    low = np.minimum(opened, close) - rng.integers(0, 5, count) * 0.25
    minutes = np.arange(count) + (500 * (np.arange(count) >= gap_at) if gap_at else 0)
    time = np.datetime64("2024-01-01", "ns") + minutes * np.timedelta64(60, "s")
    return bars_from_arrays(time, np.stack([opened, high, low, close], axis=1))


@pytest.mark.parametrize("objective", list(OBJECTIVES))
def test_no_window_or_target_of_training_shares_a_bar_with_validation(objective):
    spec = change(Pretrain(), SMALL | {"objective.name": objective})
    found = sample(walk(3000), spec, NONE)
    reach = reach_bars(spec)
    assert reach == 20 + {"masked": 0, "contrastive": 8, "supervised": 30, "expansion": 20}[objective]
    assert found.train.max() + reach <= found.valid.min() and found.valid.max() + reach <= 3000
    assert len(found.valid) / (len(found.train) + len(found.valid)) == pytest.approx(0.1, abs=0.02)
    assert (
        sum(found.counts[name] for name in ("over_gaps", "labelled", "between", "train", "valid"))
        == found.counts["in_bars"]
    )


def test_windows_over_a_gap_are_left_out():
    spec = change(Pretrain(), SMALL)
    found = sample(walk(3000, gap_at=1003), spec, NONE)
    first = np.r_[found.train, found.valid]
    assert not ((first < 1003) & (first + 20 > 1003)).any()
    assert found.counts["over_gaps"] == sum(start < 1003 < start + 20 for start in range(0, 2981, 7))


def test_windows_with_filler_bars_are_left_out_unless_the_setting_says_otherwise():
    plain = walk(3000)
    flat = plain.ohlc.copy()
    flat[1000:1100] = flat[1000, 0]
    bars = bars_from_arrays(plain.time, flat)
    found = sample(bars, change(Pretrain(), SMALL), NONE)
    first = np.r_[found.train, found.valid]
    filled = [start for start in range(0, 2981, 7) if start + 20 > 1000 and start < 1100]
    assert not set(first) & set(filled) and found.counts["filler"] == len(filled)
    assert "filler" not in sample(bars, change(Pretrain(), SMALL | {"exclude_filler": False}), NONE).counts
    assert "filler" not in sample(plain, change(Pretrain(), SMALL), NONE).counts


@pytest.mark.parametrize("objective", ["masked", "supervised"])
def test_windows_that_share_bars_with_labelled_ones_are_left_out_and_counted(objective):
    spec = change(Pretrain(), SMALL | {"objective.name": objective})
    labelled = np.array([2000, 310, 317])
    found = sample(walk(4000), spec, labelled)
    first, reach = np.r_[found.train, found.valid], reach_bars(spec)
    for start in labelled:
        assert not ((first < start + 20) & (start < first + reach)).any()
    every = sample(walk(4000), change(spec, {"labelled": "see"}), labelled)
    assert every.counts["labelled"] == 0 and found.counts["labelled"] > 0
    assert len(every.train) + len(every.valid) + every.counts["between"] == (
        len(first) + found.counts["between"] + found.counts["labelled"]
    )


def test_too_few_windows_are_refused_with_the_setting_that_took_them():
    spec = change(Pretrain(), SMALL)
    with pytest.raises(DataError, match=r"share bars with labelled windows.*labelled=see"):
        sample(walk(3000), spec, np.arange(0, 2980, 15))
    with pytest.raises(DataError, match=r"fewer than 100.*more bars"):
        sample(walk(300), spec, NONE)


def test_the_active_windows_are_those_that_move_beside_their_season():
    bars = walk(6000)
    quiet = np.arange(len(bars)) // 60 % 2 == 0
    close = bars.ohlc[:, 3:]
    ohlc = np.where(quiet[:, None], close + (bars.ohlc - close) * 0.1, bars.ohlc)
    bars = bars_from_arrays(bars.time, ohlc)
    found = sample(bars, change(Pretrain(), SMALL | {"keep": "active", "keep_frac": 0.3}), NONE)
    share = np.mean([quiet[first : first + 20].mean() for first in found.train])
    assert share < 0.15 and found.counts["not_active"] > 0
    worth = activity(bars, 20)(np.arange(0, 5000, 7))
    assert worth.mean() == pytest.approx(1, abs=0.1)


def test_the_similar_windows_are_the_nearest_to_the_labelled_ones():
    bars, spec = walk(4000), change(Pretrain(), SMALL | {"keep": "similar", "keep_frac": 0.25, "data.windows": "w"})
    windows = BarWindows(bars, None, spec.features, 20)
    near = nearness(windows, np.array([700, 1400]))
    found = sample(bars, change(spec, {"labelled": "see"}), np.array([700, 1400]), near)
    assert 700 in found.train and 1400 in found.train  # nothing is nearer than the window itself
    every = sample(bars, change(spec, {"labelled": "see", "keep": "all"}), np.array([700, 1400]))
    best = every.train[np.argsort(-near(every.train))[: round(0.25 * len(every.train))]]
    assert found.train.tolist() == sorted(best) and found.counts["not_similar"] > 0


def test_a_single_window_to_train_on_is_refused():
    """The windows overlap so much that the split of the time leaves all others to validation."""
    spec = change(Pretrain(), {"sampling.window_bars": 20, "stride_bars": 1, "valid_frac": 0.85})
    assert len(sample(walk(170), spec, NONE).train) == _trained(walk(170), spec) > 2
    only = next(n for n in range(145, 160) if _trained(walk(n), spec) == 1)
    with pytest.raises(DataError, match="only 1 of"):
        sample(walk(only), spec, NONE)


def _trained(bars, spec):
    """Windows that end before validation begins, counted one by one."""
    starts = range(len(bars) - 19)
    cut = starts[min(round(len(starts) * 0.15), len(starts) - 1)]
    return sum(start + 20 <= cut for start in starts)
