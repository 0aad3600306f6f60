"""Checks of the predictions: head, loss, constant folds, majority class, simple models, calibration, label noise."""

from __future__ import annotations

import math

from moola_core.diagnostics.doctor import suspects
from moola_core.diagnostics.doctor.check import (
    CRITICAL,
    ERROR,
    INFO,
    WARNING,
    CannotJudge,
    Case,
    Check,
    claimed,
    diagnostic_spec,
    fix_spec,
    register,
)
from moola_core.diagnostics.doctor.optimisation import learned, trained_soundly
from moola_core.diagnostics.doctor.trees import CHANCE, far_behind, lags_healthy, lost, of_trees, signal
from moola_core.diagnostics.results import Finding, Interval
from moola_core.diagnostics.results.interval import OPEN, OPPOSED, SUPPORTED, UNMEASURED, Claim, Outcome, exactly
from moola_core.specs import Faults

CAUSES = (
    "training_code",
    "far_settings",
    "first_grades_excluded",
    "head_too_wide",
    "feature_without_scale",
    "drowned_by_jitter",
    "too_little_training",
    "order_lost",
    "frozen_bottleneck",
    "target_visible",
    "label_noise",
    "stopped_too_early",
    "frozen_dropout",
)
# What follows from not learning, whatever the reason.
SYMPTOMS = ("loss_at_chance", "constant_folds", "worse_than_majority", "simple_model", "pointers_no_better")
UNUSUAL = ("unusual_data", "unusual_labels", "unusual_inputs", "unusual_network", "unusual_optimisation")
SIMPLE = ("majority", "logistic")
OVERCONFIDENT = 4.5  # fitted temperature beyond which miscalibration is a fault, not usual for small data
LEAST_AUC = 0.8  # below it doubts of a model that is unsure by itself can look like wrong labels
FLIP_RATE, FLIP_EVIDENCE = 0.05, 12.0  # the least share of wrong labels, and twice the log likelihood that it must gain


def afresh(case: Case) -> dict | None:
    """The same model without planted faults, a network standardised and trained for long: when no single setting is at fault.

    None where that changes nothing. With sound settings also where healthy runs of these settings are not so far behind extra trees, so that it is not the settings, and where
    the training loss has fallen: what it is shown it has learned, and it is not for want of training that it fails on other windows.
    """
    changes = {f"faults.{name}": value for name, value in Faults().model_dump().items()}
    if case.model != "network":
        return fix_spec(case, changes) if case.spec is not None and case.spec.faults != Faults() else None
    sound = case.spec is not None and case.spec.kind == "finetune" and not suspects.of_training(case.spec)
    if sound and (any(map(far_behind, case.get("vital_signs") or ())) or learned(case)):
        return None
    changes |= {"features.standardise": True, **trained_soundly(case.spec), "training.jitter_std": 0.0}
    return fix_spec(case, changes) if case.spec is not None and case.spec.kind == "finetune" else None


MORE: dict[Outcome, str] = {
    SUPPORTED: "The windows hold more than it has learned: fix the findings above first, or start from the recommended settings.",
    OPEN: "Whether the windows hold more than it has learned cannot be told. Other features may: the study `features` compares them with the prices.",
    OPPOSED: "A simple model finds less in these features. Others may hold more: the study `features` compares them with the prices.",
    UNMEASURED: "Whether the windows hold more than it has learned was not measured. Fix the findings above first.",
}


@register
class HeadTooWide(Check):
    """More outputs than classes."""

    id, title = "head_too_wide", "Head wider than the labels"
    networks_only = True
    invalidates = ("log loss", "ECE")

    def judge(self, case: Case) -> Finding | None:
        outputs, classes = case["outputs"], case["n_classes"]
        if outputs <= classes:
            return None
        evidence = {
            "outputs": outputs,
            "classes": classes,
            "chance_loss": math.log(outputs),
            "right_chance_loss": math.log(classes),
        }
        summary = f"{outputs} outputs for {classes} classes: chance is ln {outputs} = {math.log(outputs):.3f}, not ln {classes} = {math.log(classes):.3f}."
        counted = case.get("outputs_from_parameters")
        if counted:
            evidence |= counted
            summary = f"{counted['arithmetic']} {summary}"
        return self.finding(
            ERROR,
            summary,
            evidence,
            "The extra output takes probability from every window and never comes true. Take the number of outputs from the labels.",
            fix_spec(case, {"faults.extra_output": 0}),
        )


