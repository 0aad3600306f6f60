"""The doctor's registry and order, and each check on facts that do and do not warrant it."""

from __future__ import annotations

import ast
import dataclasses
import math
import re
from pathlib import Path

import pytest

import moola_core
from moola_core.diagnostics.doctor import CHECKS, CannotJudge, Case, Check, examine, likely, register
from moola_core.diagnostics.doctor.check import SEVERITIES, fix_spec
from moola_core.diagnostics.doctor.preset_ranges import Far, far_settings
from moola_core.diagnostics.results import Diagnosis, Finding, Interval
from moola_core.diagnostics.results.experiments import Experiment, Experiments, MetricGain
from moola_core.diagnostics.results.interval import Claim
from moola_core.diagnostics.results.vitals import STAGES, VitalSign
from moola_core.diagnostics.results.weak_slices import WeakSlice
from moola_core.errors import SpecError
from moola_core.presets import PRESETS, preset
from moola_core.specs import change, parse

SPEC = change(
    preset("quick").finetune(),
    {"data.windows": "windows.parquet", "transfer.checkpoint": "here.pt", "transfer.schedule": "full"},
)
LABELS = {"n_classes": 2, "n_windows": 174, "majority_accuracy": 0.534, "label_entropy": 0.6908}
NO_SIGNAL = {
    "reference_auroc": 0.52,
    "reference_auroc_low": 0.44,
    "reference_gap_low": -0.1,
    "reference_gap_high": 0.1,
    "trees_auroc": 0.53,
    "trees_auroc_low": 0.45,
    "trees_gap_low": -0.1,
    "trees_gap_high": 0.1,
}
SIGNAL = {
    "reference_auroc": 0.75,
    "reference_auroc_low": 0.67,
    "reference_gap_low": -0.1,
    "reference_gap_high": 0.1,
    "trees_auroc": 0.78,
    "trees_auroc_low": 0.7,
    "trees_gap_low": -0.3,
    "trees_gap_high": -0.1,
}


# check: facts that it finds something in, changes after which it finds nothing
def gap(value: float, reach: float) -> dict:
    """An estimate with its interval, as a fact."""
    return {"value": value, "low": value - reach, "high": value + reach}


def row(arm: str, delta: float, verdict: str, against: str = "scratch", metric: str = "f1_macro") -> dict:
    """A verdict of a study."""
    return {
        "arm": arm,
        "against": against,
        "metric": metric,
        "delta": delta,
        "low": delta - 0.05,
        "high": delta + 0.05,
        "p_helps": 0.9,
        "verdict": verdict,
        "resolvable": 0.09,
    }


