"""Every metric against an independent reference, and the contract that all members of the registry keep."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk
from torchmetrics.functional.classification import multiclass_calibration_error

from moola_core.errors import SpecError
from moola_core.metrics import METRICS, Metric, Predictions, measure, shown_in
from moola_core.metrics.classification import confusion, majority
from moola_core.metrics.pointers import overlap
from moola_core.metrics.ranking import area_under_roc, average_precision

LENGTH = 105
FORMULAS = [name for name, metric in METRICS.items() if metric.task != "fit"]


def make_predictions(seed: int, n: int = 60, classes: int = 3) -> Predictions:
    """Predictions with equal scores, and windows without a pointer."""
    rng = np.random.default_rng(seed)
    p = np.stack([rng.multinomial(33, row) for row in rng.dirichlet(np.ones(classes), n)]) / 33
    span, true = np.sort(rng.integers(0, LENGTH, (2, n, 2)), axis=2).astype(float)
    true[rng.random(n) < 0.2] = np.nan
    target = np.r_[np.arange(classes), rng.integers(0, classes, n - classes)]
    return Predictions(tuple("abcd"[:classes]), target, p, span, true, LENGTH)


def rows(p: Predictions, index: np.ndarray) -> Predictions:
    return Predictions(p.classes, p.target[index], p.probabilities[index], p.span[index], p.true_span[index], LENGTH)


def references(p: Predictions) -> dict[str, object]:
    """Every metric by scikit-learn, torchmetrics or plain counting."""
    target, prob, said, every = p.target, p.probabilities, p.probabilities.argmax(1), range(len(p.classes))
    precision, recall, f1, _ = sk.precision_recall_fscore_support(target, said, labels=list(every), zero_division=0)
    hits = [target == c for c in every]
    known = np.isfinite(p.true_span[:, 0])
    (a, b), (q, r) = p.true_span[known].T, p.span[known].T
    gaps = {
        "center": np.abs(q + r - a - b) / 2,
        "length": np.abs(r - q - b + a),
        "start": np.abs(q - a),
        "end": np.abs(r - b),
    }
    bars = [
        (set(range(int(x), int(y) + 1)), set(range(int(u), int(v) + 1))) for x, y, u, v in zip(a, b, q, r, strict=True)
    ]
    values: dict[str, object] = {
        "f1_macro": f1.mean(),
        "f1": f1,
        "recall": recall,
        "precision": precision,
        "recall_min": recall.min(),
        "accuracy": sk.accuracy_score(target, said),
        "majority_accuracy": np.bincount(target).max() / len(target),
        "ece": float(multiclass_calibration_error(torch.tensor(prob), torch.tensor(target), len(p.classes), n_bins=10)),
        "brier": sk.brier_score_loss(target, prob, labels=list(every)),
        "log_loss": -np.log(np.clip(prob[np.arange(len(target)), target], np.finfo(float).eps, 1)).mean(),
        "auroc": np.mean([sk.roc_auc_score(hit, prob[:, c]) for c, hit in enumerate(hits)]),
        "aucpr": np.mean([sk.average_precision_score(hit, prob[:, c]) for c, hit in enumerate(hits)]),
        "iou": np.mean([len(x & y) / len(x | y) for x, y in bars]),
        "joint_at_3": ((said == target)[known] & (gaps["center"] <= 3)).mean(),
    }
    values["center_median_bars"] = np.median(gaps["center"])
    for part, gap in gaps.items():
        values |= {f"{part}_mae_bars": gap.mean(), f"{part}_mae_frac": gap.mean() / LENGTH}
    for at in (3, 5):
        values[f"hit_at_{at}"] = (gaps["center"] <= at).mean()
        values[f"ends_hit_at_{at}"] = ((gaps["start"] <= at) & (gaps["end"] <= at)).mean()
    return values


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("seed", range(3))
def test_every_metric_equals_an_independent_reference(seed, classes):
    p = make_predictions(seed, classes=classes)
    expected = references(p)
    assert set(expected) == set(FORMULAS), "a metric has no reference here: add one"
    for name, value in measure(p).items():
        assert value == pytest.approx(expected[name], abs=2e-7), name


@pytest.mark.parametrize("name", FORMULAS)
def test_whole_weights_equal_repeated_rows_and_the_order_of_rows_does_not_matter(name):
    p = make_predictions(4)
    rng = np.random.default_rng(5)
    weight = rng.integers(0, 4, len(p.target))
    expected = measure(rows(p, rng.permutation(np.repeat(np.arange(len(weight)), weight))), names=[name])[name]
    assert measure(p, weight, [name])[name] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", FORMULAS)
def test_leading_dimensions_give_the_numbers_of_each_part_alone(name):
    parts = [make_predictions(seed) for seed in range(3)]
    stacked = Predictions(
        parts[0].classes,
        *(np.stack([getattr(p, field) for p in parts]) for field in ("target", "probabilities", "span", "true_span")),
        window_bars=LENGTH,
    )
    weight = np.random.default_rng(1).integers(0, 3, (3, 60)).astype(float)
    together = measure(stacked, weight, [name])[name]
    draws = measure(parts[0], weight, [name])[name]
    for r, part in enumerate(parts):
        assert together[r] == pytest.approx(measure(part, weight[r], [name])[name], abs=1e-12)
        assert draws[r] == pytest.approx(measure(parts[0], weight[r], [name])[name], abs=1e-12)


@pytest.mark.parametrize("name", FORMULAS)
def test_the_truth_scores_best_in_the_direction_that_a_metric_declares(name):
    p, metric = make_predictions(6), METRICS[name]
    span = np.where(np.isfinite(p.true_span), p.true_span, 0.0)
    perfect = Predictions(p.classes, p.target, np.eye(3)[p.target], span, p.true_span, LENGTH)
    best, usual = (measure(one, names=[name])[name] for one in (perfect, p))
    if metric.better == "neither":
        assert best == pytest.approx(usual)
    else:
        assert (best > usual).all() if metric.better == "higher" else (best < usual).all()


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_has_what_a_page_shows_of_it(name):
    metric = METRICS[name]
    assert metric.name == name and (metric.title[0].isupper() or metric.title[0] == "σ")
    assert metric.description.endswith(".") and metric.margin > 0
    assert metric.task == "fit" or (metric.score is None) != (metric.statistics is None)
    assert (metric.statistics is None) == (metric.value is None)
    assert metric.text(None) == metric.text(float("nan")) == "–" and metric.unit in metric.text(0.5)
    if metric.low is not None or metric.high is not None:
        assert metric.better == "neither" or (metric.low is not None) == (metric.better == "higher")


def test_a_metric_that_does_not_exist_is_answered_with_the_nearest():
    with pytest.raises(SpecError, match="Did you mean accuracy"):
        measure(make_predictions(0), names=["acuracy"])


def make_metric(**fields) -> Metric:
    """Matthews' correlation, with `fields` of another kind."""
    whole = {
        "name": "mcc",
        "title": "Matthews correlation",
        "better": "higher",
        "task": "class",
        "description": "Matthews (1975).",
        "shown": ("scores", "terminal", "arms"),
        "score": lambda p, weight: np.array(sk.matthews_corrcoef(p.target, p.predicted, sample_weight=weight)),
    }
    return Metric(**(whole | fields))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "mcc of a test"),
        ("title", ""),
        ("description", ""),
        ("better", "hihger"),
        ("task", "classes"),
        ("shown", ("score",)),
        ("margin", 0.0),
        ("unit", "bars"),
        ("by_class", True),
        ("score", None),
    ],
)
def test_a_metric_that_lacks_something_is_refused_by_its_name_and_field(field, value):
    blamed = {"by_class": "shown", "score": "formula"}.get(field, field)
    name = value if field == "name" else "mcc"
    with pytest.raises(SpecError, match=f"metric '{name}': its {blamed} ") as error:
        make_metric(**{field: value})
    assert error.value.hint


