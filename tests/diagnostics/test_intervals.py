"""Intervals against slow or exact references, and their rates of error where nothing is to be found."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from moola_core.diagnostics.claims import beats_chance, beats_constant, beats_majority
from moola_core.diagnostics.correlation import Permutations, feature_report, with_expectations
from moola_core.diagnostics.intervals import Estimate, auroc, estimate, of_share, of_stretches, of_windows, within_folds
from moola_core.diagnostics.results import Interval
from moola_core.diagnostics.results.interval import above
from moola_core.overlap import Overlap
from moola_core.runs.predictions import PredictionTable


def test_a_claim_is_decided_by_where_the_interval_lies():
    assert (
        above(None) == "unmeasured"
        and above(Interval(1, 0.5, 2)) == "supported"
        and above(Interval(-1, -2, -0.5)) == "opposed"
    )
    assert above(Interval(1, 0, 2)) == above(Interval(0, -1, 1)) == "open"
    assert (
        above(Interval(0.2, -0.2, 0.6), at_most=1.0) == "opposed"
        and above(Interval(0.2, -0.2, 1.6), at_most=1.0) == "open"
    )
    assert above(Interval(0.6, 0.55, 0.65), 0.5) == "supported"


def test_of_single_windows_it_is_students_t():
    values = np.random.default_rng(0).normal(2, 3, 40)
    found = of_windows(values[None], Overlap.none(40), given=True)
    wanted = stats.t.interval(0.95, 39, values.mean(), stats.sem(values))
    assert (found.value, found.low, found.high) == pytest.approx((values.mean(), *wanted))
    wide = of_windows(values[None], Overlap.none(40))
    assert (wide.high - wide.value) / (found.high - found.value) == pytest.approx(np.sqrt(2 + 12 / 40))


def test_windows_of_a_group_count_as_one_and_repeats_add_their_own_variance():
    rng = np.random.default_rng(1)
    each = rng.normal(size=12)
    grouped = of_windows(np.repeat(each, 5)[None], Overlap.of_groups(np.repeat(np.arange(12), 5)), given=True)
    alone = of_windows(each[None], Overlap.none(12), given=True)
    assert (grouped.low, grouped.high) == pytest.approx((alone.low, alone.high))
    same = of_windows(np.stack([each, each]), Overlap.none(12), given=True)
    moved = of_windows(np.stack([each - 1, each + 1]), Overlap.none(12), given=True)
    assert same.high == pytest.approx(alone.high)
    reach = [((one.high - one.value) / stats.t.ppf(0.975, 11)) ** 2 for one in (same, moved)]
    assert reach[1] - reach[0] == pytest.approx(np.var([-1, 1], ddof=1) / 2)


def test_pretraining_adds_what_repeats_of_one_do_not_show():
    rng = np.random.default_rng(4)
    seed = np.repeat([0, 1, 2], 20)
    each, own = rng.normal(0, 0.3, 3), rng.normal(0, 0.05, 60)
    values = (each[seed] + own)[:, None] + rng.normal(0, 1, 50) + np.zeros((60, 50))
    one, several = (estimate(values, Overlap.none(50), pretraining=which) for which in (None, seed))
    assert several.of_pretraining == pytest.approx(each.var(ddof=1) / 3, rel=0.1) and one.of_pretraining == 0
    assert several.of_windows == one.of_windows and several.error > one.error
    alike = estimate(values - each[seed][:, None], Overlap.none(50), pretraining=seed)
    assert alike.of_pretraining < 0.05 * several.of_pretraining


def test_the_size_that_is_needed_is_right_within_a_factor_of_one_and_a_half():
    """What 60 windows say of the number that finds the difference with 80% power, against simulated studies of other sizes."""
    rng, truth = np.random.default_rng(0), 0.25

    def power(n: int) -> float:
        return np.mean([estimate(rng.normal(truth, 1, (1, n)), Overlap.none(n)).p < 0.05 for _ in range(400)])

    needed = Estimate(truth, 59, 1 / 60).windows_needed(60)
    assert power(round(needed / 1.5)) < 0.8 < power(round(needed * 1.5))
    assert Estimate(truth, 59, 1 / 60, of_pretraining=0.02).windows_needed(60) is None
    more = Estimate(0.5, 59, 0.01, of_repeats=0.04)
    assert more.repeats_needed(3) == pytest.approx(3 * 0.04 / ((0.5 / (2.001 + 0.8416)) ** 2 - 0.01), abs=1)
    assert Estimate(0.2, 59, 0.01, of_repeats=0.04).repeats_needed(3) is None, "the windows alone leave too much"


def test_wilsons_interval_is_scipys():
    for k, n in ((0, 10), (3, 10), (50, 60), (60, 60)):
        wanted = stats.binomtest(k, n).proportion_ci(method="wilson")
        assert of_share(k / n, n) == pytest.approx((wanted.low, wanted.high))


def test_what_cannot_be_measured_has_no_interval():
    assert of_windows(np.full((2, 5), np.nan), Overlap.none(5)) is None
    assert of_windows(np.ones((1, 5)), Overlap.of_groups(np.zeros(5, int))) is None
    assert of_stretches(np.array([])) is None and of_stretches(np.ones(3)).value == 1.0


def test_the_auroc_among_the_windows_of_a_fold_is_scikit_learns_mean_over_folds():
    rng = np.random.default_rng(2)
    target, fold = rng.integers(0, 3, 90), np.arange(90)[None] % 5
    p = rng.dirichlet(np.ones(3), 90)[None].round(1)
    values = within_folds(target, p, fold)
    wanted = [roc_auc_score(target[fold[0] == k] == c, p[0, fold[0] == k, c]) for k in range(5) for c in range(3)]
    assert values.mean() == pytest.approx(np.mean(wanted))
    two = np.stack([1 - p[:, :, 0], p[:, :, 0]], axis=2)
    binary = within_folds((target == 0).astype(int), two, fold)
    m, k = (target == 0).sum(), (target != 0).sum()
    score, inside = p[0, :, 0], target == 0
    against = (np.sign(score[inside][:, None] - score[~inside][None]) + 1) / 2
    delong = against.mean(1).var() / m + against.mean(0).var() / k
    assert ((binary - binary.mean()) ** 2).sum() / 90**2 == pytest.approx(delong)


def test_folds_of_one_class_are_left_out_and_constant_or_perfect_answers_are_not_certain():
    target = np.array([0, 0, 0, 0, 1, 0, 1, 0])
    fold = np.array([[0, 0, 0, 0, 1, 1, 1, 1]])
    score = np.where(target == 1, 0.9, 0.1)
    p = np.stack([1 - score, score], 1)[None]
    perfect = auroc(within_folds(target, p, fold), Overlap.none(8))
    assert perfect.value == 1.0 and perfect.low < 0.6, "eight windows prove little"
    score[:4] = 0.95  # worse than the others, but of another model
    apart = within_folds(target, np.stack([1 - score, score], 1)[None], fold)
    assert apart.mean() == pytest.approx(1.0)
    assert np.isnan(within_folds(target, p, np.arange(8)[None])).all(), "each window a fold: no two have one model"
    constant = within_folds(np.arange(60) % 2, np.full((1, 60, 2), 0.5), np.arange(60)[None] % 5)
    assert auroc(constant, Overlap.none(60)).low < 0.5 < auroc(constant, Overlap.none(60)).high


def predictions(seed: int = 0, n: int = 60, repeats: int = 2) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    label, start = rng.choice(["a", "b"], n, p=[0.4, 0.6]), rng.integers(20, 60, n).astype(float)
    parts = []
    for repeat in range(repeats):
        p = rng.random(n)
        part = {
            "repeat": repeat,
            "fold": rng.permutation(n) % 5,
            "window_id": [f"w{i}" for i in range(n)],
            "label": label,
            "predicted": np.where(p > 0.5, "a", "b"),
            "p_b": 1 - p,
            "p_a": p,
            "start_true": start,
            "end_true": start + rng.integers(4, 9, n),
            "start_pred": start + rng.normal(0, 3, n),
            "end_pred": start + 6 + rng.normal(0, 3, n),
        }
        parts.append(pd.DataFrame(part))
    return pd.concat(parts).sample(frac=1, random_state=seed, ignore_index=True)


def test_claims_of_a_table_are_those_of_a_loop_over_folds():
    frame = predictions()
    grid = PredictionTable(frame).grid()
    alone = grid.shared(None)
    areas, gaps, center, length = [], [], [], []
    commonest = frame["label"].value_counts().index[0]
    for (repeat, fold), part in frame.groupby(["repeat", "fold"]):
        areas += [roc_auc_score(part["label"] == "a", part["p_a"])] * len(part)
        gaps += list((part["predicted"] == part["label"]).astype(int) - (part["label"] == commonest).astype(int))
        others = frame[(frame["repeat"] == repeat) & (frame["fold"] != fold)]
        start, end = others["start_true"].median(), others["end_true"].median()
        middle = (part["start_true"] + part["end_true"]) / 2
        center += list(abs((start + end) / 2 - middle) - abs((part["start_pred"] + part["end_pred"]) / 2 - middle))
        true = part["end_true"] - part["start_true"]
        length += list(abs(end - start - true) - abs(part["end_pred"] - part["start_pred"] - true))
    assert beats_chance(grid, alone).value == pytest.approx(np.mean(areas))
    assert beats_majority(grid, alone).value == pytest.approx(np.mean(gaps))
    gains = beats_constant(grid, alone)
    assert gains["center"].value == pytest.approx(np.mean(center)) and gains["center"].low > 0
    assert gains["length"].value == pytest.approx(np.mean(length))


def test_groups_of_windows_that_share_bars_widen_the_interval():
    frame = predictions(n=90)
    frame["start_pred"] = frame["start_true"] + 10 * (frame["window_id"].str[1:].astype(int) // 9 % 2)
    grid = PredictionTable(frame).grid()
    alone, shared = (
        beats_constant(grid, grid.shared(known))["center"]
        for known in (None, Overlap.of_groups(np.arange(90) // 9, [f"w{i}" for i in range(90)]))
    )
    assert alone.value == shared.value and shared.high - shared.low > 1.5 * (alone.high - alone.low)


def ridge(x: np.ndarray, y: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Out-of-fold scores of a ridge regression, refitted for each fold."""
    score = np.empty(len(y))
    for k in np.unique(fold):
        train = fold != k
        mean, std = x[train].mean(0), x[train].std(0)
        z = (x[train] - mean) / std
        w = np.linalg.solve(z.T @ z + 100 * np.eye(x.shape[1]), z.T @ (y[train] - y[train].mean()))
        score[~train] = ((x[~train] - mean) / std) @ w
    return score


