"""Chains, runs, purging, the validation split, and what cannot be divided."""

from __future__ import annotations

import numpy as np
import pytest

from moola_core.errors import DataError
from moola_core.market.windows import bar_spans, windows_from_arrays
from moola_core.overlap import Overlap
from moola_core.specs import Faults, Training
from moola_core.training import folds
from moola_core.training.folds import make_folds

K = 105
TRAINING = Training(folds=5, repeats=2)


def one_chain(n: int = 174, step: int = 40) -> Overlap:
    return Overlap(np.zeros(n, np.int64), np.arange(n, dtype=np.int64) * step, K)


def apart(n: int = 60) -> Overlap:
    return Overlap(np.zeros(n, np.int64), np.arange(n, dtype=np.int64) * 1000, K)


def labels(n: int, classes: int = 2) -> np.ndarray:
    names = np.array(["a", "b", "c"], object)[:classes]
    return np.random.default_rng(1).permutation(names[np.arange(n) % classes])


def shares(places: Overlap, some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Bar by bar, slowly: which of `some` share a bar with any of `others`."""
    taken = {(places.series[o, 0], bar) for o in others for bar in range(places.first[o, 0], places.first[o, 0] + K)}
    return np.array(
        [
            any((places.series[s, 0], b) in taken for b in range(places.first[s, 0], places.first[s, 0] + K))
            for s in some
        ],
        bool,
    )


def test_a_long_chain_is_cut_into_runs_of_nine_consecutive_windows():
    group = one_chain().groups(folds=5)
    assert np.bincount(group).tolist() == [9] * 19 + [3]
    assert (np.diff(group) >= 0).all()


def test_windows_apart_are_each_a_group_and_order_does_not_matter():
    places = apart(20)
    mixed = np.random.default_rng(0).permutation(20)
    assert len(np.unique(places.groups(5))) == 20
    chain = one_chain(40)
    shuffled = Overlap(chain.series[mixed], chain.first[mixed], K)
    assert np.array_equal(shuffled.groups(5), Overlap(chain.series[:20], chain.first[:20], K).groups(5)[mixed])


def test_chains_join_at_a_shared_bar_and_part_where_none_is_shared():
    first = np.r_[0, K - 1, 2 * K - 1, np.arange(1, 18) * 1000]
    places = Overlap(np.zeros(20, np.int64), first, K)
    group = places.groups(folds=2)
    assert group[0] == group[1] != group[2]
    with_embargo = places.groups(folds=2, embargo_bars=1)
    assert with_embargo[0] == with_embargo[1] == with_embargo[2] != with_embargo[3]


def test_windows_of_two_instruments_never_share_bars():
    places = Overlap(np.arange(30) % 2, np.repeat(np.arange(15) * 1000, 2), K)
    assert len(np.unique(places.groups(5))) == 30


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("places", [one_chain(), apart(174)], ids=["one chain", "apart"])
def test_every_window_is_tested_once_a_repeat_and_roles_are_disjoint(places, classes):
    folds = make_folds(labels(174, classes), places, TRAINING, Faults())
    assert [(f.repeat, f.fold) for f in folds] == [(r, k) for r in range(2) for k in range(5)]
    for repeat in range(2):
        tested = np.concatenate([f.test for f in folds if f.repeat == repeat])
        assert sorted(tested) == list(range(174))
    for f in folds:
        assert sorted(np.concatenate([f.train, f.validation, f.test, f.purged])) == list(range(174))


def test_training_windows_share_no_bar_with_test_or_inner_windows():
    places = one_chain()
    for f in make_folds(labels(174), places, Training(folds=5), Faults()):
        assert not shares(places, f.train, np.r_[f.test, f.validation]).any()
        assert not shares(places, f.validation, f.test).any()
        assert len(f.purged) > 0


def test_runs_leave_more_training_windows_than_shuffled_folds_would():
    places, label = one_chain(), labels(174)
    kept = [len(f.train) + len(f.validation) for f in make_folds(label, places, Training(folds=5), Faults())]
    torn = make_folds(label, places, Training(folds=5), Faults(shuffled_folds=True))
    purged = [(~shares(places, f.train, f.test)).sum() + (~shares(places, f.validation, f.test)).sum() for f in torn]
    assert np.mean(kept) > np.mean(purged) + 20


def test_an_embargo_keeps_bars_free():
    places = one_chain(step=120)
    for f in make_folds(labels(174), places, Training(folds=5, embargo_bars=50), Faults()):
        near = np.abs(places.first[f.train][:, None] - places.first[f.test][None, :]).min()
        assert near >= K + 50


def test_folds_are_stratified_and_the_inner_split_holds_every_class():
    label = labels(174, 3)
    for f in make_folds(label, apart(174), Training(folds=5), Faults()):
        _, counts = np.unique(label[f.test].astype(str), return_counts=True)
        assert counts.min() >= 11 and counts.max() <= 12
        assert len(f.validation) == pytest.approx(0.2 * 139, abs=2)
        assert len(np.unique(label[f.validation].astype(str))) == 3


def test_seed_and_repeat_decide_the_folds():
    label, places = labels(60), apart()

    def tests(training: Training) -> list[list[int]]:
        return [f.test.tolist() for f in make_folds(label, places, training, Faults())]

    assert tests(TRAINING) == tests(TRAINING)
    assert tests(TRAINING)[:5] != tests(TRAINING)[5:]
    assert tests(TRAINING) != tests(TRAINING.model_copy(update={"seed": 18}))
    assert tests(TRAINING.model_copy(update={"repeats": 1})) == tests(TRAINING)[:5]


def test_the_shuffled_folds_fault_tears_chains_apart_and_purges_nothing():
    places = one_chain()
    folds = make_folds(labels(174), places, Training(folds=5), Faults(shuffled_folds=True))
    assert all(shares(places, f.test, f.train).mean() > 0.5 and len(f.purged) == 0 for f in folds)


def test_the_test_fold_selection_fault_plants_nothing_else():
    places, label = one_chain(), labels(174)
    honest = make_folds(label, places, Training(folds=5), Faults())
    for f, plain in zip(
        make_folds(label, places, Training(folds=5), Faults(test_fold_selection=True)), honest, strict=True
    ):
        assert np.array_equal(f.validation, f.test)
        assert np.array_equal(f.test, plain.test)
        assert not shares(places, f.train, f.test).any()


def test_a_class_rarer_than_the_folds_is_refused():
    label = np.array(["a"] * 56 + ["b"] * 4, object)
    with pytest.raises(DataError, match=r"b \(4\).*fewer folds"):
        make_folds(label, apart(), Training(folds=5), Faults())


def test_one_window_of_each_class_to_train_on_is_refused():
    label = np.array(["a", "b"] * 2, object)
    with pytest.raises(DataError, match=r"none to validate on.*Label more windows"):
        make_folds(label, apart(4), Training(folds=2), Faults())


def test_too_few_groups_are_refused():
    places = Overlap(np.zeros(12, np.int64), np.zeros(12, np.int64), K)  # all the same bars: everything would be purged
    with pytest.raises(DataError, match=r"training\.folds"):
        make_folds(labels(12), places, Training(folds=5), Faults())


def market(rng: np.random.Generator, bars: int) -> np.ndarray:
    """Bars [bars, 4] of a random walk on a grid of quarters; every third day some of it stands still."""
    steps = rng.integers(-8, 9, (bars, 4)) * (rng.random((bars, 1)) > 0.2)
    close = 15_000 + np.cumsum(steps[:, 0])
    opened = np.r_[close[0], close[:-1]]
    high = np.maximum(opened, close) + np.abs(steps[:, 1])
    low = np.minimum(opened, close) - np.abs(steps[:, 2])
    return np.stack([opened, high, low, close], axis=1) / 4 + 1000


@pytest.mark.parametrize("timed", [True, False], ids=["times that differ", "no times"])
@pytest.mark.parametrize("seed", range(4))
def test_a_copy_of_a_window_is_never_trained_on_when_the_other_is_tested(seed, timed):
    """Copies under other times, moved up by a constant, and cut a few bars later: the bars that were really cut decide."""
    rng = np.random.default_rng(seed)
    ohlc, n, copies = market(rng, 9000), 70, 40
    start = np.sort(rng.choice(9000 - K, n, replace=False))
    of = rng.integers(0, n, copies)
    later = rng.choice([0, 0, 0, 20, 60], copies)  # a copy may be cut later: it shares 45 bars or more with the window
    source = np.clip(np.r_[start, start[of] + later], 0, 9000 - K)
    moved = np.r_[np.zeros(n), rng.choice([0.0, 0.0, 137.25, -12.5], copies)]
    prices = np.stack([ohlc[i : i + K] for i in source]) + moved[:, None, None]
    minutes = np.r_[start, rng.integers(20_000, 900_000, copies)]
    order = rng.permutation(n + copies)
    source, prices, minutes = source[order], prices[order], minutes[order]
    label = np.random.default_rng(1).permutation(np.array(["a", "b"], object)[np.arange(n + copies) % 2])
    times = {"start_time": np.datetime64("2024-01-02T00:00:00") + minutes.astype("timedelta64[m]")} if timed else {}
    windows = windows_from_arrays(prices, label, **times)
    places = Overlap(*bar_spans(windows), K)
    group = places.groups(5)
    exact = np.unique(prices - prices[:, :1, 3:], axis=0, return_inverse=True)[1].reshape(-1)
    for kind in np.unique(exact):
        assert len(np.unique(group[exact == kind])) == 1, "equal windows share a group"
    for f in make_folds(label, places, Training(folds=5), Faults()):
        used = np.r_[f.train, f.validation]
        apart = np.abs(source[f.test][:, None] - source[used][None])
        leaked = (apart == 0) | (apart <= K - 20)  # 20 bars: enough for a shifted copy to be known by its moves
        assert not leaked.any()
        assert len(f.train) > 0


def test_runs_of_a_long_chain_do_not_end_between_copies():
    """All windows lie in one chain, each of them three times: nine in a run would tear every fourth window apart."""
    first = np.repeat(np.arange(58, dtype=np.int64) * 40, 3)
    group = Overlap(np.zeros(174, np.int64), first, K).groups(folds=5)
    assert all(len(np.unique(group[first == at])) == 1 for at in np.unique(first))
    assert np.bincount(group).max() <= 11
    ways = Overlap(np.stack([np.arange(174) // 3, np.arange(174) % 58], 1), np.zeros((174, 2), np.int64), K)
    assert len(np.unique(ways.groups(5))) == 1, "held together by one way or the other, by way of others"


def test_folds_that_were_made_before_are_the_same_and_nobody_elses():
    label, shared = np.array(["a", "b"])[np.arange(60) % 2], Overlap.none(60)
    training, other = Training(folds=3, repeats=2, seed=5), Training(folds=3, repeats=2, seed=6)
    first, again = (make_folds(label, shared, training, Faults()) for _ in range(2))
    folds._kept.clear()
    anew = make_folds(label, shared, training, Faults())
    for one, same, fresh in zip(first, again, anew, strict=True):
        for name in ("train", "validation", "test", "purged"):
            assert np.array_equal(getattr(one, name), getattr(same, name))
            assert np.array_equal(getattr(one, name), getattr(fresh, name))
    again[0].train[:] = 0  # what a reader does to its own folds
    assert np.array_equal(make_folds(label, shared, training, Faults())[0].train, first[0].train)
    differing = [
        make_folds(label, shared, other, Faults()),
        make_folds(np.roll(label, 30)[::-1], shared, training, Faults()),
        make_folds(label, Overlap(np.zeros(60, int), np.arange(60) * 20, 30), training, Faults()),
        make_folds(label, shared, training, Faults(shuffled_folds=True)),
    ]
    assert not np.array_equal(differing[0][0].test, first[0].test)
    assert len(folds._kept) == 5