def test_every_place_shows_metrics_of_one_unit_in_their_order():
    for place, unit in (("scores", ""), ("hits", ""), ("errors", "bars")):
        shown = shown_in(place)
        assert shown and {metric.unit for metric in shown} == {unit}
        assert [metric.order for metric in shown] == sorted(metric.order for metric in shown)
    assert {metric.task for place in ("errors", "hits", "pointers") for metric in shown_in(place)} <= {
        "pointer",
        "both",
    }
    assert {metric.task for metric in shown_in("scores")} == {"class"}


def test_only_what_was_predicted_is_measured():
    p = make_predictions(2)
    classes = set(measure(Predictions(p.classes, p.target, p.probabilities)))
    spans = set(measure(Predictions(p.classes, p.target, span=p.span, true_span=p.true_span)))
    assert "f1_macro" in classes and "iou" not in classes and "joint_at_3" not in classes
    assert "iou" in spans and "f1_macro" not in spans and "joint_at_3" not in spans


def test_values_at_the_edges():
    """A class that is absent, windows without a pointer, probabilities on the edge of a bin, and of 0."""
    p = Predictions(("a", "b"), np.zeros(3, int), np.array([[0.9, 0.1], [0.6, 0.4], [0.5, 0.5]]))
    values = measure(p)
    assert np.isnan(values["auroc"]) and np.isnan(values["aucpr"])
    assert values["recall"].tolist() == [1.0, 0.0] and values["precision"].tolist() == [1.0, 0.0]
    assert values["ece"] == pytest.approx((0.1 + 0.4 + 0.5) / 3)  # 0.9, 0.6 and 0.5 each lie in the bin below
    sure = Predictions(("a", "b"), np.array([1]), np.array([[1.0, 0.0]]))
    assert measure(sure)["log_loss"] == pytest.approx(sk.log_loss([1], [[1.0, 0.0]], labels=[0, 1]))
    none = Predictions((), np.zeros(2, int), span=np.ones((2, 2)), true_span=np.full((2, 2), np.nan))
    assert all(np.isnan(value) for value in measure(none).values())


