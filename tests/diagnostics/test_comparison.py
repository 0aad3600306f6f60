from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from sklearn.metrics import f1_score

from moola_core.diagnostics.comparison import (
    ArmPredictions,
    Draws,
    arm_predictions,
    compare,
    corrected_t_test,
    draw_differences,
    judge,
    label_curve,
    measure_arm,
    sentence,
)
from moola_core.diagnostics.results import ArmFacts
from moola_core.metrics import METRICS, Predictions, measure

CLASSES = ("a", "b")


def arm(skill: float, seed: int, n: int = 120, repeats: int = 4, shared: np.ndarray | None = None) -> ArmPredictions:
    """Predictions that are right with a probability that grows with `skill`; `shared` [n] is what the arms have in common."""
    rng = np.random.default_rng(seed)
    target = np.arange(n) % 2
    common = np.random.default_rng(99).normal(size=n) if shared is None else shared
    latent = skill + 0.7 * common + 0.7 * rng.normal(size=(repeats, n))
    own = 1 / (1 + np.exp(-latent))
    p = np.where((target == 1)[None, :, None], np.stack([1 - own, own], 2), np.stack([own, 1 - own], 2))
    fold = np.stack([np.random.default_rng(s).permutation(n) % 5 for s in range(repeats)])
    error = np.abs(rng.normal(size=(repeats, n))) * 5
    true = np.broadcast_to([40.0, 60.0], (repeats, n, 2))
    every = np.broadcast_to(target, (repeats, n))
    return ArmPredictions(Predictions(CLASSES, every, p, true + error[..., None], true), np.arange(n), fold)


def table(arm: ArmPredictions) -> pd.DataFrame:
    own, rows = arm.predictions, []
    for s in range(arm.fold.shape[0]):
        for i, true in enumerate(arm.target):
            p = own.probabilities[s, i]
            known = (s, int(arm.fold[s, i]), f"w{i}", CLASSES[true], CLASSES[p.argmax()])
            rows.append((*known, *p, *own.true_span[s, i], *own.span[s, i]))
    names = ["repeat", "fold", "window_id", "label", "predicted", "p_a", "p_b"]
    return pd.DataFrame(rows, columns=[*names, "start_true", "end_true", "start_pred", "end_pred"])


def test_weights_of_one_give_the_metrics_of_each_repeat_and_every_compared_metric_is_judged():
    one = arm(0.4, 1)
    values = measure_arm(one, np.ones((1, 120)))
    assert {name.partition(" ")[0] for name in values} == {name for name, metric in METRICS.items() if metric.compared}
    assert {verdict.metric for verdict in compare({"base": one, "other": arm(0.4, 2)}, "base", draws=50)} == set(values)
    for s in range(4):
        expected = measure(one.predictions.repeat(s))
        for name, value in values.items():
            metric, _, label = name.partition(" ")
            assert value[0, s] == pytest.approx(expected[metric][CLASSES.index(label)] if label else expected[metric])


def test_whole_weights_are_repeated_windows():
    one = arm(0.4, 2)
    weight = np.random.default_rng(0).integers(0, 4, 120)
    again = np.repeat(np.arange(120), weight)
    found = measure_arm(one, weight[None].astype(float))
    said = one.predictions.probabilities[1].argmax(1)
    assert found["f1_macro"][0, 1] == pytest.approx(f1_score(one.target[again], said[again], average="macro"))


def test_a_better_arm_helps_a_worse_one_hurts_and_the_same_is_equivalent_or_undecided():
    arms = {"base": arm(0.2, 1), "better": arm(1.2, 2), "worse": arm(-0.8, 3), "same": arm(0.2, 1)}
    found = {(v.arm, v.metric): v for v in compare(arms, "base", draws=1000)}
    assert found["better", "f1_macro"].verdict == "helps" and found["better", "f1_macro"].p_helps > 0.99
    assert found["worse", "f1_macro"].verdict == "hurts" and found["worse", "recall a"].p_hurts > 0.9
    same = found["same", "f1_macro"]
    assert same.verdict == "equivalent" and same.delta == same.low == same.high == 0
    ranked = sorted((v for v in found.values() if v.metric == "f1_macro"), key=lambda v: v.p)
    assert [round(v.level, 4) for v in ranked] == [round(1 - 0.05 / left, 4) for left in (3, 2, 1)]
    assert all(a.p_holm <= b.p_holm for a, b in pairwise(ranked))


def test_lower_is_better_for_errors():
    base, near = arm(0.4, 1), arm(0.4, 2)
    own = base.predictions
    closer = own.true_span + 0.3 * (own.span - own.true_span)
    near = replace(near, predictions=replace(near.predictions, span=closer))
    found = {v.metric: v for v in compare({"base": base, "near": near}, "base", draws=1000)}
    assert found["center_mae_bars"].verdict == "helps" and found["center_mae_bars"].delta < 0
    assert found["center_mae_bars"].better == "lower" and found["center_mae_bars"].p_helps > 0.99


