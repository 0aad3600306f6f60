from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def fewer_trees(monkeypatch):
    """What holds for every estimator does not hang on the number of trees."""
    monkeypatch.setattr("moola_core.estimators.convolutions.QUANT_TREES", 40)
