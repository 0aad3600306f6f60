"""The goal, and the probability of reaching it."""

from __future__ import annotations

import numpy as np
import pytest

from moola_core.diagnostics.results import Best
from moola_core.errors import SpecError
from moola_core.investigation.goal import Goal, gauge, goal_of, goals
from moola_core.specs import Data, Investigation, build


def spec(goal: str) -> Investigation:
    return Investigation(data=Data(windows="w.parquet"), goal=goal)


def best(expected: float, low: float, high: float) -> Best:
    return Best("m", "r", "f1_macro", expected, expected, low, high, {"hit_at_3": (0.5, 0.4, 0.6)})


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("hit_at_3 > 0.6", Goal("hit_at_3", True, 0.6)),
        ("ece<=.1", Goal("ece", False, 0.1)),
        (" f1_macro >= 0.55 ", Goal("f1_macro", True, 0.55)),
    ],
)
def test_a_goal_is_a_metric_a_sign_and_a_number(text, wanted):
    assert goal_of(spec(text)) == wanted


@pytest.mark.parametrize(("text", "words"), [("f1", "a metric, a comparison"), ("> 0.5", "a metric, a comparison")])
def test_what_is_no_goal_is_refused(text, words):
    with pytest.raises(SpecError, match=words):
        build(Investigation, {"data": {"windows": "w.parquet"}, "goal": text})


def test_unknown_metrics_and_those_with_a_value_for_each_class_are_refused():
    with pytest.raises(SpecError, match="f1_makro"):
        goal_of(spec("f1_makro > 0.5"))
    with pytest.raises(SpecError, match="each class"):
        goal_of(spec("recall > 0.5"))


def test_without_a_goal_the_targets_of_the_plan_stand_in():
    assert [goal.metric for goal in goals(spec(""), ("f1_macro", "hit_at_3"))] == ["f1_macro", "hit_at_3"]


@pytest.mark.parametrize(("low", "high", "met"), [(0.61, 0.79, True), (0.55, 0.85, None), (0.41, 0.59, False)])
def test_a_target_is_met_or_missed_only_as_its_interval_says(low, high, met):
    found = gauge(Goal("f1_macro", True, 0.6), best((low + high) / 2, low, high))
    assert found.met is met
    draws = np.random.default_rng(0).normal((low + high) / 2, (high - low) / 3.92, 200_000)
    assert found.probability == pytest.approx((draws > 0.6).mean(), abs=0.005)


def test_a_goal_below_a_threshold_is_the_other_side():
    above, below = (gauge(Goal("hit_at_3", way, 0.45), best(0.6, 0.5, 0.7)) for way in (True, False))
    assert above.probability + below.probability == pytest.approx(1)


def test_without_a_model_nothing_is_said():
    assert gauge(Goal("f1_macro", True, 0.6), None).probability is None