RULES: dict[str, tuple[dict, dict]] = {
    "selection_on_test": ({"validation_in_test_share": 1.0}, {"validation_in_test_share": 0.0}),
    "overlapping_folds": (
        {"shared_bars_share": 0.3, "folds_mind_bars": False},
        {"shared_bars_share": 0.0, "folds_mind_bars": True},
    ),
    "underpowered": ({"n_windows": 60}, {"n_windows": 174}),
    "feature_without_scale": ({"feature_std": {"a": 0.004, "b": 1.0}}, {"feature_std": {"a": 0.9, "b": 1.0}}),
    "drowned_by_jitter": ({"jitter_std": 0.03, "jitter_over_std": {"a": 8.0}}, {"jitter_over_std": {"a": 0.1}}),
    "single_position": ({"varying_positions": {"a": 0.01, "b": 1.0}}, {"varying_positions": {"a": 1.0, "b": 1.0}}),
    "order_lost": ({"next_bar_correlation": {"bars_since_SH": 0.01}}, {"next_bar_correlation": {"bars_since_SH": 0.9}}),
    "head_too_wide": ({"outputs": 3, "n_classes": 2}, {"outputs": 2}),
    "loss_at_chance": (LABELS | {"log_loss": 0.7, "auroc": 0.5, "auroc_low": 0.4}, {"log_loss": 0.6}),
    "constant_folds": ({"fold_largest_share": [1.0, 1.0, 0.6, 1.0]}, {"fold_largest_share": [0.9, 0.8, 0.6, 0.7]}),
    "worse_than_majority": (LABELS | {"accuracy": 0.5}, {"accuracy": 0.7}),
    "simple_model": (SIGNAL | {"auroc": 0.5, "reference_gap_high": -0.05}, {"auroc": 0.8, "reference_gap_high": 0.1}),
    "miscalibrated": (
        {"ece": 0.3, "ece_null_95": 0.08, "ece_p": 0.0005, "fitted_temperature": 6.0},
        {"ece": 0.05, "ece_p": 0.5},
    ),
    "pointers_no_better": (
        {"pointer_gains": {"center": gap(-1.0, 0.5), "length": gap(3.0, 1.0)}},
        {"pointer_gains": {"center": gap(4.0, 1.0)}},
    ),
    "label_noise": (
        {"best_auroc": 0.85, "flip_rate": 0.15, "flip_rate_low": 0.08, "flip_evidence": 13.0},
        {"flip_rate": 0.02, "flip_evidence": 0.5},
    ),
    "too_little_training": (
        {"moved": 0.001, "train_loss_first": 0.7, "train_loss_last": 0.699},
        {"moved": 0.8, "train_loss_last": 0.3},
    ),
    "stopped_too_early": ({"epochs": 30, "patience": 2, "best_epochs": [3, 4], "epochs_run": [5, 6]}, {"patience": 15}),
    "sigma_never_moved": (
        {
            "weighting": "uncertainty",
            "sigma_start_ratio": 1.0,
            "sigma_end_ratio": 0.97,
            "sigma_expected_ratio": 0.09,
            "steps_per_fit": 30,
            "log_variance_lr": 1e-3,
        },
        {"sigma_end_ratio": 0.1},
    ),
    "sigma_follows_loss": (
        {"weighting": "uncertainty", "sigma_end_ratio": 0.1, "sigma_expected_ratio": 0.09, "sigma_target": [0.5, 2.0]},
        {"sigma_end_ratio": 0.8},
    ),
    "sigma_at_limit": ({"weighting": "uncertainty", "fits_at_limit": 3, "best_epochs": [4] * 10}, {"fits_at_limit": 0}),
    "pcgrad_idle": (
        {"pcgrad": True, "conflict_rate": 0.63, "projection_rate": 0.03, "pcgrad_threshold": -0.3},
        {"projection_rate": 0.63},
    ),
    "pcgrad_nothing_shared": ({"pcgrad": True, "shared_parameters": 0}, {"shared_parameters": 100}),
    "projection_not_applied": ({"pcgrad": True, "unapplied": 1.2}, {"unapplied": 1e-7}),
    "task_starved": ({"gradient_ratio": 1e-4}, {"gradient_ratio": 0.5}),
    "checkpoint_unfit": (
        {"schedule": "full", "checkpoint_problem": "here.pt: its encoder is 1×4, the run's is 2×4."},
        {"checkpoint_problem": ""},
    ),
    "frozen_bottleneck": (
        {
            "schedule": "frozen",
            "probe_encoder": 0.5,
            "probe_random": 0.65,
            "probe_gap_random": gap(-0.15, 0.1),
            "trainable_share": 0.3,
        },
        {"probe_encoder": 0.72, "probe_gap_random": gap(0.07, 0.1)},
    ),
    "frozen_dropout": ({"schedule": "frozen", "encoder_noise": 0.4}, {"encoder_noise": 0.0}),
    "not_as_started": (
        {"schedule": "frozen", "encoder_differs": 13, "encoder_tensors": 13, "scale_differs": 0},
        {"encoder_differs": 0},
    ),
    "nothing_unfrozen": ({"schedule": "gradual", "encoder_changed": 0}, {"encoder_changed": 8}),
    "state_mismatch": (
        {"schedule": "full", "pretrained_state": "per_window", "state": "streaming", "state_gap": 0.4},
        {"state": "per_window"},
    ),
    "domain_shift": ({"schedule": "full", "domain_auc": 0.98, "domain_auc_null_high": 0.55}, {"domain_auc": 0.5}),
    "target_visible": ({"masked_mae": 0.01, "noise_floor": 0.0239}, {"masked_mae": 0.1}),
    "learned_nothing": (
        {"masked_mae": 0.4, "trivial": {"feature_mean": 0.39, "carry_forward": 0.5}},
        {"masked_mae": 0.2},
    ),
    "units": ({"center_mae_bars": 10, "center_target_frac": 0.02, "window_bars": 105}, {"center_mae_bars": 2.0}),
    "calibration_noise": (
        {"ece": 0.179, "ece_calibrated_median": 0.17, "ece_calibrated_95": 0.22, "ece_convention": "mean"},
        {"ece": 0.4},
    ),
    "arms_differ": (
        {"arms": [{"name": "a", "trainable_parameters": 100}, {"name": "b", "trainable_parameters": 900}]},
        {"arms": [{"name": "a", "trainable_parameters": 100}, {"name": "b", "trainable_parameters": 100}]},
    ),
    "simple_arm": (
        {"reference_arms": ["linear"], "verdicts": [row("linear", 0.1, "helps")]},
        {"verdicts": [row("linear", -0.2, "hurts"), row("full", 0.1, "helps")]},
    ),
}


def vital(stage: str, unusual: bool) -> VitalSign:
    """A sign of a stage."""
    value, away = (9.0, 3.0) if unusual else (0.1, 0.0)
    words = {"reason": "It matters.", "advice": "Look at it.", "detail": "bar 3", "windows": ("w1",)}
    return VitalSign("odd", stage, "Oddness", "bars", value, 0.0, 1.0, 0.99, away, unusual, **words)


