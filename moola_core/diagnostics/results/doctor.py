"""What the doctor found in a run, in reported figures, or in what is planned."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moola_core.diagnostics.results.experiments import Experiments
from moola_core.diagnostics.results.interval import Claim
from moola_core.diagnostics.results.vitals import VitalSign
from moola_core.diagnostics.results.weak_slices import WeakSlice

# The figures of the run that failed, as reported: the first example.
EXAMPLE = Path(__file__).parents[1] / "doctor" / "october.json"

# How severe a finding is, the worst first, and what that means.
SEVERITIES: dict[str, str] = {
    "critical": "nothing else can be read until it is fixed",
    "error": "the result is worse, or not what it says",
    "warning": "healthy runs seldom show it",
    "info": "good to know",
}

# What a probability of a finding is of.
IF_ONE = "if one fault is behind what was seen, judged by faults that were planted on purpose"

# What the doctor reads of a report with no run behind it.
FIGURES: dict[str, str] = {
    "n_windows": "labelled windows",
    "class_counts": "windows of each class, a list or an object",
    "window_bars": "window length in bars",
    "folds": "folds of the cross-validation",
    "accuracy": "accuracy",
    "f1": "F1 of each class, in the order of class_counts",
    "recall": "recall of each class, in the same order",
    "loss_class": "class loss, nats",
    "loss_pointer": "pointer loss",
    "ece": "calibration error",
    "ece_bins": "bins of the calibration error",
    "ece_convention": "mean of folds or pooled",
    "center_mae_bars": "error of the center in bars",
    "center_target_frac": "its target as a fraction of the window",
    "masked_mae": "pre-training error at hidden bars",
    "feature_mean_mae": "the same error of always predicting the feature mean",
    "pretrain_jitter_std": "noise that was added in pre-training",
    "conflict_rate": "share of steps with conflicting gradients",
    "projection_rate": "share of steps that were projected",
    "pcgrad_threshold": "cosine below which gradients are projected",
    "patience": "epochs without gain before stopping",
    "epochs": "maximum epochs",
    "batch_size": "windows in a step",
    "trainable_parameters": "parameters that train",
    "outputs": "outputs of the class head",
    "trunk_width": "width of the shared trunk",
    "encoder": "frozen encoder as {inputs, layers, hidden}",
    "encoder_parameters_believed": "parameters that the encoder was believed to have",
}


@dataclass(frozen=True)
class Finding:
    """One thing that went wrong.

    severity: a key of SEVERITIES; summary: the numbers with their uncertainty; evidence: numbers, names and window ids; diagnostic:
    the diagnostic that draws them, empty for none; spec: the run that would fix or settle it, ready to launch, None where there is no data to launch it on; explained_by: checks
    whose findings explain this one; invalidates: what not to read while it stands; claims: of a check that judges a sample, the
    intervals and thresholds that it rests on (None of older versions); probability: that it names the cause, if one fault is behind
    what is found, None of a note, of figures and of older versions.
    """

    check: str
    title: str
    severity: str
    summary: str
    evidence: dict[str, Any]
    advice: str
    spec: dict[str, Any] | None
    diagnostic: str
    explained_by: tuple[str, ...]
    invalidates: tuple[str, ...]
    claims: tuple[Claim, ...] | None = ()
    probability: float | None = None


@dataclass(frozen=True)
class NotJudged:
    """A check that could not say anything, and why."""

    check: str
    why: str


@dataclass(frozen=True)
class Diagnosis:
    """Findings, causes before symptoms; what could not be judged; and the checks that found nothing.

    about: a run's id, a file of figures, or empty for what is planned; kind: finetune, pretrain, study or reported; vitals: what was
    measured on its way from the file to the score, next to healthy runs; unmeasured: vital signs that could not be, and why;
    slices: parts of the windows that were searched (None of older versions, all three); experiments: what was tried within a budget,
    None where nothing was; remarks: notes on what healthy runs show as well.
    """

    about: str
    kind: str
    findings: tuple[Finding, ...]
    not_judged: tuple[NotJudged, ...]
    passed: tuple[str, ...]
    vitals: tuple[VitalSign, ...] | None = ()
    unmeasured: tuple[NotJudged, ...] | None = ()
    slices: tuple[WeakSlice, ...] | None = ()
    experiments: Experiments | None = None
    remarks: tuple[Finding, ...] | None = ()

    def reasons(self) -> dict[str, str]:
        """Why checks could not be judged, each reason once, with the checks in words."""
        names: dict[str, list[str]] = {}
        for row in self.not_judged:
            names.setdefault(row.why, []).append(row.check.replace("_", " "))
        return {why: ", ".join(checks) for why, checks in names.items()}
