from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from moola_core.diagnostics.transfer import aggregate, linear_probe


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
