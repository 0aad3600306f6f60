"""Which runs the doctor offers as fixes: none that contradicts what experiments or vital signs show."""

from __future__ import annotations

import pytest

from moola_core.diagnostics.doctor import Case, examine, proposed, suspects
from moola_core.diagnostics.results.vitals import VitalSign
from moola_core.diagnostics.vitals.sign import SIGNS
from moola_core.presets import preset
from moola_core.specs import change, parse
from tests.diagnostics.test_doctor import LABELS, RULES, SIGNAL, known_settings, tried

SOUND = change(preset("quick").finetune(), {"data.windows": "windows.parquet"})
FAST = change(SOUND, {"learning_rate": 0.5})
AT_CHANCE = RULES["loss_at_chance"][0] | LABELS | SIGNAL


def sign(name: str, unusual: bool = True) -> VitalSign:
    own = SIGNS[name]
    value, away = (-9.0, 3.0) if unusual else (0.1, 0.0)
    words = ("It matters.", "Look at it.", "", ())
    return VitalSign(name, own.stage, own.title, "", value, 0.0, 1.0, 0.9, away, unusual, *words)


def findings(spec, *signs: str, **facts):
    known = AT_CHANCE | {"vital_signs": tuple(map(sign, signs))} | facts
    return {one.check: one for one in examine(Case("finetune", known, spec)).findings}


def test_without_a_reason_against_it_a_run_is_offered():
    assert parse(findings(SOUND)["loss_at_chance"].spec).training.epochs > SOUND.training.epochs


@pytest.mark.parametrize("name", proposed.OF_CODE)
def test_what_no_setting_brings_about_is_no_reason_to_train_anew(name):
    for spec in (SOUND, FAST):
        unusual = f"unusual_{SIGNS[name].stage}"
        own = findings(spec, name)
        assert own[unusual].severity == "warning" and own["loss_at_chance"].spec is None


@pytest.mark.parametrize("name", proposed.OF_EITHER)
def test_where_settings_are_sound_such_a_sign_is_of_code_and_where_they_are_not_they_are_set_back(name):
    unusual = f"unusual_{SIGNS[name].stage}"
    sound, fast = (findings(spec, name, moved=0.0, train_loss_first=0.7, train_loss_last=0.7) for spec in (SOUND, FAST))
    assert not any(one.spec for one in sound.values())
    assert "Look at the code of training" in sound["too_little_training"].advice
    assert "Look at the code" not in "".join(one.advice for one in fast.values())
    alone = findings(FAST, name)
    assert unusual in alone and parse(alone[unusual].spec) == change(
        FAST, {"learning_rate": SOUND.training.learning_rate}
    )


def test_a_planted_fault_is_a_setting_that_can_be_taken_back():
    spec = change(SOUND, {"faults.shuffled_labels": True})
    assert suspects.of_training(spec) == {"faults.shuffled_labels": False} and suspects.of_training(SOUND) == {}
    assert parse(findings(spec, "first_loss")["unusual_optimisation"].spec) == SOUND


def test_what_another_finding_explains_proposes_nothing():
    own = findings(SOUND, moved=0.0, train_loss_first=0.7, train_loss_last=0.7)
    assert own["loss_at_chance"].explained_by == ("too_little_training",) and own["loss_at_chance"].spec is None
    assert own["too_little_training"].spec is not None


def test_a_column_of_prices_that_are_wrong_is_not_left_out_before_they_are_mended():
    few = {"varying_positions": {"body": 0.01, "path": 1.0}}
    assert findings(SOUND, **few)["single_position"].spec is not None
    own = findings(SOUND, "open_step", **few)["single_position"]
    assert own.spec is None and own.explained_by == ("unusual_data",)


@pytest.mark.parametrize("last", [0.1, 0.6])
def test_a_network_that_has_learned_what_it_is_shown_is_not_offered_more_of_it(last):
    own = findings(SOUND, train_loss_first=0.7, train_loss_last=last, moved=0.8)["loss_at_chance"]
    assert (own.spec is None) == (last == 0.1)
    assert findings(FAST, train_loss_first=0.7, train_loss_last=last, moved=0.8)["loss_at_chance"].spec is not None


def test_a_run_with_sound_settings_that_is_farther_behind_than_healthy_ones_is_not_trained_for_longer():
    own, fast = (findings(spec, "against_trees")["loss_at_chance"] for spec in (SOUND, FAST))
    assert own.severity == fast.severity == "error" and own.spec is None and fast.spec is not None


def test_pointers_that_are_worse_than_a_constant_with_sound_settings_are_not_trained_for_longer():
    worse = {"pointer_gains": {"center": {"value": -9.0, "low": -12.0, "high": -6.0}}}
    own = findings(SOUND, **worse)["pointers_no_better"]
    assert own.severity == "error" and own.spec is None and "what its pointer head begins with" in own.advice
    assert findings(FAST, **worse)["pointers_no_better"].spec is not None


def test_where_experiments_have_decided_theirs_is_the_only_run():
    own = findings(FAST, "step_use", experiments=tried(0.3))
    assert [name for name, one in own.items() if one.spec and one.spec["kind"] == "finetune"] == ["experiments"]
    assert not any(one.spec for one in findings(SOUND, experiments=known_settings(0.6)).values())


def test_an_encoder_that_is_not_shown_to_hold_more_than_random_weights_is_left_out():
    spec = change(SOUND, {"transfer.checkpoint": "here.pt", "transfer.schedule": "frozen", "transfer.l2_sp": 3.0})
    facts = RULES["frozen_bottleneck"][0]
    own = examine(Case("finetune", facts, spec)).findings[0]
    assert own.check == "frozen_bottleneck" and parse(own.spec) == SOUND
    raw = {"probe_encoder": 0.66, "probe_random": 0.65, "probe_gap_random": {"value": 0.01, "low": -0.1, "high": 0.1}}
    raw |= {"probe_raw": 0.8, "probe_gap_raw": {"value": -0.14, "low": -0.2, "high": -0.05}}
    assert parse(examine(Case("finetune", facts | raw, spec)).findings[0].spec) == SOUND
    raw |= {"probe_random": 0.55, "probe_gap_random": {"value": 0.11, "low": 0.02, "high": 0.2}}
    own = examine(Case("finetune", facts | raw, spec)).findings[0]
    assert parse(own.spec).transfer.schedule == "full" and parse(own.spec).transfer.checkpoint == "here.pt"
    changed = {"schedule": "frozen", "encoder_differs": 3, "encoder_tensors": 9, "scale_differs": 0}
    own = examine(Case("finetune", changed, spec)).findings[0]
    assert own.check == "not_as_started" and parse(own.spec) == SOUND


def test_few_windows_that_train_are_made_more():
    spec = change(SOUND, {"folds": 2, "train_size": 0.5})
    own = parse(findings(spec, "trained_share")["unusual_evaluation"].spec)
    assert own.training.folds == 5 and own.training.train_size == 1.0