RULES |= {
    f"unusual_{stage}": ({"vital_signs": (vital(stage, True),)}, {"vital_signs": (vital(stage, False),)})
    for stage in STAGES
}


def part(inside: float, q: float) -> WeakSlice:
    """A part of the windows."""
    return WeakSlice("grade B", "class", 40, inside, 0.8, q, ("w1", "w2"))


NOTHING_LEARNED = Finding(
    *(
        "learned_nothing",
        "Pre-training learned nothing",
        "error",
        "Its error is 1.2 times that of the mean.",
        {},
        "Train for longer.",
        None,
        "",
        (),
        (),
    ),
    claims=(Claim("error over that of the mean, less 1", Interval(0.2, 0.1, 0.3)),),
)
RULES["pretraining_unsound"] = (
    {"schedule": "frozen", "pretraining_findings": [NOTHING_LEARNED]},
    {"schedule": "frozen", "pretraining_findings": []},
)
RULES["training_code"] = (
    {"deviations": (("loss", "in training the class loss is 1.4, by its definition 0.7"),)},
    {"deviations": ()},
)
RULES["first_grades_excluded"] = (
    {"excluded_grades": ("A", "B"), "grades": ("C", "D"), "n_windows": 80},
    {"excluded_grades": ("D",), "grades": ("A", "B", "C")},
)
RULES["far_settings"] = (
    {"far_settings": far_settings(change(preset("quick").finetune(), {"model.hidden": 4}))},
    {"far_settings": []},
)
RULES["weak_part"] = ({"weak_slices": (part(0.5, 0.001),)}, {"weak_slices": (part(0.7, 0.4),)})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model.hidden", 4),
        ("model.dropout", 0.95),
        ("training.epochs", 3),
        ("training.learning_rate", 1e-6),
        ("training.validation_size", 0.03),
        ("loss.class_weight", 0.001),
        ("loss.huber_delta", 1.0),
    ],
)
def test_a_setting_far_from_those_of_every_preset_is_named_and_set_back(name, value):
    spec = change(preset("quick").finetune(), {name: value, "data.windows": "windows.parquet"})
    case = Case("finetune", {"far_settings": far_settings(spec)}, spec)
    (finding,) = examine(case, [CHECKS["far_settings"]]).findings
    assert finding.evidence["settings"] == [name] and finding.severity == "warning" and name in finding.title
    assert parse(finding.spec) == change(preset("quick").finetune(), {"data.windows": "windows.parquet"})


def test_a_far_rate_of_the_transfer_is_not_set_back_where_the_pre_training_is_at_fault():
    spec = change(SPEC, {"transfer.schedule": "gradual", "transfer.all_lr": 0.5})
    facts = {"far_settings": far_settings(spec), "pretraining_findings": [NOTHING_LEARNED]}
    (finding,) = examine(Case("finetune", facts, spec), [CHECKS["far_settings"]]).findings
    assert parse(finding.spec).transfer.checkpoint == "" and parse(finding.spec).transfer.all_lr != 0.5
    (finding,) = examine(
        Case("finetune", facts | {"pretraining_findings": []}, spec), [CHECKS["far_settings"]]
    ).findings
    assert parse(finding.spec).transfer.checkpoint == "here.pt" and parse(finding.spec).transfer.all_lr != 0.5


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"model.hidden": 256},
        {"model.dropout": 0.0},
        {"training.weight_decay": 0.0},
        {"training.epochs": 200},
        {"model.hidden": 8},
        {"training.weight_decay": 0.05},
        {"training.max_grad_norm": 0.2},
    ],
)
def test_settings_near_those_of_presets_or_switched_off_are_not_far(changes):
    assert far_settings(change(preset("quick").finetune(), changes)) == []


def test_a_setting_of_the_pre_training_is_named_as_such():
    before = far_settings(change(preset("quick").pretrain(), {"objective.mask_frac": 0.97}))
    (finding,) = found("far_settings", {"far_settings": [], "far_in_pretraining": before}).findings
    assert finding.evidence["settings"] == ["pretrain.objective.mask_frac"]
    assert parse(finding.spec).transfer.checkpoint == "", "an encoder that was trained so is left out"
    assert finding.summary.startswith("In the pre-training objective.mask_frac is 0.97, and presets have 0.15")


@pytest.mark.parametrize("name", list(PRESETS))
def test_no_preset_is_far_from_all(name):
    assert far_settings(PRESETS[name].finetune()) == [] and far_settings(PRESETS[name].pretrain()) == []


