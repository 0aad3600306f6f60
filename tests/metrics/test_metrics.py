import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk
from torchmetrics.functional.classification import multiclass_calibration_error

from moola_core.metrics import classification, pointers, probability

CLASSES = ("a", "b", "c")


def predictions(seed, n=120, classes=3):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(classes), n)
    target = np.array([rng.choice(classes, p=row) for row in p])
    return p, target


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("classes", [2, 3])
def test_ece_equals_torchmetrics(seed, classes):
    p, target = predictions(seed, classes=classes)
    theirs = multiclass_calibration_error(torch.tensor(p), torch.tensor(target), classes, n_bins=10)
    assert probability.ece(p, target) == pytest.approx(float(theirs), abs=1e-6)


def test_log_loss_and_brier_equal_scikit_learn():
    p, target = predictions(3)
    assert probability.log_loss(p, target) == pytest.approx(sk.log_loss(target, p))
    p2, target2 = predictions(4, classes=2)
    assert probability.brier(p2, target2) == pytest.approx(2 * sk.brier_score_loss(target2, p2[:, 1]))


def test_class_metrics_equal_scikit_learn_and_count_a_class_that_is_never_predicted():
    p, target = predictions(1)
    true = np.array(CLASSES)[target]
    answer = np.array(CLASSES)[p.argmax(1)]
    assert classification.f1_macro(true, answer, CLASSES) == pytest.approx(sk.f1_score(true, answer, average="macro"))
    for said in (answer, np.full(len(true), "b"), np.where(answer == "a", "c", answer)):
        theirs = sk.precision_recall_fscore_support(true, said, labels=list(CLASSES), zero_division=0)
        for name, values in zip(("precision", "recall", "f1"), theirs[:3], strict=True):
            assert list(classification.by_class(true, said, CLASSES)[name].values()) == pytest.approx(values)
    assert classification.auroc(true, p, CLASSES) == pytest.approx(sk.roc_auc_score(target, p, multi_class="ovr"))
    never = np.full(len(true), "a")
    tables = classification.by_class(true, never, CLASSES)
    assert tables["recall"] == {"a": 1.0, "b": 0.0, "c": 0.0}
    assert classification.f1_macro(true, never, CLASSES) < 0.3
    assert classification.auroc(never, p, CLASSES) is None


def test_four_folds_of_one_constant_and_one_of_the_other_look_like_a_weak_model():
    """recalls 0.80 and 0.20, F1 0.557 and 0.127 in shape: why fold shares are always shown."""
    rng = np.random.default_rng(0)
    true = np.array(["r"] * 93 + ["c"] * 81)
    fold = rng.permutation(np.arange(174) % 5)
    answer = np.where(fold == 0, "c", "r")
    recall = classification.by_class(true, answer, ("c", "r"))["recall"]
    assert recall["r"] == pytest.approx(0.8, abs=0.08) and recall["c"] == pytest.approx(0.2, abs=0.08)


spans = st.tuples(st.integers(0, 50), st.integers(0, 50)).map(sorted)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(spans, spans), min_size=1, max_size=8))
def test_overlap_equals_counting_bars(pairs):
    true, said = (np.array([pair[side] for pair in pairs], float) for side in (0, 1))
    counted = []
    for (a, b), (p, q) in pairs:
        x, y = set(range(a, b + 1)), set(range(p, q + 1))
        counted.append(len(x & y) / len(x | y))
    assert np.allclose(pointers.iou(true[:, 0], true[:, 1], said[:, 0], said[:, 1]), counted)


def test_pointer_summary_by_hand():
    values = pointers.summary(
        np.array([10.0, 20, np.nan]),
        np.array([14.0, 30, np.nan]),
        np.array([12.0, 20, 5]),
        np.array([18.0, 24, 6]),
        100,
    )
    assert values["center_mae_bars"] == 3 and values["center_mae_frac"] == pytest.approx(0.03)
    assert values["start_mae_bars"] == 1 and values["end_mae_bars"] == 5 and values["length_mae_bars"] == 4
    assert values["hit_at_3"] == 1 and values["ends_hit_at_3"] == 0 and values["ends_hit_at_5"] == 0.5
    assert pointers.summary(*[np.full(2, np.nan)] * 2, np.zeros(2), np.zeros(2), 100) == {}
    assert pointers.joint(np.array([True, False]), np.array([1.0, 1.0])) == 0.5