@register
class LossAtChance(Check):
    """The class loss is no better than predicting the class frequencies."""

    id, title = "loss_at_chance", "Loss at chance"
    after = (*CAUSES, *UNUSUAL)
    sampled = True
    diagnostic = "evaluation"

    def judge(self, case: Case) -> Finding | None:
        loss, entropy = case["log_loss"], case["label_entropy"]
        auroc, low = case.get("auroc"), case.get("auroc_low")
        if loss < entropy - 0.01 or (low is not None and low > 0.5):
            return None
        outputs = case.get("outputs") or case.get("n_classes")
        evidence = {
            "log_loss": loss,
            "label_entropy": entropy,
            "auroc": auroc,
            "auroc_low": low,
            "trees_auroc": case.get("trees_auroc"),
        }
        summary = f"Log loss {loss:.3f}; predicting the class frequencies gives {entropy:.3f}"
        if outputs and outputs > case["n_classes"]:
            evidence |= {"chance_loss": math.log(outputs)}
            summary += f", and {outputs} equal outputs ln {outputs} = {math.log(outputs):.3f} ({loss / math.log(outputs):.0%} of it)"
        if auroc is not None and low is not None:
            summary += f". AUROC {auroc:.2f}, 95% from {low:.2f}"
        more = lost(case)
        if more != UNMEASURED:
            evidence |= {name: case[name] for name in ("trees_auroc_low", "trees_gap_low", "trees_gap_high")}
            summary += (
                f"; extra trees on the same folds have {case['trees_auroc']:.2f}, 95% from {case['trees_auroc_low']:.2f}, and the run differs from that by "
                f"{case['trees_gap_low']:+.2f} to {case['trees_gap_high']:+.2f}"
            )
        summary += "."
        # Of a report nothing but its figures is known, so they are taken as they stand.
        reported = exactly("log loss as reported", loss, entropy) if case.kind == "reported" else None
        claims = (reported, claimed(case, "AUROC among the windows of a fold", "auroc", CHANCE), *of_trees(case))
        finding = self.finding(
            ERROR if (more == SUPPORTED and lags_healthy(case)) or reported else INFO,
            summary,
            evidence,
            f"Its log loss is not clearly below that of predicting the class frequencies. {MORE[more]}",
            fix_spec(case, {"faults.shuffled_labels": False})
            if case.spec is not None and case.spec.kind == "finetune" and case.spec.faults.shuffled_labels
            else afresh(case),
        )
        return self.resting_on(finding, claims)


@register
class ConstantFolds(Check):
    """Folds in which every window got the same predicted class."""

    id, title = "constant_folds", "Constant folds"
    usual = True
    after = (*CAUSES, *UNUSUAL, "loss_at_chance")
    invalidates = ("ECE", "macro F1", "conflict rates", "comparisons with other runs")
    diagnostic = "evaluation"

    def judge(self, case: Case) -> Finding | None:
        reported = case.get("constant_by_arithmetic")
        if reported is not None:
            return self._reported(reported)
        folds = case["fold_largest_share"]
        constant = [share for share in folds if share >= 1.0]
        if not constant:
            return None
        many = len(constant) >= len(folds) / 2 or (signal(case) and len(constant) > len(folds) / 5)
        grave = many and lags_healthy(case)
        summary = f"In {len(constant)} of {len(folds)} folds one class is predicted for every window."
        low = case.get("trees_auroc_low")
        if not grave and low is not None and not signal(case):
            summary += f" Extra trees have AUROC {case['trees_auroc']:.2f}, 95% from {low:.2f}: a simple model is not shown to find much in these features either, and a constant is then the most likely prediction."
        return self.finding(
            CRITICAL if grave else INFO,
            summary,
            {"constant_folds": len(constant), "folds": len(folds), "largest_shares": folds},
            "The averages hide that these folds predict one class only: look at each fold's predictions, fix the findings above "
            "first, and read neither ECE nor gradients nor differences between runs until no fold is constant.",
            afresh(case),
        )

    def _reported(self, reported: dict) -> Finding | None:
        if not reported["constant"]:
            return None
        return self.finding(
            CRITICAL,
            reported["arithmetic"],
            {key: value for key, value in reported.items() if key != "arithmetic"},
            "Such a table is what a model gives that predicts one class per fold. Ask for the shares of each fold's predicted classes before reading "
            "any average.",
        )