def tried(gain: float, heart: float = 1.0) -> Experiments:
    """Experiments in which two settings together gain so much, the first of them alone as much."""
    both = {"training.learning_rate": [1.0, 0.01], "model.hidden": [4, 32]}
    gains = (MetricGain("auroc", 0.5, 0.5 + gain, Interval(gain, gain - 0.1, gain + 0.1)),)
    first = dict(list(both.items())[:1])
    experiments = (
        Experiment("all settings that differ", both, "r1", gains),
        Experiment("training.learning_rate", first, "r2", gains),
        Experiment(
            "some",
            {},
            "r3",
            (),
            Interval(heart, heart - 0.05, heart + 0.05),
            where="8 of the windows, 10 copies of each",
        ),
    )
    culprits = tuple(first) if gain > 0.1 else ()
    return Experiments("quick", both, experiments, culprits, 1.0, "auroc", 30.0, 300.0, (), "Experiments: 3.")


RULES["experiments"] = ({"experiments": tried(0.3)}, {"experiments": tried(0.05)})


def test_experiments_name_what_they_surely_show_and_nothing_else():
    (finding,) = found("experiments", {"experiments": tried(0.3)}).findings
    assert finding.evidence["settings"] == ["training.learning_rate"] and finding.severity == "error"
    assert parse(finding.spec).training.learning_rate == 0.01 and parse(finding.spec).model.hidden == SPEC.model.hidden
    (finding,) = found("experiments", {"experiments": tried(0.05, heart=0.6)}).findings
    assert "by heart" in finding.title and not finding.evidence["settings"]
    assert not found("experiments", {"experiments": tried(0.05, heart=0.86)}).findings, "0.91 is within the interval"


def known_settings(auroc: float) -> Experiments:
    """An experiment with the settings of quick on the demo market, where 0.7 to 0.9 is usual."""
    fit = Experiment("the settings of quick", {}, "r", (), Interval(auroc, 0, 1), where="a demo market")
    fit = dataclasses.replace(fit, usual=Interval(0.8, 0.7, 0.9))
    return Experiments("quick", {}, (fit,), (), None, "", 30.0, 300.0, (), "Experiments: 1.")


def at_random(auroc: float) -> Experiments:
    """An experiment with labels in random order."""
    own = Interval(auroc, auroc - 0.1, auroc + 0.1)
    fit = Experiment("as it is", {}, "r", (), own, where="labels in random order")
    return Experiments("quick", {}, (fit,), (), None, "", 30.0, 300.0, (), "Experiments: 1.")


def test_known_settings_on_a_known_market_judge_the_training_itself():
    (finding,) = found("experiments", {"experiments": known_settings(0.69)}).findings
    assert finding.title == "Training itself is at fault" and finding.severity == "error" and finding.spec is None
    assert finding.claims[0].interval.low == pytest.approx(0.01)
    assert not found("experiments", {"experiments": known_settings(0.71)}).findings


def test_where_training_itself_is_at_fault_to_train_anew_is_no_fix():
    symptom = RULES["loss_at_chance"][0] | LABELS
    spec = change(SPEC, {"learning_rate": 0.5})
    alone, both = (
        {one.check: one for one in examine(Case("finetune", symptom | more, spec)).findings}
        for more in ({}, {"experiments": known_settings(0.69)})
    )
    assert alone["loss_at_chance"].spec is not None and both["loss_at_chance"].spec is None
    assert "experiments" in both


def test_a_sign_of_the_part_of_the_code_that_is_at_fault_comes_before_training_itself():
    def order(name: str) -> list[str]:
        sign = dataclasses.replace(vital("evaluation", True), name=name)
        facts = {"vital_signs": (sign,), "experiments": known_settings(0.6)}
        return [one.check for one in examine(Case("finetune", facts, SPEC)).findings]

    assert order("predicted_again") == ["unusual_evaluation", "experiments"]
    assert order("trained_share") == ["experiments", "unusual_evaluation"], "no code brings that about"


def test_a_far_setting_of_the_pretraining_comes_before_settings_of_the_transfer_that_hide_it():
    def order(setting: str, before: list[Far]) -> list[str]:
        result, own = tried(0.3), {setting: [1e-2, 1e-3]}
        fits = (dataclasses.replace(result.tried[0], changes=own),)
        result = dataclasses.replace(result, departures=own, tried=fits, culprits=(setting,))
        facts = {"experiments": result, "far_settings": [], "far_in_pretraining": before}
        return [one.check for one in examine(Case("finetune", facts, SPEC)).findings]

    far = [Far("objective.mask_frac", 0.99, 0.15, 0.4)]
    assert order("transfer.all_lr", far) == ["far_settings", "experiments"]
    assert order("training.learning_rate", far) == ["experiments", "far_settings"]
    assert order("transfer.all_lr", []) == ["experiments"]


def test_a_far_setting_of_the_pretraining_explains_that_it_is_unsound():
    far = [Far("sampling.valid_frac", 0.8, 0.05, 0.1)]
    facts = RULES["pretraining_unsound"][0] | {"far_settings": [], "far_in_pretraining": far}
    first, second = examine(Case("finetune", facts, SPEC)).findings
    assert (first.check, second.check) == ("far_settings", "pretraining_unsound")
    assert second.explained_by == ("far_settings",)