def test_the_majority_class_and_a_class_that_is_never_predicted_count():
    target = np.r_[np.zeros(93, int), np.ones(81, int)]
    found = majority(target, ("r", "c"))
    assert found["accuracy"] == pytest.approx(93 / 174) and found["f1_macro"] == pytest.approx(0.348, abs=1e-3)
    p = Predictions(("r", "c"), target, np.tile([0.9, 0.1], (174, 1)))
    assert confusion(p).tolist() == [[93, 0], [81, 0]]


def test_four_folds_of_one_constant_and_one_of_the_other_look_like_a_weak_model():
    """Recalls of 0.80 and 0.20: why fold shares are always shown."""
    rng = np.random.default_rng(0)
    target = np.r_[np.zeros(93, int), np.ones(81, int)]
    said = np.where(rng.permutation(np.arange(174) % 5) == 0, 1, 0)
    recall = measure(Predictions(("r", "c"), target, np.eye(2)[said]), names=["recall"])["recall"]
    assert recall == pytest.approx([0.8, 0.2], abs=0.08)


spans = st.tuples(st.integers(0, 50), st.integers(0, 50)).map(sorted)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(spans, spans), min_size=1, max_size=8))
def test_overlap_equals_counting_bars(pairs):
    true, said = (np.array([pair[side] for pair in pairs], float) for side in (0, 1))
    counted = [len(x & y) / len(x | y) for x, y in ([set(range(a, b + 1)) for a, b in pair] for pair in pairs)]
    assert np.allclose(overlap(said, true), counted)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.integers(0, 3)), min_size=2, max_size=20))
def test_weighted_rankings_equal_scikit_learn(values):
    score, hit, weight = (np.array(part) for part in zip(*values, strict=True))
    hit = hit.astype(bool)
    if weight[hit].sum() == 0 or weight[~hit].sum() == 0:
        assert np.isnan(area_under_roc(score, hit, weight)) and np.isnan(average_precision(score, hit, weight))
        return
    assert area_under_roc(score, hit, weight) == pytest.approx(sk.roc_auc_score(hit, score, sample_weight=weight))
    assert average_precision(score, hit, weight) == pytest.approx(
        sk.average_precision_score(hit, score, sample_weight=weight)
    )