@register
class WorseThanMajority(Check):
    """Accuracy does not beat the most frequent class."""

    id, title = "worse_than_majority", "No better than the majority class"
    usual = True
    after = (*CAUSES, *UNUSUAL, "constant_folds", "loss_at_chance")
    diagnostic = "evaluation"
    sampled = True

    def judge(self, case: Case) -> Finding | None:
        accuracy, majority = case["accuracy"], case["majority_accuracy"]
        if accuracy > majority:
            return None
        n = case.get("n_windows")
        half = 1.96 * math.sqrt(accuracy * (1 - accuracy) / n) if n else None
        low, high = case.get("over_majority_low"), case.get("over_majority_high")
        if low is None or high is None:
            low, high = (accuracy - majority + sign * half for sign in (-1, 1)) if half is not None else (None, None)
        gap = Interval(accuracy - majority, low, high) if low is not None and high is not None else None
        claim = Claim("accuracy less that of the most frequent class", gap)
        worse, more = claim.outcome == OPPOSED, lost(case)
        summary = f"Accuracy {accuracy:.3f}; always predicting the most frequent class gives {majority:.3f}"
        summary += (
            f": difference {accuracy - majority:+.3f}, 95% from {low:+.3f} to {high:+.3f}" if high is not None else ""
        )
        finding = self.finding(
            ERROR if (worse or more == SUPPORTED) and lags_healthy(case) else INFO,
            f"{summary}.",
            {"accuracy": accuracy, "majority_accuracy": majority, "low": low, "high": high, "n_windows": n},
            "A model that does not beat a constant has learned nothing that can be used, whatever its other figures say."
            if worse
            else f"Whether it beats always predicting the most frequent class cannot be told. {MORE[more]}",
            afresh(case),
            "" if worse else "Perhaps no better than the majority class",
        )
        return self.resting_on(finding, (claim, *of_trees(case)))


@register
class SimpleModel(Check):
    """A linear model on window means does as well."""

    id, title = "simple_model", "A simple model does as well"
    usual = True
    kinds = ("finetune",)
    after = (*CAUSES, *UNUSUAL, "constant_folds", "loss_at_chance")
    diagnostic = "evaluation"
    sampled = True

    def judge(self, case: Case) -> Finding | None:
        if case.model in SIMPLE:
            raise CannotJudge("The run's own model is as simple as the one that it would be compared with.")
        model, baseline = case["auroc"], case["reference_auroc"]
        low, high = case["reference_gap_low"], case["reference_gap_high"]
        if model > baseline and high > 0:
            return None
        claim = Claim("AUROC less that of a linear model", Interval(model - baseline, low, high))
        worse = claim.outcome == OPPOSED
        finding = self.finding(
            ERROR if worse and lags_healthy(case) else INFO,
            f"AUROC {model:.3f} among the windows of a fold; a linear model on each feature's mean and deviation, on the same folds, has {baseline:.3f}: difference "
            f"{model - baseline:+.3f}, 95% from {low:+.3f} to {high:+.3f}.",
            {"auroc": model, "reference_auroc": baseline, "gap_low": low, "gap_high": high},
            "The model loses what two numbers per feature hold. Fix the findings above first; if there are none, use the "
            "simple model."
            if worse
            else "Whether the sequence adds anything cannot be told. Prefer the simple model until a study says otherwise.",
            afresh(case),
            "A simple model does better" if worse else "A simple model may do as well",
        )
        return self.resting_on(finding, (claim,))