def test_a_sign_that_another_sign_explains_raises_nothing():
    untold = dataclasses.replace(vital("labels", True), name="untold_group")
    share = dataclasses.replace(vital("evaluation", True), name="trained_share")
    alone, both = (examine(Case("finetune", {"vital_signs": signs}, SPEC)) for signs in ((untold,), (untold, share)))
    assert [one.check for one in alone.findings] == ["unusual_labels"]
    assert [one.check for one in both.findings] == ["unusual_evaluation"]


def test_labels_in_random_order_that_are_told_are_a_leak():
    (finding,) = found("experiments", {"experiments": at_random(0.7)}).findings
    assert finding.title == "The evaluation leaks" and finding.severity == "critical"
    assert not found("experiments", {"experiments": at_random(0.62)}).findings, "0.5 is within 99%"


def test_a_probability_stands_with_each_finding_of_a_run_above_a_note():
    facts = {"outputs": 3, "fold_largest_share": [1.0] * 5, "log_loss": 1.05, "accuracy": 0.5} | LABELS
    findings = examine(Case("finetune", facts, SPEC)).findings
    assert all((one.probability is None) == (one.severity == "info") for one in findings)
    assert all(0 < one.probability < 1 for one in findings if one.probability is not None)
    chances = [one.probability for one in findings if one.probability is not None]
    assert len(chances) > 1 and chances[0] == max(chances), "causes come first"
    assert all(one.probability is None for one in examine(Case("reported", facts)).findings)


def test_the_first_finding_alone_is_surer_than_its_traits_say():
    facts = {"outputs": 3, "fold_largest_share": [1.0] * 5, "log_loss": 1.05, "accuracy": 0.5} | LABELS
    first, *others = [one for one in examine(Case("finetune", facts, SPEC)).findings if one.probability is not None]
    plain = likely.with_probabilities([first, *others])
    assert others and first.probability == pytest.approx(likely.as_first(plain[0].probability))
    assert first.probability > plain[0].probability
    assert [one.probability for one in others] == [one.probability for one in plain[1:]]
    assert likely.with_surer_first([]) == ()


def test_an_encoder_that_trains_may_leave_its_checkpoint_but_not_its_scale():
    facts = {"schedule": "full", "encoder_differs": 13, "encoder_tensors": 13, "scale_differs": 0}
    assert not found("not_as_started", facts).findings
    (finding,) = found("not_as_started", facts | {"scale_differs": 2}).findings
    assert "not scaled as in pre-training" in finding.summary and "tensors" not in finding.summary


def test_a_part_that_is_merely_worse_is_no_finding():
    (finding,) = found("weak_part", {"weak_slices": (part(0.5, 0.01), part(0.79, 0.9))}).findings
    assert (
        finding.severity == "warning" and "grade B" in finding.summary and finding.evidence["windows"] == ["w1", "w2"]
    )
    assert not found("weak_part", {"weak_slices": (part(0.65, 0.01),)}).findings


def test_a_sign_that_a_check_explains_is_merged_into_its_finding():
    sign = dataclasses.replace(vital("optimisation", True), name="first_loss")
    facts = {"vital_signs": (sign,), "n_classes": 2}
    alone = examine(Case("finetune", facts | {"outputs": 2}, SPEC)).findings
    assert [finding.check for finding in alone] == ["unusual_optimisation"] and alone[0].severity == "warning"
    assert "Oddness" in alone[0].summary and alone[0].title.startswith("Unusual in the optimisation: ")
    both = examine(Case("finetune", facts | {"outputs": 3}, SPEC))
    assert [finding.check for finding in both.findings] == ["head_too_wide"] and both.vitals == (sign,)


def test_a_fix_that_does_not_fit_the_other_settings_is_not_offered():
    fits = {
        "transfer.checkpoint": "20260101-000000-000-aaaa/000-00",
        "transfer.more_checkpoints": ("20260101-000000-000-aaaa/000-01",),
    }
    spec = change(SPEC, fits | {"transfer.fold_checkpoints": 2, "training.folds": 2, "transfer.schedule": "full"})
    assert fix_spec(Case("finetune", {}, spec), {"training.folds": 5}) is None
    assert fix_spec(Case("finetune", {}, spec), {"training.patience": 7}) is not None


def case_of(check: str, facts: dict) -> Case:
    kind = CHECKS[check].kinds[0]
    return Case(kind, facts, SPEC if kind == "finetune" else None, about="20260101-000000-000-abcd")


def found(check: str, facts: dict):
    return with_remarks(examine(case_of(check, facts), [CHECKS[check]]))


def with_remarks(diagnosis: Diagnosis) -> Diagnosis:
    """The remarks among the findings, for checks that are tried by themselves."""
    return dataclasses.replace(diagnosis, findings=(*diagnosis.findings, *diagnosis.remarks), remarks=())


