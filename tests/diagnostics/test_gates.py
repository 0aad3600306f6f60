"""The researcher's own rules: each just above and just below its threshold, and the probabilities against references."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
from scipy import stats

from moola_core.diagnostics.evaluation import evaluate
from moola_core.diagnostics.gates import RULES, best_of, contradictions, gates, probability_above
from moola_core.diagnostics.results import Chance, Gate, Interval, PlanReport, Sampled
from moola_core.metrics import Predictions, measure
from moola_core.runs import codec
from moola_core.specs import Gates
from tests.diagnostics.test_evaluation import table

NEAR = 1e-6
NAMES = tuple(rule.name for rule in RULES)


def scored(value: float, reach: float = 0.0, freedom: float | None = None) -> Sampled:
    return Sampled(Interval(value, value - reach, value + reach), (), freedom)


def by_rule(*args, **kwargs) -> dict[str, Gate]:
    return {gate.rule: gate for gate in gates(*args, **kwargs)}


def test_every_rule_has_a_threshold_that_the_user_may_set():
    assert set(NAMES) == set(Gates.model_fields)
    own = by_rule(scored(0.47, 0.01), thresholds=Gates(negative_transfer=0.45))
    assert own["negative_transfer"].threshold == 0.45 and own["negative_transfer"].state == "above"
    assert by_rule(scored(0.47, 0.01))["negative_transfer"].state == "below"


@pytest.mark.parametrize("name", NAMES)
def test_a_rule_applies_just_beyond_its_threshold_and_decides_nothing_just_before(name):
    threshold = getattr(Gates(), name)
    rule = next(rule for rule in RULES if rule.name == name)
    beyond = by_rule(scored(threshold + 0.02 + NEAR, 0.02))[name]
    before = by_rule(scored(threshold + 0.02 - NEAR, 0.02))[name]
    short = by_rule(scored(threshold - 0.02 + NEAR, 0.02))[name]
    under = by_rule(scored(threshold - 0.02 - NEAR, 0.02))[name]
    assert [gate.state for gate in (beyond, before, short, under)] == ["above", *["cannot be told"] * 2, "below"]
    applies = {"above": beyond, "below": under}
    assert (
        applies[rule.side].says == rule.then
        and applies[{"above": "below", "below": "above"}[rule.side]].says != rule.then
    )
    for gate in (before, short):
        assert "cannot be told" in gate.says and "decides nothing" in gate.says and gate.agreement == "open"
    assert beyond.probability > 0.97 > before.probability - 0.01 and under.probability < 0.03


def test_a_score_of_051_within_004_cannot_be_told_from_050():
    gate = by_rule(scored(0.51, 0.04), "hurts")["negative_transfer"]
    assert gate.state == "cannot be told" and gate.value == gate.interval.value == 0.51
    assert gate.says == "0.51 cannot be told from 0.50, so the rule decides nothing."
    assert gate.evidence == "The rule decides nothing here. The comparison does: pre-training hurts."


def test_between_the_two_decisions_the_settings_are_tuned():
    assert "tune the settings" in by_rule(scored(0.40, 0.05))["negative_transfer"].says
    assert "unless it is below 0.30" in by_rule(scored(0.32, 0.05))["negative_transfer"].says
    low = by_rule(scored(0.2, 0.05))
    assert "tune" not in low["negative_transfer"].says and "architecture" in low["architecture"].says


def test_above_050_masked_pretraining_is_abandoned_and_nothing_is_unfrozen():
    own = by_rule(scored(0.53, 0.01))
    assert "abandon masked pre-training and try contrastive or supervised" in own["negative_transfer"].says
    assert not any("nfreeze" in gate.says for gate in own.values())
    assert "pointers back" in by_rule(scored(0.58, 0.01))["pointers"].says
    assert "pointers back" not in by_rule(scored(0.58, 0.01))["target"].says


@pytest.mark.parametrize(
    ("value", "evidence", "agreement"),
    [
        (0.6, "hurts", "agrees"),
        (0.6, "helps", "differs"),
        (0.6, "equivalent", "differs"),
        (0.6, "undecided", "open"),
        (0.6, "none yet", "open"),
        (0.4, "hurts", "differs"),
        (0.4, "helps", "agrees"),
        (0.4, "equivalent", "agrees"),
        (0.4, "undecided", "open"),
        (0.5, "hurts", "open"),
        (0.5, "none yet", "open"),
    ],
)
def test_where_a_rule_agrees_with_the_comparison(value, evidence, agreement):
    gate = by_rule(scored(value, 0.02), evidence)["negative_transfer"]
    assert gate.agreement == agreement and gate.evidence
    starts = {"agrees": "They agree", "differs": "They differ"}
    assert gate.evidence.startswith(starts.get(agreement, ("The", "Pre-training")))


def test_only_what_the_comparison_is_about_can_agree_or_differ():
    for value, evidence in product(
        (0.2, 0.35, 0.45, 0.57, 0.7), ("helps", "hurts", "equivalent", "undecided", "none yet")
    ):
        own = by_rule(scored(value, 0.01), evidence)
        decided = {name for name, gate in own.items() if gate.agreement != "open"}
        assert decided <= {"negative_transfer", "architecture"}
        assert ("architecture" in decided) == (value < 0.3 and evidence == "helps")


def test_without_a_score_nothing_is_said():
    for gate in gates(None, "hurts"):
        assert gate.state == "not measured" and gate.value is gate.probability is gate.interval is None
        assert "decides nothing" in gate.says and bool(gate.evidence) == (gate.rule == "negative_transfer")
    assert "The comparison does: pre-training hurts." in by_rule(None, "hurts")["negative_transfer"].evidence


def test_the_probability_of_being_above_is_the_one_that_a_run_stores():
    sampled = evaluate(table(repeats=2, n=60), 105).sampled["f1_macro"]
    for chance in sampled.chances:
        alone = Sampled(sampled.interval, (), sampled.freedom)
        assert probability_above(alone, chance.threshold) == pytest.approx(chance.probability, abs=1e-9)
    stored = Sampled(sampled.interval, (Chance(0.5, 0.123),), sampled.freedom)
    assert probability_above(stored, 0.5) == 0.123, "what was computed with the score comes first"


def test_an_older_score_is_read_as_normal_and_an_end_that_was_cut_off_does_not_narrow_it():
    error = 0.05
    whole = Interval(0.95, 0.95 - 1.959964 * error, 0.95 + 1.959964 * error)
    for interval in (whole, whole.within()):
        for threshold in (0.85, 0.9, 0.95, 0.99):
            expected = stats.norm.sf(threshold, 0.95, error)
            assert probability_above(Sampled(interval, ()), threshold) == pytest.approx(expected, abs=1e-6)
    assert probability_above(scored(0.5), 0.49) == 1.0 and probability_above(scored(0.5), 0.5) == 0.0


def test_the_probability_falls_with_the_threshold_and_crosses_one_half_at_the_score():
    for freedom in (None, 5.0, 80.0):
        chances = [probability_above(scored(0.5, 0.08, freedom), at) for at in np.linspace(0.2, 0.8, 25)]
        assert all(a >= b for a, b in pairwise(chances))
        assert probability_above(scored(0.5, 0.08, freedom), 0.5) == pytest.approx(0.5)


def test_the_state_follows_a_bootstrap_of_the_windows():
    """Windows drawn anew give the same side, wherever their 95% interval, widened as for fitted models, lies clear of a threshold."""
    rng = np.random.default_rng(3)
    frame = table(repeats=1, n=300)
    frame["fold"] = np.arange(300) // 2 % 5
    score = evaluate(frame, 105).sampled["f1_macro"]
    label = (frame["label"] == "b").to_numpy().astype(int)
    p_b = frame["p_b"].to_numpy(float)
    drawn = []
    for _ in range(400):
        rows = rng.integers(0, 300, 300)
        picked = Predictions(("a", "b"), label[rows], np.stack([1 - p_b[rows], p_b[rows]], 1), None, None, 105)
        drawn.append(measure(picked, names=["f1_macro"])["f1_macro"])
    error = float(np.std(drawn)) * np.sqrt(2 + 12 / 300)  # a window is trained on and tested: docs/methods.md
    for threshold in np.linspace(0.3, 0.95, 14):
        expected = stats.norm.sf(threshold, score.interval.value, error)
        assert probability_above(score, threshold) == pytest.approx(expected, abs=0.04)


def test_contradictions_are_said_of_the_thresholds_that_are_set_and_not_of_others():
    text = contradictions()
    assert text.startswith("Your rules contradict each other.")
    assert "Below 0.40 the phases unfreeze the encoder" in text and "architecture (below 0.30)" in text
    assert "Between 0.55 and 0.60 the phases add the pointers back and the targets do not yet." in text
    alike = Gates(unfreezing=0.0, architecture=0.3, negative_transfer=0.5, pointers=0.6, target=0.6)
    assert contradictions(alike) == ""
    crossed = contradictions(alike.model_copy(update={"architecture": 0.5, "negative_transfer": 0.4}))
    assert "Between 0.40 and 0.50" in crossed and "pointers" not in crossed


def test_the_best_of_several_ways_to_transfer():
    assert best_of(["hurts", "helps", "undecided"]) == "helps" and best_of(["hurts", "equivalent"]) == "equivalent"
    assert best_of(["hurts", "undecided"]) == "undecided" and best_of([]) == best_of([""]) == "none yet"


def test_gates_are_stored_and_those_of_earlier_versions_open():
    report = PlanReport((), gates(scored(0.51, 0.04, 60.0), "helps"), contradictions())
    assert codec.restore(PlanReport, codec.loads(codec.dumps(report))) == report
    old = {"threshold": 0.5, "source": "decisions", "value": 0.52, "says": "negative transfer, so unfreeze the encoder"}
    (gate,) = codec.restore(PlanReport, {"decisions": [], "gates": [old], "contradiction": "They differ."}).gates
    assert gate.value == 0.52 and gate.says == old["says"] and gate.state is gate.interval is gate.rule is None
