"""Suspected settings: which are compared, and how they are narrowed down."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moola_core.diagnostics.doctor import suspects
from moola_core.diagnostics.doctor.conclusions import sentence
from moola_core.diagnostics.results import Interval
from moola_core.diagnostics.results.experiments import Experiment, Experiments, MetricGain
from moola_core.presets import PRESETS, preset
from moola_core.specs import change


def test_only_what_a_comparison_allows_to_differ_is_suspected():
    spec = change(
        preset("quick").finetune(),
        {"learning_rate": 1.0, "folds": 3, "seed": 5, "repeats": 1, "faults.temperature": 0.2, "data.windows": "a.csv"},
    )
    assert suspects.departures(spec, suspects.reference_of(spec)) == {
        "training.learning_rate": (1.0, preset("quick").finetune().training.learning_rate)
    }


@pytest.mark.parametrize(
    ("name", "reference"),
    [("quick", "quick"), ("network", "network"), ("october", "quick"), ("recommended", "recommended")],
)
def test_the_reference_is_a_sound_preset_of_the_same_model(name, reference):
    own = suspects.reference_of(preset(name).finetune())
    assert own.preset == reference and own.estimator == PRESETS[name].finetune().estimator


def test_settings_of_the_transfer_are_set_back_together():
    groups = suspects.groups_of(["model.hidden", "transfer.checkpoint", "transfer.schedule"])
    assert groups == [("transfer.checkpoint", "transfer.schedule"), ("model.hidden",)]


def test_what_findings_name_comes_first():
    assert suspects.suspected_first("abcd", ["c", "x", "a"]) == ["c", "a", "b", "d"]


@settings(deadline=None)
@given(st.integers(1, 12), st.data())
def test_causes_that_are_needed_together_are_found_and_nothing_else(count, data):
    every = [(f"setting {i}",) for i in range(count)]
    causes = data.draw(st.sets(st.sampled_from(every), min_size=1, max_size=3))
    asked = []

    def restored(groups):
        asked.append(tuple(groups))
        return float(causes <= set(groups))

    left, share = suspects.narrowed(every, restored)
    assert set(left) == causes and share == 1.0
    if len(causes) == 1:
        assert len(asked) <= 1 + 2 * count.bit_length(), "one cause takes two fittings for each halving"


def test_what_the_findings_name_is_not_taken_where_others_restore_more():
    every = [("columns",), ("hidden",), ("dropout",)]
    share = {("columns",): 0.6, ("hidden",): 0.9, ("dropout",): 0.0}
    found = suspects.narrowed(every, lambda groups: max(share[group] for group in groups))
    assert found == ([("hidden",)], 0.9)
    share[("columns",)] = 0.95
    assert suspects.narrowed(every, lambda groups: max(share[group] for group in groups)) == ([("columns",)], 0.95)


@pytest.mark.parametrize("order", [("columns", "hidden"), ("hidden", "columns")])
def test_of_two_settings_the_one_that_restores_more_is_named_whichever_is_tried_first(order):
    share = {"columns": 0.5, "hidden": 0.8}
    found = suspects.narrowed([(name,) for name in order], lambda groups: max(share[name] for (name,) in groups))
    assert found == ([("hidden",)], 0.8)


def test_without_time_what_was_narrowed_so_far_stands():
    every = [(name,) for name in "abcdefgh"]
    answers = iter([0.0, 0.95, None])
    left, share = suspects.narrowed(every, lambda groups: next(answers))
    assert left == every[:4] and share == 0.95
    assert suspects.narrowed(every, lambda groups: None) == (every, 1.0)


@pytest.mark.parametrize(
    ("shares", "named"),
    [
        ({"columns": 0.5, "hidden": 0.9}, ["hidden"]),
        ({"columns": 0.85, "hidden": 0.9}, ["hidden", "columns"]),
        ({"columns": 0.9, "hidden": 0.4}, ["columns"]),
        ({"columns": 0.45, "hidden": 0.4}, ["columns"]),
    ],
)
def test_of_rivals_the_one_that_restores_most_is_named_and_others_that_restore_as_much(shares, named):
    order = [("columns",), ("hidden",), ("dropout",)]
    own = suspects.alone(order, ("columns",), shares["columns"], lambda groups: shares.get(groups[0][0], 0.0))
    assert own == {(name,): share for name, share in (shares | {"dropout": 0.0}).items()}
    assert suspects.as_good(own) == [(name,) for name in named]


def test_rivals_are_tried_as_far_as_there_is_time():
    order = [(name,) for name in "abcdefghij"]
    answers = iter([0.2, None])
    assert suspects.alone(order, ("b",), 0.7, lambda groups: next(answers)) == {("b",): 0.7, ("a",): 0.2}
    assert len(suspects.alone(order, ("b",), 0.7, lambda groups: 0.1)) == 1 + suspects.MOST_RIVALS


def test_the_conclusion_says_where_two_settings_restore_as_much():
    both = {"model.hidden": [4, 32], "model.dropout": [0.9, 0.1], "training.epochs": [9, 20]}
    own = result(
        gained(both, 0.3, 0.1),
        gained({name: both[name] for name in ("model.hidden", "model.dropout")}, 0.3, 0.1),
        culprits=("model.hidden", "model.dropout"),
        restored=0.6,
        departures=both,
    )
    text = sentence(replace(own, alone={"model.hidden": 0.6, "model.dropout": 0.55, "training.epochs": 0.1}))
    assert "model.hidden (4 → 32) 60%; model.dropout (0.9 → 0.1) 55%" in text and "do not tell" in text
    assert "do not tell" not in sentence(own)


def result(*experiments, culprits=(), restored=None, departures=None):
    return Experiments("quick", departures or {}, experiments, culprits, restored, "auroc", 10.0, 300.0, (), "")


def gained(changes, value, reach):
    return Experiment(
        "some", changes, "r", (MetricGain("auroc", 0.5, 0.5 + value, Interval(value, value - reach, value + reach)),)
    )


@pytest.mark.parametrize("sure", [True, False])
def test_the_conclusion_says_whether_one_setting_is_sure_by_itself(sure):
    both = {"model.hidden": [4, 32], "model.dropout": [0.9, 0.1]}
    alone = {"model.hidden": [4, 32]}
    text = sentence(
        result(
            gained(both, 0.3, 0.1),
            gained(alone, 0.2, 0.1 if sure else 0.3),
            culprits=("model.hidden",),
            restored=2 / 3,
            departures=both,
        )
    )
    assert "better by 0.30 (0.20 to 0.40)" in text and "model.hidden (4 → 32) alone restores 67%" in text
    assert ("not sure by itself" in text) != sure


def test_the_conclusion_without_a_cause_says_what_was_seen():
    both = {"model.hidden": [4, 32]}
    assert "not shown to be better" in sentence(result(gained(both, 0.05, 0.1), departures=both))
    assert sentence(result()) == "Its settings are those of quick."
    assert "no time" in sentence(result(departures=both))
    heart = Experiment("some", {}, "r", (), Interval(0.6, 0.5, 0.7), where="8 of the windows, 10 copies of each")
    assert "does not even fit" in sentence(result(heart))
    surer = Experiment("some", {}, "r", (), Interval(0.87, 0.8, 0.94), where="8 of the windows, 10 copies of each")
    assert "does not even fit" not in sentence(result(surer))