def test_a_note_on_what_healthy_runs_show_too_is_a_remark_and_no_finding():
    usual = RULES["sigma_follows_loss"][0] | RULES["pointers_no_better"][1]
    diagnosis = examine(Case("finetune", usual, SPEC))
    assert "sigma_follows_loss" in {one.check for one in diagnosis.remarks}
    assert not any(CHECKS[one.check].usual and one.severity == "info" for one in diagnosis.findings)
    assert all(one.severity == "info" and CHECKS[one.check].usual for one in diagnosis.remarks)
    reported = examine(Case("reported", usual, SPEC))
    assert not reported.remarks, "of reported figures there is nothing to hang a remark on"


def test_every_check_has_a_rule_here():
    assert set(RULES) == set(CHECKS), f"give a rule in RULES here, or register the check: {set(RULES) ^ set(CHECKS)}"
    for name, check in CHECKS.items():
        assert check.title and check.__doc__, f"the check {name} lacks a title or a docstring"


@pytest.mark.parametrize("check", RULES)
def test_a_check_finds_what_it_is_for_and_nothing_else(check):
    facts, healthy = RULES[check]
    (finding,) = found(check, facts).findings
    assert finding.severity in SEVERITIES and finding.summary.endswith(".") and finding.advice.endswith(".")
    assert finding.evidence and any(character.isdigit() for character in finding.summary + str(finding.evidence))
    if finding.spec is not None:
        assert parse(finding.spec).kind in ("finetune", "pretrain", "diagnose")
    after = found(check, facts | healthy)
    assert not after.findings and after.passed == (check,)


DOCTOR = Path(moola_core.__file__).parent / "diagnostics" / "doctor"
PRODUCERS = [
    *(DOCTOR / f"{name}.py" for name in ("reading", "of_runs", "reported", "baseline_facts", "flips")),
    DOCTOR.parents[0] / "results" / "doctor.py",
    *(DOCTOR.parents[1] / "launch" / "worker" / f"{name}.py" for name in ("doctor", "vital_signs")),
]


def facts_read() -> dict[str, set[str]]:
    """The facts that each module of checks reads of its case."""
    read = {}
    for path in set(DOCTOR.glob("*.py")) - set(PRODUCERS):
        names = re.findall(r"""case(?:\[|\.get\()"(\w+)"[\])]""", path.read_text(encoding="utf-8"))
        read[path.stem] = set(names)
    return read


def facts_made() -> set[str]:
    """Every string in the modules that make facts, and what their f-strings make of these."""
    made: set[str] = set()
    for path in PRODUCERS:
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        words = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
        words = {word for word in words if word.isidentifier()}
        forms = [node for node in nodes if isinstance(node, ast.JoinedStr)]
        for _ in range(2):  # an f-string may be filled with what another has made
            words |= {filled for form in forms for word in words for filled in fill(form, word)}
        made |= words
    return made


def fill(form: ast.JoinedStr, word: str) -> list[str]:
    """The f-string with the word in its one place; empty where it has more places."""
    parts = [str(part.value) if isinstance(part, ast.Constant) else word for part in form.values]
    return ["".join(parts)] if sum(isinstance(part, ast.FormattedValue) for part in form.values) == 1 else []


def test_every_fact_that_a_check_reads_is_made_somewhere():
    made, read = facts_made(), facts_read()
    assert sum(map(len, read.values())) > 60 and "trees_gap_low" in made and "trees_gap_lower" not in made
    for module, names in read.items():
        assert names <= made, f"doctor/{module}.py reads {sorted(names - made)}, which no producer makes"
    ruled = {name for facts, healthy in RULES.values() for name in facts | healthy}
    assert ruled <= made, f"RULES here has facts that no producer makes: {sorted(ruled - made)}"


def test_a_loss_that_fell_while_no_weight_moved_is_luck():
    fell = {"train_loss_first": 0.71, "train_loss_last": 0.69, "learning_rate": 1e-6}
    assert found("too_little_training", fell | {"moved": 0.0002}).findings
    assert not found("too_little_training", fell | {"moved": 0.01}).findings


def test_a_short_patience_is_named_however_the_fits_ended():
    october = {"epochs": 20, "patience": 5, "best_epochs": [15, 14, 17, 16, 11], "epochs_run": [20, 19, 20, 20, 16]}
    (finding,) = found("stopped_too_early", october).findings
    assert finding.severity == "error" and "60% of the fits" in finding.summary and "limit of 20" in finding.summary
    (finding,) = found("stopped_too_early", october | {"best_epochs": [16] * 5, "epochs_run": [20] * 5}).findings
    assert finding.severity == "info" and "0% of the fits" in finding.summary
    assert not found("stopped_too_early", october | {"patience": 10, "epochs_run": [20] * 5}).findings


