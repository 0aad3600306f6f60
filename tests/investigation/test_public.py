"""`moola.investigate` makes the investigation that was asked for."""

from __future__ import annotations

import pytest

import moola_core as moola
from moola_core.errors import SpecError


@pytest.fixture
def asked(monkeypatch):
    """The spec that a call would carry out."""
    made = []
    monkeypatch.setattr("moola_core.api.execute", lambda spec, store, name: made.append(spec))
    return made


def test_preset_encoder_order_and_rules_are_no_settings_of_the_model(asked, tmp_path):
    own = {"preset": "quick", "order": "phases", "gates.pointers": 0.7, "epochs": 5, "pretrain.batch_size": 32}
    moola.investigate(tmp_path / "w.parquet", budget_s=60, settings=own)
    spec = asked[0]
    assert (spec.preset, spec.order, spec.gates.pointers, spec.budget_s) == ("quick", "phases", 0.7, 60)
    assert spec.changes == {"epochs": 5, "pretrain.batch_size": 32}


@pytest.mark.parametrize("own", [{"order": "sideways"}, {"gates.pointer": 0.7}, {"gates.pointers": 2}])
def test_what_cannot_be_is_refused(asked, tmp_path, own):
    with pytest.raises(SpecError):
        moola.investigate(tmp_path / "w.parquet", settings=own)
    assert not asked
