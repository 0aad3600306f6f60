"""What is watched of many fits at once, against the same numbers of one fit at a time."""

from __future__ import annotations

import numpy as np
import pytest

from moola_core.metrics import classification, pointers, probability
from moola_core.metrics.monitored import Said, watched

LENGTH = 105


def make_said(classes, seed=0, fits=6, width=23):
    """Fits with different numbers of windows, equal scores, unknown pointers, and a fit without one class."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(5, width + 1, fits)
    probabilities = rng.dirichlet(np.ones(classes), (fits, width)).round(1 + seed % 2)
    spans, true = (np.sort(rng.uniform(0, LENGTH, (fits, width, 2)), axis=2) for _ in range(2))
    true[rng.random((fits, width)) < 0.2] = np.nan
    true[1] = np.nan
    target = rng.integers(0, classes, (fits, width))
    target[2] = np.where(target[2] == 1, 0, target[2])
    return Said(np.arange(width) < sizes[:, None], target, true, probabilities, spans)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("seed", range(4))
def test_many_fits_at_once_give_the_numbers_of_each_alone(classes, seed):
    said, names = make_said(classes, seed), tuple("abc"[:classes])
    absent = 0
    for r, values in enumerate(watched(said, names)):
        there = said.present[r]
        p, true = said.probabilities[r, there], np.array(names)[said.target[r, there]]
        rates = classification.by_class(true, np.array(names)[p.argmax(1)], names)
        found = pointers.summary(*said.true_spans[r, there].T, *said.spans[r, there].T, LENGTH)
        expected = {
            "f1_macro": np.mean(list(rates["f1"].values())),
            "ece": probability.ece(p, said.target[r, there]),
            "aucpr": classification.aucpr(true, p, names),
        } | {name: found.get(name) for name in ("center_mae_bars", "length_mae_bars", "hit_at_3", "hit_at_5")}
        assert values.pop("recall") == pytest.approx(rates["recall"], abs=1e-12)
        assert values == pytest.approx(expected, abs=1e-12)
        absent += expected["aucpr"] is None
    assert absent


def test_a_task_that_is_not_trained_is_not_watched():
    said = make_said(2)
    only = watched(Said(said.present, said.target, said.true_spans, said.probabilities, None), ("a", "b"))
    assert set(only[0]) == {"f1_macro", "recall", "ece", "aucpr"}
    spans = watched(Said(said.present, said.target, said.true_spans, None, said.spans), ("a", "b"))
    assert set(spans[0]) == {"center_mae_bars", "length_mae_bars", "hit_at_3", "hit_at_5"}