@pytest.mark.parametrize(
    ("late", "fits", "severity"), [(3, 5, "info"), (4, 5, "error"), (12, 25, None), (13, 25, "error")]
)
def test_fits_that_end_at_their_best_by_chance_are_no_error(late, fits, severity):
    best = [29] * late + [12] * (fits - late)
    facts = {"epochs": 30, "patience": 20, "best_epochs": best, "epochs_run": [30] * fits}
    findings = found("stopped_too_early", facts).findings
    assert [one.severity for one in findings] == ([severity] if severity else [])


def test_a_simple_model_is_judged_against_the_best_network():
    rows = [row("linear", 0.1, "helps"), row("linear", 5.0, "helps", metric="center_mae_bars")]
    for delta, verdict, severity in ((0.02, "undecided", "info"), (0.1, "helps", "error")):
        last = row("linear", delta, verdict, against="full")
        (finding,) = found("simple_arm", {"reference_arms": ["linear"], "verdicts": [*rows, last]}).findings
        assert (
            finding.severity == severity
            and finding.evidence["against"] == "full"
            and f"{delta:+.3f}" in finding.summary
        )
    last = row("linear", -0.1, "hurts", against="full")
    assert not found("simple_arm", {"reference_arms": ["linear"], "verdicts": [*rows, last]}).findings


def test_an_open_study_is_told_in_macro_f1_and_a_note_spoils_nothing():
    rows = [row("full", 0.06, "undecided"), row("full", -0.6, "undecided", metric="center_mae_bars")]
    (finding,) = examine(Case("study", {"n_windows": 174, "verdicts": rows}, None), [CHECKS["underpowered"]]).findings
    assert "full against scratch is +0.060 in Macro F1" in finding.summary and finding.evidence["undecided"] == 1
    assert finding.severity == "info" and not finding.invalidates


def test_a_model_at_chance_is_not_called_boastful():
    """Its answers are best divided by infinity, whatever they are."""
    boasting = RULES["miscalibrated"][0] | {"temperature_gain_low": 0.01}
    for low, severity, told in (
        (0.6, "error", "dividing"),
        (0.4, "info", "no temperature"),
        (None, "info", "no temperature"),
    ):
        (finding,) = found("miscalibrated", boasting | {"auroc_low": low}).findings
        assert finding.severity == severity and told in finding.summary


@pytest.mark.parametrize("check", RULES)
def test_without_facts_a_check_says_why_it_cannot_judge(check):
    nothing = examine(case_of(check, {}), [CHECKS[check]])
    assert not nothing.findings and not nothing.passed
    assert nothing.not_judged[0].check == check and nothing.not_judged[0].why.endswith(".")


def test_mends_of_single_settings_change_only_these():
    spec = change(SPEC, {"faults.extra_output": 1, "faults.shuffled_folds": True, "standardise": False})
    facts = RULES["head_too_wide"][0] | RULES["overlapping_folds"][0] | RULES["feature_without_scale"][0]
    findings = {f.check: f for f in examine(Case("finetune", facts, spec)).findings}
    assert parse(findings["head_too_wide"].spec) == change(spec, {"faults.extra_output": 0})
    assert parse(findings["overlapping_folds"].spec) == change(spec, {"faults.shuffled_folds": False})
    assert parse(findings["feature_without_scale"].spec) == change(spec, {"standardise": True})


def test_causes_come_before_symptoms_and_are_named():
    facts = {"outputs": 3, "fold_largest_share": [1.0] * 5, "log_loss": 1.05, "accuracy": 0.5} | LABELS
    findings = with_remarks(examine(Case("finetune", facts, SPEC))).findings
    order = [finding.check for finding in findings]
    assert order == ["head_too_wide", "loss_at_chance", "constant_folds", "worse_than_majority"]
    assert findings[2].explained_by == ("head_too_wide", "loss_at_chance") and "ECE" in findings[2].invalidates
    assert f"{math.log(3):.3f}" in findings[1].summary


def test_what_weak_data_explains_is_a_note():
    weak = LABELS | NO_SIGNAL | {"log_loss": 0.7, "auroc": 0.5, "auroc_low": 0.42, "accuracy": 0.52}
    weak |= {"fold_largest_share": [1.0, 0.8, 0.7, 0.9, 0.6]}
    severities = {f.check: f.severity for f in with_remarks(examine(Case("finetune", weak, SPEC))).findings}
    assert severities == {
        "loss_at_chance": "info",
        "constant_folds": "info",
        "worse_than_majority": "info",
        "simple_model": "info",
    }
    strong = weak | SIGNAL | {"reference_gap_high": -0.1, "fold_largest_share": [1.0, 1.0, 0.8, 0.7, 0.9]}
    assert all(f.severity != "info" for f in examine(Case("finetune", strong, SPEC)).findings)