def test_draws_are_those_of_a_slow_bootstrap():
    a, b = arm(0.6, 4), arm(0.2, 5)
    a.group[:] = b.group[:] = np.arange(120) // 3
    fast = draw_differences(a, b, 3, 3000)["f1_macro"]
    rng, slow = np.random.default_rng(8), []

    def f1_macro(true: np.ndarray, said: np.ndarray) -> float:  # of scikit-learn it would take most of the time
        return np.mean(
            [2 * ((true == c) & (said == c)).sum() / ((true == c).sum() + (said == c).sum()) for c in (0, 1)]
        )

    said = a.predictions.probabilities[0].argmax(1)
    assert f1_macro(a.target, said) == pytest.approx(f1_score(a.target, said, average="macro"))
    for _ in range(400):
        rows = np.concatenate([np.flatnonzero(a.group == g) for g in rng.integers(0, 40, 40)])
        repeats = rng.integers(0, 4, 4)
        gaps = [
            f1_macro(a.target[rows], a.predictions.probabilities[s][rows].argmax(1))
            - f1_macro(b.target[rows], b.predictions.probabilities[s][rows].argmax(1))
            for s in repeats
        ]
        slow.append(np.mean(gaps))
    assert fast.both.std() == pytest.approx(np.std(slow), rel=0.12)
    assert fast.both.mean() == pytest.approx(np.mean(slow), abs=0.02)


def test_the_strict_reading_is_nadeau_and_bengio_s():
    folds = np.random.default_rng(1).normal(0.05, 0.1, 20)
    p, low, high = corrected_t_test(folds, 4)
    value = folds.mean() / np.sqrt(folds.var(ddof=1) * (1 / 20 + 1 / 4))
    assert (low + high) / 2 == pytest.approx(folds.mean()) and 0 < p < 1
    assert (p < 0.05) == (low > 0 or high < 0) and value == pytest.approx(
        folds.mean() / ((high - low) / 2 / 2.0930), rel=1e-3
    )
    assert corrected_t_test(np.zeros(20), 4) == (None, None, None)


def test_undecided_says_what_would_settle_it():
    found = {
        v.metric: v for v in compare({"base": arm(0.3, 1, 60, 3), "other": arm(0.45, 2, 60, 3)}, "base", draws=1000)
    }
    one = found["f1_macro"]
    assert one.verdict == "undecided" and one.resolvable > abs(one.delta)
    assert one.labels_needed is None or one.labels_needed > 60


def test_as_many_labels_or_repeats_as_are_needed_bring_the_interval_to_zero():
    """Variance of windows a, of repeats b and of both c: with n' windows (a + c) n / n' + b is left, and alike for repeats."""
    rng = np.random.default_rng(0)
    windows, repeats, both = (
        rng.normal(0.05, sd, 200_000) for sd in (0.03, 0.012, np.sqrt(0.03**2 + 0.012**2 + 0.02**2))
    )
    found = judge(Draws(0.05, both, windows, repeats, np.zeros(15)), "f1_macro", arm(0.5, 1, 60, 3), 0.95, 0.02)
    wanted = (0.05 / norm.ppf(0.975)) ** 2
    assert found.verdict == "undecided"
    left = (0.03**2 + 0.02**2) * 60 / found.labels_needed + 0.012**2
    assert left == pytest.approx(wanted, rel=0.03) and found.labels_needed > 60
    assert found.repeats_needed is None  # windows alone leave more than that
    few = judge(
        Draws(0.05, both, windows / 2 + 0.025, repeats * 2 - 0.05, np.zeros(15)),
        "f1_macro",
        arm(0.5, 1, 60, 3),
        0.95,
        0.02,
    )
    left = 0.015**2 + (both.var() - 0.015**2) * 3 / few.repeats_needed
    assert left <= wanted and few.repeats_needed > 3


def test_a_difference_that_only_holm_leaves_open_says_so():
    found = replace(
        compare({"base": arm(0.3, 1, 60, 3), "other": arm(0.45, 2, 60, 3)}, "base", draws=1000)[0],
        low=0.01,
        high=0.2,
        verdict="undecided",
    )
    facts = ArmFacts("other", "", "network", {}, (), None, None, None, None, None, "done")
    told = sentence([replace(found, arm="other", metric="f1_macro")], [facts], "base", (), "")
    assert "excludes 0 on its own" in told and "Holm" in told


def test_predictions_are_read_predictions_in_the_order_asked():
    one = arm(0.5, 7, 20, 2)
    names = [f"w{i}" for i in reversed(range(20))]
    read = arm_predictions(table(one).sample(frac=1, random_state=0), {f"w{i}": i // 2 for i in range(20)}, names)
    assert np.allclose(read.predictions.probabilities, one.predictions.probabilities[:, ::-1])
    assert np.allclose(read.predictions.gaps["center"], one.predictions.gaps["center"][:, ::-1])
    assert (read.target == one.target[::-1]).all() and (read.fold == one.fold[:, ::-1]).all()
    assert len(np.unique(read.group)) == 10


def test_more_labels_are_extrapolated_along_the_square_root():
    truth = {count: 0.8 - 2 / np.sqrt(count) for count in (35, 70, 105, 139)}
    found = label_curve({count: [value - 0.01, value + 0.01] for count, value in truth.items()})
    assert found.labels == (35, 70, 105, 139) and found.ahead[-1][0] == 556
    assert found.ahead[-1][1] == pytest.approx(0.8 - 2 / np.sqrt(556), abs=1e-6)
    assert found.ahead[-1][2] <= found.ahead[-1][1] <= found.ahead[-1][3]