@pytest.mark.parametrize("chained", [False, True], ids=["independent", "chains of nine"])
def test_learners_that_are_refitted_beat_chance_and_each_other_at_the_nominal_rate_where_there_is_nothing(chained):
    studies, n, wins, leads = 60, 108, 0, 0
    for seed in range(studies):
        rng = np.random.default_rng(seed)
        group = np.arange(n) // 9 if chained else np.arange(n)
        draw = rng.normal(size=(n, 26))
        if chained:  # windows of a chain resemble each other, in what is read and in their class
            draw = 0.6 * draw + 0.8 * rng.normal(size=(group.max() + 1, 26))[group]
        y, fold = (draw[:, 0] > 0).astype(int), np.random.default_rng(seed).permutation(group.max() + 1)[group] % 5
        values = []
        for x in (draw[:, 1:13], draw[:, 13:25]):
            score = ridge(x, y, fold)
            values.append(within_folds(y, np.stack([-score, score], 1)[None], fold[None]))
        shared = Overlap.of_groups(group)
        wins += above(auroc(values[0], shared), 0.5) == "supported"
        leads += above(of_windows(values[0] - values[1], shared)) in ("supported", "opposed")
    allowed = 0.025 * studies + 3 * np.sqrt(0.025 * 0.975 * studies)
    assert wins <= allowed and leads <= 2 * allowed


@pytest.mark.parametrize("chained", [False, True], ids=["independent", "chains of four"])
def test_an_expectation_is_met_or_not_at_the_nominal_rate(chained):
    verdicts = []
    for seed in range(70):
        rng = np.random.default_rng(seed)
        group = np.arange(80) // 4 if chained else np.arange(80)
        level = rng.normal(size=(80, 2))
        level = 0.5 * level + rng.normal(size=(group.max() + 1, 2))[group] if chained else level
        label = np.where(level[:, 0] > 0, "retracement", "consolidation")
        x = level[:, 1][:, None, None] + np.zeros((80, 3, 1))
        report = with_expectations(
            feature_report(
                x, label, np.full(80, np.nan), ("expansion_proxy",), Overlap.of_groups(group), Permutations(1, seed)
            )
        )
        row = next(one for one in report.expectations if one.actual is not None)
        assert row.low < row.actual < row.high
        verdicts.append(row.met)
    for word in (True, False):
        assert verdicts.count(word) <= 70 * 0.025 + 3 * np.sqrt(70 * 0.025 * 0.975), word
