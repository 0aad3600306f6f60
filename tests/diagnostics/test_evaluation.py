import numpy as np
import pandas as pd
import pytest

from moola_core.diagnostics.evaluation import evaluate


def table(repeats=2, n=40, classes=("a", "b"), seed=0, pointers=True):
    rng = np.random.default_rng(seed)
    rows = []
    label = np.array(classes)[np.arange(n) % len(classes)]
    for repeat in range(repeats):
        p = rng.dirichlet(np.ones(len(classes)), n)
        part = pd.DataFrame(
            {"repeat": repeat, "fold": np.arange(n) % 4, "window_id": [f"w{i}" for i in range(n)], "label": label}
        )
        part["predicted"] = np.array(classes)[p.argmax(1)]
        for i, name in enumerate(classes):
            part[f"p_{name}"] = p[:, i]
        part["start_true"] = np.arange(n) % 30 + 10.0
        part["end_true"] = part["start_true"] + 8
        part["start_pred"] = part["start_true"] + rng.normal(0, 3, n) if pointers else np.nan
        part["end_pred"] = part["end_true"] + rng.normal(0, 3, n) if pointers else np.nan
        rows.append(part)
    return pd.concat(rows, ignore_index=True)


def test_metrics_are_pooled_in_a_repeat_and_spread_over_repeats():
    found = evaluate(table(), 105)
    values = [row["f1_macro"] for row in found.by_repeat]
    assert found.metrics["f1_macro"].mean == pytest.approx(np.mean(values))
    assert found.metrics["f1_macro"].std == pytest.approx(np.std(values, ddof=1))
    assert found.windows == 40 and found.metrics["center_mae_frac"].mean == pytest.approx(
        found.metrics["center_mae_bars"].mean / 105
    )
    assert evaluate(table(repeats=1), 105).metrics["ece"].std == 0


def test_confusions_sum_to_the_windows_and_fold_shares_name_constant_folds():
    frame = table(repeats=1)
    frame.loc[frame["fold"] == 2, "predicted"] = "a"
    found = evaluate(frame, 105)
    assert [c.repeat for c in found.confusions] == [None, 0]
    assert found.confusions[1].counts.sum() == 40
    shares = {share.fold: share for share in found.fold_shares}
    assert shares[2].constant and shares[2].shares == (1.0, 0.0) and shares[2].windows == 10
    assert sum(share.constant for share in found.fold_shares) == 1


def test_the_constant_pointer_is_the_other_folds_median():
    frame = table(repeats=1)
    expected = []
    for fold in range(4):
        others, own = frame[frame["fold"] != fold], frame[frame["fold"] == fold]
        center = (others["start_true"].median() + others["end_true"].median()) / 2
        expected += list(abs((own["start_true"] + own["end_true"]) / 2 - center))
    assert evaluate(frame, 105).pointer_baseline.center_mae_bars == pytest.approx(np.mean(expected))


def test_three_classes_no_pointers_and_no_classes():
    three = evaluate(table(classes=("a", "b", "c"), pointers=False), 105)
    assert set(three.metrics["recall"]) == {"a", "b", "c"} and "center_mae_bars" not in three.metrics
    frame = table()
    frame["predicted"] = None
    only = evaluate(frame.drop(columns=["p_a", "p_b"]), 105)
    assert only.confusions == () and only.metrics["hit_at_3"].mean > 0 and only.classes == ("a", "b")


def test_the_sigma_ratio_is_passed_through_by_repeat():
    found = evaluate(table(), 105, {0: 0.9, 1: 1.1})
    assert found.metrics["sigma_ratio"].mean == pytest.approx(1.0)


def test_few_windows_of_one_class_are_no_constant_fold_and_a_constant_repeat_is():
    frame = table(repeats=2, n=40)
    alone = frame.assign(fold=np.tile(np.arange(40), 2))
    found = evaluate(alone, 105)
    assert len(found.fold_shares) == 80 and not any(share.constant for share in found.fold_shares)
    assert found.auroc_within_folds is None and found.sampled["f1_macro"].interval.low < 0.5
    one = alone.assign(predicted=np.where(alone["repeat"] == 0, "a", alone["predicted"]))
    constant = [share.repeat for share in evaluate(one, 105).fold_shares if share.constant]
    assert constant == [0] * 40, "the other repeat predicts both"
    for size, said in ((4, False), (5, False), (6, True)):  # 0.5^5 + 0.5^5 is 6%
        some = frame[frame["repeat"] == 0].assign(fold=np.where(np.arange(40) < size, 0, 1 + np.arange(40) % 2))
        some.loc[some["fold"] == 0, "predicted"] = "b"
        assert next(share for share in evaluate(some, 105).fold_shares if share.fold == 0).constant == said
