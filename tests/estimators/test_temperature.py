"""Temperatures against planted ones, and in the span model by held-out windows."""

from __future__ import annotations

import numpy as np
import pytest

from moola_core.estimators.spans import locate_then_classify
from moola_core.estimators.spans.locate_then_classify import LocateThenClassify
from moola_core.estimators.spans.temperature import fit_temperature, tempered
from moola_core.estimators.spans.terms import fit_terms
from tests.estimators.windows import make_windows


@pytest.mark.parametrize("planted", [0.6, 1.0, 2.0])
@pytest.mark.parametrize("classes", [2, 4])
def test_a_planted_temperature_is_read_and_undone(planted, classes):
    rng = np.random.default_rng(0)
    honest = rng.dirichlet(np.ones(classes), 20_000)
    target = (honest.cumsum(1) < rng.random((len(honest), 1))).sum(1)
    stated = tempered(honest, 1 / planted)
    assert fit_temperature(stated, target) == pytest.approx(planted, rel=0.06)
    np.testing.assert_allclose(tempered(stated, planted), honest, atol=1e-3)


def test_probabilities_of_the_span_model_are_at_the_temperature_that_held_out_windows_want(monkeypatch):
    windows = make_windows(60)
    given: dict = {}

    def remember(p, target):
        given.update(p=p, target=target)
        return 1.7

    model = LocateThenClassify(penalty=4, scatter_bars=0.2, misplaced_frac=0.01, general=False)
    model.fit(windows.prices, windows.target, windows.span, windows.group)
    monkeypatch.setattr(locate_then_classify, "fit_temperature", remember)
    other = LocateThenClassify(**model.get_params()).fit(windows.prices, windows.target, windows.span, windows.group)
    assert (
        model.temperature_ == pytest.approx(fit_temperature(given["p"], given["target"])) and other.temperature_ == 1.7
    )
    assert sorted(given["target"]) == sorted(windows.target)
    plain, hotter = model.predict_proba(windows.prices), other.predict_proba(windows.prices)
    np.testing.assert_allclose(tempered(tempered(plain, 1 / model.temperature_), 1.7), hotter, atol=1e-6)
    again = LocateThenClassify.from_plain(other.plain())
    np.testing.assert_array_equal(again.predict_proba(windows.prices), hotter)
    older = other.plain()
    del older["temperature"]
    assert LocateThenClassify.from_plain(older).temperature_ == 1.0


def test_the_terms_of_a_network_have_the_temperature_of_their_held_out_windows():
    windows = make_windows(48)
    target = np.where(np.arange(48) % 5 == 0, 1 - windows.target, windows.target)
    full, without = fit_terms(windows.prices, windows.span, windows.group, target, 2)
    temperature = float(full.of_class.temperature)
    before = tempered(np.exp(without.logits.astype(float)), 1 / temperature)
    assert temperature > 1.2 and fit_temperature(before, target) == pytest.approx(temperature, rel=0.02)
