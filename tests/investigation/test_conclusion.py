"""The sentences of a conclusion say what their intervals say."""

from __future__ import annotations

import pytest

from moola_core.diagnostics.results import Best
from moola_core.diagnostics.results.interval import OPPOSED, SUPPORTED
from moola_core.investigation import candidates, conclusion
from moola_core.investigation.known import UNDECIDED, Answer, Facts, Known
from moola_core.runs.store import Store
from moola_core.specs import Data, Investigation


@pytest.fixture
def known(tmp_path) -> Known:
    spec = Investigation(preset="quick", data=Data(windows="w.parquet"))
    return Known(spec, Facts(174, {"a": 90, "b": 84}, 0, 105, 0), Store(tmp_path))


def best(low: float, high: float) -> Best:
    return Best("a model", "20260131-120000-000-0a0a", "f1_macro", high, (low + high) / 2, low, high, {})


def target(known: Known, low: float, high: float):
    (one,) = [one for one in conclusion.conclusion(known, best(low, high)) if one.kind == "target"]
    return one


@pytest.mark.parametrize(
    ("low", "high", "words", "outcome"),
    [
        (0.601, 0.70, "is reached: ", SUPPORTED),
        (0.50, 0.599, "is not reached: ", OPPOSED),
        (0.55, 0.65, "is reached cannot be told: ", "open"),
    ],
)
def test_a_target_is_said_to_be_reached_or_missed_by_its_interval_alone(known, low, high, words, outcome):
    one = target(known, low, high)
    assert words in one.text and one.claims[0].outcome == outcome


def test_what_was_not_measured_is_said_to_be_so(known):
    texts = [one.text for one in conclusion.conclusion(known, None)]
    assert "No model was measured, so none can be recommended." in texts
    assert any("was not measured" in text for text in texts)
    assert "Whether pre-training helps was not tested" in " ".join(texts)


def test_an_undecided_question_says_what_is_still_possible_and_what_would_settle_it(known):
    numbers = {"delta": 0.05, "low": -0.03, "high": 0.13, "resolvable": 0.12, "metric": "auroc", "schedule": "full"}
    numbers |= {"repeats": 2, "labels_needed": 700, "repeats_needed": None}
    known.answers["pretraining"] = Answer(UNDECIDED, "", "20260131-120000-000-0a0a", numbers=numbers)
    texts = " ".join(one.text for one in conclusion.conclusion(known, best(0.5, 0.7)))
    assert "cannot be shown with this data" in texts and "-0.03 to +0.13 is still possible" in texts
    assert "about 700 labelled windows in all" in texts
    assert "helps (" not in texts and "hurts (" not in texts


def test_the_score_of_several_is_corrected_and_that_of_one_is_its_own(known, monkeypatch):
    monkeypatch.setattr(conclusion, "measured", lambda known: [])
    text = next(one.text for one in conclusion.conclusion(known, best(0.5, 0.7)) if one.kind == "model")
    assert "too good because it was picked" not in text
    assert candidates.chosen_by(known) == "f1_macro"  # no window has an expansion
