"""What a run is called."""

from __future__ import annotations

import pytest

from moola_core.presets import preset
from moola_core.runs.store import Store
from moola_core.specs import change
from moola_core.ui.widgets import title_of


@pytest.mark.parametrize(
    ("changes", "name", "expected"),
    [
        ({}, "", "recommended · "),
        ({"estimator": "logistic"}, "", "logistic · "),
        ({"estimator": "extra_trees"}, "Trees", "Trees · "),
    ],
)
def test_a_run_without_a_name_is_called_by_its_preset_or_by_a_model_of_its_own(tmp_path, changes, name, expected):
    run = Store(tmp_path).create(change(preset("recommended").finetune(), changes), name=name)
    assert title_of(run.record).startswith(expected)


def test_a_record_of_before_is_called_by_its_preset(tmp_path):
    run = Store(tmp_path).create(change(preset("recommended").finetune(), {"estimator": "logistic"}))
    run.update(model="")
    assert title_of(run.record).startswith("recommended · ")
