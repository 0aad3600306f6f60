"""The report of an investigation, made by hand."""

from __future__ import annotations

from moola_core.diagnostics.gates import contradictions, gates
from moola_core.diagnostics.results import (
    Best,
    Candidate,
    Gauge,
    Interval,
    InvestigationReport,
    Statement,
    Step,
    Unasked,
)
from moola_core.diagnostics.results.interval import Claim

WHEN = "2026-01-31T12:00:00.000+00:00"


def make_investigation(study: str, arm: str) -> InvestigationReport:
    """Two questions were asked, one answered and one not decided; `arm` is recommended."""
    statements = make_statements(study, arm)
    steps = (
        Step(
            "learnable",
            "Can anything be learned?",
            1,
            "Expected: yes 0.80.",
            0.45,
            20.0,
            "some",
            "Yes.",
            arm,
            18.0,
            "answered",
            WHEN,
        ),
        Step(
            "pretraining",
            "Does pre-training help?",
            2,
            "Undecided so far.",
            0.3,
            60.0,
            "undecided",
            "Not shown.",
            study,
            55.0,
            "undecided",
            WHEN,
        ),
    )
    return InvestigationReport(
        statements,
        Best("logistic on aggregates", arm, "f1_macro", 0.64, 0.61, 0.52, 0.70, {"hit_at_3": (0.2, 0.1, 0.3)}),
        steps,
        (Unasked("objectives", "Which objective serves the labels?", "Not answerable: there are no bars."),),
        (
            Candidate("logistic on aggregates", arm, "logistic", {"f1_macro": 0.64, "hit_at_3": 0.2}),
            Candidate("placebo", study, "network", {"f1_macro": 0.5, "hit_at_3": None}, "a placebo"),
        ),
        (Gauge("f1_macro", 0.6, True, 0.58, None),),
        {"network": {"no": 0.85, "yes": 0.15}},
        ("2024-01-03 10:00", "2024-01-04 11:30"),
        "No open question is expected to change the conclusion.",
        180.0,
        300.0,
        {"windows": 60},
        gates(None),
        contradictions(),
    )


def make_statements(study: str, arm: str) -> tuple[Statement, ...]:
    """A sentence of each kind."""
    claim = Claim("difference in AUROC of full", Interval(-0.12, -0.2, -0.04))
    return (
        Statement(
            "model",
            "Use logistic on aggregates. On new windows like these expect 0.61 (0.52 to 0.70) in macro F1.",
            arm,
            (Claim("f1_macro", Interval(0.61, 0.52, 0.70)),),
        ),
        Statement("target", "Whether the target, macro F1 above 0.6, is reached cannot be told: 0.61.", arm),
        Statement("pretraining", "Pre-training (quick, full, 2 repeats): it hurts (full).", study, (claim,)),
        Statement("cause", "Labels are noisy. 6 windows look mislabelled. By hand: look at them.", "", (claim,)),
        Statement("next", "Twice the labels are expected to add +0.05 to macro F1 (+0.03 to +0.07).", study),
    )
