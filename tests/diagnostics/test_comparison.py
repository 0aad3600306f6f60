"""Verdicts against scipy and slow references; how often they err is counted by benchmarks/verdicts.py."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t

from moola_core.diagnostics.comparison import (
    ArmPredictions,
    _holm,
    arm_predictions,
    compare,
    influences,
    label_curve,
    sentence,
)
from moola_core.diagnostics.intervals import Estimate
from moola_core.diagnostics.results import ArmFacts
from moola_core.metrics import METRICS, Predictions, influence, measure
from moola_core.metrics.influence import _reweighted
from moola_core.overlap import Overlap

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
    return ArmPredictions(Predictions(CLASSES, every, p, true + error[..., None], true, fold=fold), Overlap.none(n))


def table(arm: ArmPredictions) -> pd.DataFrame:
    own, rows = arm.predictions, []
    for s in range(arm.repeats):
        for i, true in enumerate(arm.target):
            p = own.probabilities[s, i]
            known = (s, int(own.fold[s, i]), f"w{i}", CLASSES[true], CLASSES[p.argmax()])
            rows.append((*known, *p, *own.true_span[s, i], *own.span[s, i]))
    names = ["repeat", "fold", "window_id", "label", "predicted", "p_a", "p_b"]
    return pd.DataFrame(rows, columns=[*names, "start_true", "end_true", "start_pred", "end_pred"])


def test_what_windows_add_has_the_metric_as_its_mean_and_its_slope_as_its_spread():
    """Against each metric measured anew with a little more weight on one window."""
    one = arm(0.4, 1)
    values = influences(one)
    assert {name.partition(" ")[0] for name in values} == {name for name, metric in METRICS.items() if metric.compared}
    assert {verdict.metric for verdict in compare({"base": one, "other": arm(0.4, 2)}, "base")} == set(values)
    own, step = one.predictions.repeat(2), 1e-6
    for name, value in values.items():
        metric, _, label = name.partition(" ")
        weight = 1 + step * (120 * np.eye(120) - 1)
        tilted, plain = (measure(own, w, [metric])[metric] for w in (weight, np.ones((1, 120))))
        if label:
            tilted, plain = tilted[:, CLASSES.index(label)], plain[:, CLASSES.index(label)]
        if metric != "center_median_bars":  # the mean of its influence is the median but for ties
            assert value[2].mean() == pytest.approx(plain[0], abs=1e-6)
        if METRICS[metric].statistics is not None and metric != "ece":  # the others have kinks or count pairs
            np.testing.assert_allclose(value[2], plain[0] + (tilted - plain) / step, atol=1e-3, err_msg=name)


def test_a_score_that_gives_no_influence_is_measured_with_more_weight_on_each_window():
    own = arm(0.4, 1).predictions.repeat(0)
    own = replace(own, fold=None)
    plain = replace(METRICS["auroc"], influence=None)
    np.testing.assert_allclose(_reweighted(plain, own), influence(own, "auroc"), atol=1e-3)


def test_a_better_arm_helps_a_worse_one_hurts_and_the_same_is_equivalent():
    arms = {"base": arm(0.2, 1), "better": arm(1.2, 2), "worse": arm(-0.8, 3), "same": arm(0.2, 1)}
    found = {(v.arm, v.metric): v for v in compare(arms, "base")}
    for metric in ("f1_macro", "auroc"):
        assert found["better", metric].verdict == "helps" and found["better", metric].p_helps > 0.98
        assert found["worse", metric].verdict == "hurts" and found["worse", metric].p_hurts > 0.98
        same = found["same", metric]
        assert same.verdict == "equivalent" and same.delta == same.low == same.high == 0 and same.p_within == 1
    assert [v.metric for v in found.values() if v.decides] == ["auroc"] * 3
    ranked = sorted((v for v in found.values() if v.metric == "f1_macro"), key=lambda v: v.p)
    assert [round(v.level, 4) for v in ranked] == [round(1 - 0.05 / left, 4) for left in (3, 2, 1)]
    assert all(a.p_holm <= b.p_holm for a, b in pairwise(ranked))
    assert all(v.p_helps + v.p_within + v.p_hurts == pytest.approx(1) for v in found.values())


def test_pointers_alone_are_decided_by_the_share_within_three_bars():
    bare = [
        replace(one, predictions=replace(one.predictions, probabilities=None)) for one in (arm(0.4, 1), arm(0.4, 2))
    ]
    assert {v.metric for v in compare(dict(zip("ab", bare, strict=True)), "a") if v.decides} == {"hit_at_3"}


def test_where_an_arm_has_no_auroc_macro_f1_decides():
    one, other = arm(0.4, 1), arm(0.8, 2)
    answered = other.predictions.probabilities.argmax(2)
    alone = replace(other, predictions=replace(other.predictions, probabilities=None, answered=answered))
    apart = replace(other, predictions=replace(other.predictions, fold=np.tile(np.arange(120), (4, 1))))
    for second in (alone, apart):
        verdicts = compare({"a": one, "b": second}, "a")
        assert {v.metric for v in verdicts if v.decides} == {"f1_macro"} and "auroc" not in {v.metric for v in verdicts}


def test_pretrainings_of_either_arm_count():
    a, b = arm(0.6, 4), arm(0.2, 5)
    seeds = np.array([0, 0, 1, 1])
    shares = [
        {
            v.metric: v.pretraining_share
            for v in compare({"b": replace(b, pretraining=of_b), "a": replace(a, pretraining=of_a)}, "b")
        }
        for of_a, of_b in ((seeds, None), (None, seeds), (None, None))
    ]
    assert shares[0] == shares[1] and max(shares[0].values()) > 0 == max(shares[2].values())


def test_lower_is_better_for_errors():
    base, near = arm(0.4, 1), arm(0.4, 2)
    own = base.predictions
    closer = own.true_span + 0.3 * (own.span - own.true_span)
    near = replace(near, predictions=replace(near.predictions, span=closer))
    found = {v.metric: v for v in compare({"base": base, "near": near}, "base")}
    assert found["center_mae_bars"].verdict == "helps" and found["center_mae_bars"].delta < 0
    assert found["center_mae_bars"].better == "lower" and found["center_mae_bars"].p_helps > 0.5


def test_the_interval_is_students_t_about_the_windows_and_the_repeats():
    """Written out for accuracy-like values of windows that share nothing: docs/methods.md."""
    a, b = arm(0.6, 4), arm(0.2, 5)
    found = next(v for v in compare({"b": b, "a": a}, "b") if v.metric == "brier")
    d = np.stack([((one.predictions.probabilities[:, :, 1] - one.target) ** 2) for one in (a, b)])
    d = d[0] - d[1]
    windows = (1.9 + 4 / 120) * d.mean(0).var(ddof=1) / 120
    error = np.sqrt(windows + d.mean(1).var(ddof=1) / 4)
    assert found.delta == pytest.approx(d.mean())
    assert found.high - found.delta == pytest.approx(t.ppf(0.975, 119) * error)
    assert found.p == pytest.approx(2 * t.sf(abs(d.mean()) / error, 119))
    assert found.p_helps == pytest.approx(t.cdf((-0.02 - d.mean()) / error, 119))


def test_windows_that_share_bars_count_less():
    a, b = arm(0.6, 4), arm(0.2, 5)
    chain = Overlap(np.zeros(120, int), 20 * np.arange(120), 105)
    apart, shared = (
        next(v for v in compare({"b": replace(b, shared=one), "a": replace(a, shared=one)}, "b") if v.decides)
        for one in (a.shared, chain)
    )
    assert shared.delta == apart.delta and shared.p > apart.p


@pytest.mark.parametrize("repeats", [1, 2])
def test_one_repeat_and_constant_or_perfect_answers_give_a_number(repeats):
    one = arm(0.5, 1, 40, repeats)
    flat = replace(one.predictions, probabilities=np.full((repeats, 40, 2), 0.5))
    sure = replace(one.predictions, probabilities=np.eye(2)[one.predictions.target])
    arms = {"flat": replace(one, predictions=flat), "sure": replace(one, predictions=sure), "one": one}
    for v in compare(arms, "flat"):
        assert np.isfinite([v.delta, v.low, v.high, v.p, v.resolvable, v.p_helps, v.p_within, v.p_hurts]).all()
    decided = {v.arm: v for v in compare(arms, "flat") if v.decides}
    assert decided["sure"].verdict == "helps" and decided["sure"].delta == pytest.approx(0.5)
    assert decided["sure"].low < decided["sure"].delta, "forty windows do not show it for certain"


def test_undecided_says_what_would_settle_it():
    found = {v.metric: v for v in compare({"base": arm(0.3, 1, 60, 3), "other": arm(0.45, 2, 60, 3)}, "base")}
    one = found["f1_macro"]
    assert one.verdict == "undecided" and one.resolvable > abs(one.delta)
    assert one.labels_needed is None or one.labels_needed > 60
    assert one.equivalence == pytest.approx(one.high - one.delta)


def test_a_difference_that_only_holm_leaves_open_says_so():
    found = replace(
        compare({"base": arm(0.3, 1, 60, 3), "other": arm(0.45, 2, 60, 3)}, "base")[0],
        p=0.03,
        verdict="undecided",
        decides=True,
    )
    facts = ArmFacts("other", "", "network", {}, (), None, None, None, None, None, "done")
    told = sentence([replace(found, arm="other", metric="auroc")], [facts], "base")
    assert "Alone its 95% interval would exclude 0" in told and "Holm" in told


def test_predictions_are_read_predictions_in_the_order_asked():
    one = arm(0.5, 7, 20, 2)
    names = [f"w{i}" for i in reversed(range(20))]
    shared = Overlap.of_groups(np.arange(20) // 2, [f"w{i}" for i in range(20)])
    read = arm_predictions(table(one).sample(frac=1, random_state=0), shared, names)
    assert np.allclose(read.predictions.probabilities, one.predictions.probabilities[:, ::-1])
    assert np.allclose(read.predictions.gaps["center"], one.predictions.gaps["center"][:, ::-1])
    assert (read.target == one.target[::-1]).all() and (read.predictions.fold == one.predictions.fold[:, ::-1]).all()
    assert read.shared.independent == 10


def test_more_labels_are_extrapolated_along_the_square_root():
    truth = {count: 0.8 - 2 / np.sqrt(count) for count in (35, 70, 105, 139)}
    found = label_curve({count: [value - 0.01, value + 0.01] for count, value in truth.items()})
    assert found.labels == (35, 70, 105, 139) and found.ahead[-1][0] == 556
    assert found.ahead[-1][1] == pytest.approx(0.8 - 2 / np.sqrt(556), abs=1e-6)
    assert found.ahead[-1][2] <= found.ahead[-1][1] <= found.ahead[-1][3]


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ("helps", "helps", "better than its placebo, which was pre-trained on the same bars in random order: AUROC"),
        ("helps", "equivalent", "as good as its placebo"),
        ("helps", "hurts", "no more than a better start"),
        ("helps", "undecided", "That its pre-training is more than a better start is not shown."),
        ("undecided", "equivalent", "The order of the bars adds nothing."),
        ("undecided", "undecided", "That the order of the bars adds anything is not shown."),
    ],
)
def test_an_arm_that_is_no_better_than_its_placebo_has_no_more_than_a_better_start(first, second, words):
    facts = [
        ArmFacts(name, "", "network", {}, (), None, None, None, None, None, "done")
        for name in ("base", "full", "placebo")
    ]
    one = compare({"base": arm(0.4, 1), "full": arm(0.6, 2)}, "base")
    row = next(v for v in one if v.metric == "auroc")
    verdicts = [
        replace(row, verdict=first, decides=True),
        replace(row, arm="placebo", verdict="helps", decides=True),
        replace(row, against="placebo", verdict=second, decides=True),
    ]
    told = sentence(verdicts, facts, "base", {"full": "placebo"}).splitlines()
    assert len(told) == 2 and told[0].startswith(f"full {'helps' if first == 'helps' else 'is undecided'}")
    assert told[1].startswith("full is ") and words in told[1]
    assert ("better start" in told[1]) == (first == "helps" and second != "helps")


@pytest.mark.parametrize("true", [(0.0, 0.0, 0.0), (0.0, 0.25, 0.25), (0.3, 0.3, -0.3), (0.2, 0.0, 0.6)])
@pytest.mark.parametrize("n", [120, pytest.param(1000, marks=pytest.mark.soak)])
def test_the_intervals_of_several_arms_hold_at_once_and_holm_errs_as_seldom(true, n):
    """Differences of three arms from one control, which correlates them, in n studies."""
    rng = np.random.default_rng(0)
    drawn = np.array(true) + 0.1 * (rng.normal(size=(3, n)) + rng.normal(size=n)).T / np.sqrt(2)
    control, held, wrong = arm(0.3, 1, 174, 5), 0, 0
    for values in drawn:
        own = {str(i): Estimate(float(value), 1e6, 0.01) for i, value in enumerate(values)}
        judged = {row.arm: row for row in _holm(own, "control", "auroc", control, 0.02, True)}
        rows = [judged[str(i)] for i in range(3)]
        held += all(row.together_low <= delta <= row.together_high for row, delta in zip(rows, true, strict=True))
        wrong += any(row.verdict in ("helps", "hurts") for row, delta in zip(rows, true, strict=True) if delta == 0)
        assert all(row.together_low <= row.low and row.high <= row.together_high for row in rows)
    noise = 1.74 * np.sqrt(0.05 * 0.95 / n)
    assert held / n >= 0.95 - noise and wrong / n <= 0.05 + noise
