"""The span model's terms of several fits."""

from __future__ import annotations

import numpy as np

from moola_core.training import terms
from moola_core.training.terms import NOTHING, terms_of_each
from tests.training.test_replicas import SPANS
from tests.training.windows import make_inputs, make_spec


def test_terms_come_in_the_order_of_the_folds_whichever_is_done_first(monkeypatch):
    asked = []

    def one(spec, inputs, fold, start):
        asked.append((fold, start))
        return f"terms of {fold}"

    monkeypatch.setattr(terms, "terms_of", one)
    monkeypatch.setattr(
        terms,
        "process_map",
        lambda work, items, processes: map(work, np.random.default_rng(0).permutation(np.array(items, object))),
    )
    made = terms_of_each(make_spec(**SPANS), make_inputs(6), ["a", "b", "c"], [None, "start", None])
    assert made == ["terms of a", "terms of b", "terms of c"]
    assert sorted(asked, key=str) == [("a", None), ("b", "start"), ("c", None)]


def test_a_network_without_statistics_starts_no_process(monkeypatch):
    monkeypatch.setattr(terms, "process_map", None)
    assert terms_of_each(make_spec(), make_inputs(6), [None, None], [None, None]) == [NOTHING, NOTHING]
