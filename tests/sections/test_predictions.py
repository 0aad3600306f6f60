"""Predictions in short: every figure is the stored one, and what not to trust."""

from __future__ import annotations

import dataclasses

import pytest

from moola_core.diagnostics.results import Predicted
from moola_core.runs import codec
from moola_core.runs.store import Run, Store
from moola_core.sections.blocks import Figures, Text
from moola_core.sections.registry import build
from tests.app_samples import make_predicted, make_run
from tests.sections.test_registry import numbers, stored


def warned(run: Run, out_of_distribution: int | None, training: int) -> list[str]:
    """The texts of the section where so many of the 60 windows are out of distribution or share bars."""
    result = codec.restore(Predicted, run.result("predicted"))
    changed = dataclasses.replace(result, out_of_distribution=out_of_distribution, training=training)
    run.write_result("predicted", changed)
    (section,) = build(run, ["predicted"]).sections
    return [block.text for block in section.blocks if isinstance(block, Text)]


def test_every_number_is_the_stored_one(predict_run):
    report = build(predict_run)
    assert report.kind == "predict"
    sourced = [number for number in numbers(report) if number.source]
    assert len(sourced) > 5
    assert all(number.value == stored(Store(predict_run.store_root), number.source) for number in sourced)
    (figures,) = (block for block in report.sections[0].blocks if isinstance(block, Figures))
    values = {one.title: getattr(one.number, "shown", one.number) for one in figures.items}
    assert (values["Windows"], values["consolidation"], values["Agreement"]) == ("60", "30", "80%")
    assert (values["Out-of-distribution"], values["Expansions"]) == ("12", "2")


@pytest.mark.parametrize(("out", "unlike"), [(4, True), (3, False), (None, False)])
def test_more_than_a_twentieth_out_of_distribution_is_warned_of(tmp_path, windows, out, unlike):
    run = make_predicted(make_run(tmp_path, windows))
    assert any("Do not trust" in text for text in warned(run, out, 0)) == unlike


def test_windows_that_the_models_saw_are_counted(tmp_path, windows):
    run = make_predicted(make_run(tmp_path, windows))
    assert not warned(run, 0, 0)
    assert ["5 share bars" in text for text in warned(run, 0, 5)] == [True]
    run.update(warnings=["Some bars are missing."])
    assert "Some bars are missing." in warned(run, 0, 0)