@register
class Miscalibrated(Check):
    """Predicted probabilities do not match observed frequencies."""

    id, title = "miscalibrated", "Miscalibrated"
    usual = True
    kinds = ("finetune",)
    after = ("head_too_wide", "constant_folds", "loss_at_chance")
    diagnostic = "calibration"
    sampled = True

    def judge(self, case: Case) -> Finding | None:
        ece, null, p = case["ece"], case["ece_null_95"], case["ece_p"]
        if p >= 0.05 or ece <= null:
            return None
        below, beyond = case.get("brier_excess_low"), case.get("brier_excess_high")
        if below is not None and beyond is not None and below <= 0 <= beyond:
            return None  # what the null band takes for an excess, windows that share bars explain
        temperature = case.get("fitted_temperature")
        low, gain = case.get("auroc_low"), case.get("temperature_gain_low")
        # Logits that tell nothing are best divided by infinity: that is not overconfidence, and fixes nothing.
        knows = low is not None and low > CHANCE
        grave = temperature is not None and temperature > OVERCONFIDENT and knows
        summary = f"ECE {ece:.3f}, where 95% of calibrated models of this size stay below {null:.3f}"
        summary += f" (p = {max(p, 0.001):.3f})"
        helps = knows and gain is not None and gain > 0
        if not knows:
            summary += "; it is not shown that the predictions separate the classes better than chance"
            summary += ", so no temperature is offered"
        elif helps and temperature is not None:
            summary += f"; dividing the logits by {temperature:.1f} lowers the log loss"
        planted = case.spec is not None and case.spec.faults.temperature != 1.0
        claims = (
            exactly("ECE, against what 95% of calibrated models show", ece, null),
            claimed(case, "Brier score less what the probabilities imply", "brier_excess"),
            claimed(case, "AUROC among the windows of a fold", "auroc", CHANCE),
            claimed(case, "log loss lowered by a temperature", "temperature_gain"),
        )
        finding = self.finding(
            ERROR if grave else INFO,
            f"{summary}.",
            {"ece": ece, "null_95": null, "p": p, "fitted_temperature": temperature},
            "Do not use the probabilities. First make the model separate the classes."
            if not knows
            else "Do not use the probabilities as they are. "
            + (
                "A temperature fitted on other folds lowers the log loss without changing a predicted class; "
                "the Calibration section shows by how much."
                if helps
                else "Whether a recalibration helps, the Calibration section says."
            ),
            fix_spec(case, {"faults.temperature": 1.0}) if planted else diagnostic_spec(case, "calibration"),
        )
        return self.resting_on(finding, claims)


@register
class LabelNoise(Check):
    """Labels that the models contradict where they are most confident."""

    id, title = "label_noise", "Doubtful labels"
    kinds = ("finetune",)
    sampled = True
    diagnostic = "errors"

    def judge(self, case: Case) -> Finding | None:
        auroc = case["best_auroc"]
        if auroc < LEAST_AUC:
            raise CannotJudge(
                f"The best out-of-fold AUROC, simple models included, is {auroc:.2f}, below {LEAST_AUC}: disagreement then says little about labels."
            )
        rate, low, evidence = case["flip_rate"], case["flip_rate_low"], case["flip_evidence"]
        if rate < FLIP_RATE or evidence < FLIP_EVIDENCE:
            return None
        planted = case.spec is not None and case.spec.faults.flipped_labels > 0
        claims = (
            exactly("twice the log likelihood that wrong labels gain", evidence, FLIP_EVIDENCE),
            Claim("share of wrong labels", Interval(rate, low, 1.0)),
        )
        finding = self.finding(
            WARNING,
            f"The predictions of the run and of simple models are most likely if {rate:.0%} of the labels are wrong (at least {low:.0%}): "
            f"{evidence:.1f} above none in twice the log likelihood. A model's own errors become rarer with confidence, wrong labels do not.",
            {
                "flip_rate": rate,
                "flip_rate_low": low,
                "flip_evidence": evidence,
                "windows": list(case.get("doubted_windows") or []),
            },
            "Look at these windows again; relabel or grade down those that are wrong. No setting makes up for wrong labels.",
            fix_spec(case, {"faults.flipped_labels": 0.0}) if planted else diagnostic_spec(case, "errors"),
        )
        return self.resting_on(finding, claims)