def test_the_rate_that_mends_sigma_gets_it_there():
    facts = RULES["sigma_never_moved"][0]
    (finding,) = found("sigma_never_moved", facts).findings
    rate = parse(finding.spec).loss.log_variance_lr
    assert rate * facts["steps_per_fit"] >= 2 * abs(math.log(0.09)), "Adam moves log σ² by the rate a step"
    assert "1.3%" in finding.summary  # ln 0.97 / ln 0.09


def test_a_user_can_register_a_check_and_only_once():
    class Odd(Check):
        id, title, kinds = "odd_windows", "An odd number of windows", ("finetune",)

        def judge(self, case):
            return (
                self.finding("info", f"{case['n_windows']} windows.", {}, "None needed.")
                if case["n_windows"] % 2
                else None
            )

    try:
        register(Odd)
        assert [f.check for f in examine(Case("finetune", {"n_windows": 175})).findings] == ["odd_windows"]
        with pytest.raises(SpecError, match="odd_windows"):
            register(Odd)
    finally:
        CHECKS.remove("odd_windows")


def test_a_missing_fact_is_said_in_words():
    with pytest.raises(CannotJudge, match="The run does not hold this: shared parameters"):
        Case("finetune")["shared_parameters"]
    with pytest.raises(CannotJudge, match="once the run is done"):
        Case("finetune", planned=True)["log_loss"]


def findings_of(check: str, facts: dict) -> list:
    return list(found(check, facts).findings)


@pytest.mark.parametrize(
    ("trees", "word", "severity"),
    [
        (
            {"trees_auroc": 0.78, "trees_auroc_low": 0.7, "trees_gap_low": -0.3, "trees_gap_high": -0.1},
            "The windows hold more",
            "error",
        ),
        (
            {"trees_auroc": 0.55, "trees_auroc_low": 0.42, "trees_gap_low": -0.3, "trees_gap_high": -0.1},
            "cannot be told",
            "info",
        ),
        (
            {"trees_auroc": 0.62, "trees_auroc_low": 0.53, "trees_gap_low": -0.2, "trees_gap_high": 0.05},
            "cannot be told",
            "info",
        ),
        (
            {"trees_auroc": 0.45, "trees_auroc_low": 0.38, "trees_gap_low": 0.01, "trees_gap_high": 0.2},
            "finds less",
            "info",
        ),
        ({}, "was not measured", "info"),
    ],
)
def test_that_the_windows_hold_more_is_said_where_trees_surely_read_it(trees, word, severity):
    facts = LABELS | {"log_loss": 0.72, "auroc": 0.5, "auroc_low": 0.4} | trees
    (finding,) = findings_of("loss_at_chance", facts)
    assert word in finding.advice and finding.severity == severity
    assert ("The windows hold more than it has learned" in finding.advice) == (word == "The windows hold more")


@pytest.mark.parametrize(
    ("verdict", "title"),
    [
        ("helps", "A simple model is better"),
        ("equivalent", "A simple model is as good"),
        ("undecided", "A simple model may be as good"),
    ],
)
def test_a_simple_arm_that_is_better_is_not_said_to_do_as_well(verdict, title):
    (finding,) = findings_of("simple_arm", {"reference_arms": ["linear"], "verdicts": [row("linear", 0.18, verdict)]})
    assert finding.title == title and (finding.severity == "error") == (verdict == "helps")


@pytest.mark.parametrize(
    ("gains", "severity"),
    [
        ({"center": gap(5.0, 2.0), "length": gap(1.0, 0.5)}, None),
        ({"center": gap(0.0, 0.6), "length": gap(1.0, 0.5)}, "info"),
        ({"center": gap(-2.0, 0.6), "length": gap(1.0, 0.5)}, "error"),
        ({"center": gap(1.0, 3.0)}, "info"),
        ({"center": gap(5.0, 2.0), "length": gap(-40.0, 5.0)}, "error"),
        ({"center": gap(5.0, 2.0), "length": gap(0.0, 0.2)}, "info"),
        ({"center": gap(-0.1, 1.2)}, "info"),
    ],
)
def test_pointers_that_do_not_beat_the_constant_are_a_finding_as_grave_as_its_interval(gains, severity):
    findings = findings_of("pointers_no_better", {"pointer_gains": gains})
    assert [finding.severity for finding in findings] == ([severity] if severity else [])
    for finding in findings:
        assert ("cannot be told" in finding.advice) == (finding.title == "Pointers may be no better than a constant")
        assert f"{gains['center']['low']:+.1f} to {gains['center']['high']:+.1f}" in finding.summary


def test_an_excess_that_windows_which_share_bars_explain_is_no_miscalibration():
    facts = RULES["miscalibrated"][0]
    assert not findings_of("miscalibrated", facts | {"brier_excess_low": -0.02, "brier_excess_high": 0.08})
    assert findings_of("miscalibrated", facts | {"brier_excess_low": 0.02, "brier_excess_high": 0.08})
