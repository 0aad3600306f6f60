from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.stats import multivariate_normal
from sklearn.metrics import roc_auc_score

from moola_core.diagnostics.transfer import aggregate, debiased_cka, linear_probe, logme
from moola_core.models.encoders import make_encoder, represent
from moola_core.specs import Model


def folds(n: int, repeats: int, parts: int = 5):
    made = []
    for repeat in range(repeats):
        order = np.random.default_rng(repeat).permutation(n)
        for part in np.array_split(order, parts):
            made.append((repeat, np.setdiff1d(order, part), np.sort(part)))
    return made


def test_a_probe_finds_what_is_there_and_not_what_is_not():
    rng = np.random.default_rng(0)
    label = np.where(np.arange(200) % 2, "a", "b")
    noise = rng.normal(size=(200, 6))
    told = noise.copy()
    told[:, 0] += 1.5 * (label == "a")
    found = {
        score.representation: score
        for score in linear_probe({"told": told, "noise": noise}, label, folds(200, 3)).scores
    }
    assert found["told"].mean > 0.8 and 0.38 < found["noise"].mean < 0.62
    assert len(found["told"].by_repeat) == 3 and found["told"].std == pytest.approx(
        np.std(found["told"].by_repeat, ddof=1)
    )
    assert found["told"].mean <= roc_auc_score(label == "a", told[:, 0]) + 0.03


def test_more_classes_and_windows_that_no_fold_tests():
    rng = np.random.default_rng(1)
    label = np.array(["a", "b", "c"])[np.arange(90) % 3]
    x = rng.normal(size=(90, 3)) + 2 * np.eye(3)[np.arange(90) % 3]
    some = [(repeat, train, test[: len(test) // 2]) for repeat, train, test in folds(90, 1)]
    probe = linear_probe({"x": x}, label, some)
    assert probe.windows == 90 and probe.scores[0].mean > 0.85 and probe.scores[0].std == 0


def test_aggregates_are_means_and_deviations():
    x = np.random.default_rng(2).normal(size=(4, 7, 3))
    assert np.allclose(aggregate(x), np.c_[x.mean(1), x.std(1)])


def test_a_representation_may_differ_from_fold_to_fold():
    rng = np.random.default_rng(3)
    label = np.array(["a", "b"])[np.arange(60) % 2]
    x, splits = rng.normal(size=(60, 4)) + (label == "a")[:, None], folds(60, 2)
    turned = [x @ np.linalg.qr(rng.normal(size=(4, 4)))[0] for _ in splits]
    same = linear_probe({"x": x, "each": [x] * len(splits), "turned": turned}, label, splits).scores
    assert same[0].by_repeat == same[1].by_repeat and same[2].mean == pytest.approx(same[0].mean, abs=0.1)


def test_logme_is_the_largest_evidence_that_a_search_finds():
    rng = np.random.default_rng(4)
    x = rng.normal(size=(30, 5))
    label = np.where(x[:, 0] + 0.5 * rng.normal(size=30) > 0, "a", "b")
    f = (x - x.mean(0)) / x.std(0)

    def best(y: np.ndarray) -> float:
        def loss(log: np.ndarray) -> float:
            covariance = np.eye(30) / np.exp(log[1]) + f @ f.T / np.exp(log[0])
            return -multivariate_normal(np.zeros(30), covariance).logpdf(y) / 30

        return -minimize(loss, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-12}).fun

    wanted = np.mean([best((label == name).astype(float)) for name in ("a", "b")])
    assert logme(x, label) == pytest.approx(wanted, abs=1e-6)
    assert logme(x, label) > logme(rng.normal(size=(30, 5)), label)


def test_logme_takes_more_columns_than_windows():
    rng = np.random.default_rng(5)
    assert np.isfinite(logme(rng.normal(size=(20, 64)), np.array(["a", "b"])[np.arange(20) % 2]))


def test_debiased_cka_is_the_slow_average_over_all_fours_of_rows():
    rng = np.random.default_rng(6)
    x = rng.normal(size=(7, 3))
    y = x[:, :2] + rng.normal(size=(7, 2))

    def hsic(k: np.ndarray, m: np.ndarray) -> float:
        fours = list(permutations(range(7), 4))
        return sum(k[i, j] * (m[i, j] + m[q, r] - 2 * m[i, q]) for i, j, q, r in fours) / len(fours)

    k, m = x @ x.T, y @ y.T
    wanted = hsic(k, m) / np.sqrt(hsic(k, k) * hsic(m, m))
    assert debiased_cka(x, y) == pytest.approx(wanted, abs=1e-10)


def test_debiased_cka_knows_the_same_and_the_unrelated():
    rng = np.random.default_rng(7)
    x = rng.normal(size=(60, 200))
    turned = 3 * x @ np.linalg.qr(rng.normal(size=(200, 200)))[0]
    assert debiased_cka(x, turned) == pytest.approx(1)
    assert abs(np.mean([debiased_cka(x, rng.normal(size=(60, 200))) for _ in range(30)])) < 0.03


def test_layers_are_those_of_the_whole_encoder():
    torch.manual_seed(0)
    encoder = make_encoder(3, Model(layers=2, hidden=4)).eval()
    x = torch.randn(5, 9, 3)
    first, second = encoder.layer_means(x)
    assert torch.allclose(second, represent(encoder, x), atol=1e-6) and first.shape == (5, 8)
    assert not torch.allclose(first, second)
