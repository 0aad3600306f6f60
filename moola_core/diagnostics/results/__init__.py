"""Every result that a diagnostic computes: frozen, plain, storable as strict JSON.

Pages and charts read these and nothing else of the diagnostics, so these modules import numpy alone.
"""

from __future__ import annotations

from moola_core.diagnostics.results.attribution import Attribution, Rank
from moola_core.diagnostics.results.calibration import (
    Calibration,
    CalibrationError,
    CalibrationReport,
    Recalibrated,
    ReliabilityBin,
)
from moola_core.diagnostics.results.comparison import (
    ArmFacts,
    Comparison,
    Difference,
    LabelCurve,
    Selection,
    Verdict,
    WindowDifference,
)
from moola_core.diagnostics.results.doctor import Diagnosis, Finding, NotJudged
from moola_core.diagnostics.results.errors import Errors, Slice, Suspect
from moola_core.diagnostics.results.evaluation import (
    Chance,
    Confusion,
    Evaluation,
    FoldShare,
    PointerBaseline,
    Sampled,
    Spread,
)
from moola_core.diagnostics.results.features import ColumnFact, Expectation, FeatureLabel, FeatureReport
from moola_core.diagnostics.results.interval import Interval
from moola_core.diagnostics.results.investigation import (
    Best,
    Candidate,
    Gauge,
    InvestigationReport,
    Statement,
    Step,
    Unasked,
)
from moola_core.diagnostics.results.plan import Decision, Gate, PlanReport
from moola_core.diagnostics.results.pointing import Near, Pointing, SignedError, SpanSet, StatedConfidence
from moola_core.diagnostics.results.power import Power
from moola_core.diagnostics.results.predictions import Expansion, Predicted
from moola_core.diagnostics.results.pretraining import (
    FeatureError,
    Measure,
    PretrainReport,
    Probe,
    ProbeGap,
    ProbeScore,
    Reconstruction,
)
from moola_core.diagnostics.results.search import BestTrial, SearchResult, Trial
from moola_core.diagnostics.results.shift import Domain, FeatureShift, OutOfDistribution, Shift
from moola_core.diagnostics.results.training import Balance, TaskBalance
from moola_core.diagnostics.results.transfer import LayerChange, Transferred

# Every result that a run may hold, by the name under which it is stored.
RESULTS: dict[str, type] = {
    "attribution": Attribution,
    "balance": Balance,
    "calibration": CalibrationReport,
    "comparison": Comparison,
    "doctor": Diagnosis,
    "errors": Errors,
    "evaluation": Evaluation,
    "features": FeatureReport,
    "investigation": InvestigationReport,
    "learned": PretrainReport,
    "plan": PlanReport,
    "pointing": Pointing,
    "power": Power,
    "predicted": Predicted,
    "search": SearchResult,
    "shift": Shift,
    "transfer": Transferred,
}

__all__ = [
    "RESULTS",
    "ArmFacts",
    "Attribution",
    "Balance",
    "Best",
    "BestTrial",
    "Calibration",
    "CalibrationError",
    "CalibrationReport",
    "Candidate",
    "Chance",
    "ColumnFact",
    "Comparison",
    "Confusion",
    "Decision",
    "Diagnosis",
    "Difference",
    "Domain",
    "Errors",
    "Evaluation",
    "Expansion",
    "Expectation",
    "FeatureError",
    "FeatureLabel",
    "FeatureReport",
    "FeatureShift",
    "Finding",
    "FoldShare",
    "Gate",
    "Gauge",
    "Interval",
    "InvestigationReport",
    "LabelCurve",
    "LayerChange",
    "Measure",
    "Near",
    "NotJudged",
    "OutOfDistribution",
    "PlanReport",
    "PointerBaseline",
    "Pointing",
    "Power",
    "Predicted",
    "PretrainReport",
    "Probe",
    "ProbeGap",
    "ProbeScore",
    "Rank",
    "Recalibrated",
    "Reconstruction",
    "ReliabilityBin",
    "Sampled",
    "SearchResult",
    "Selection",
    "Shift",
    "SignedError",
    "Slice",
    "SpanSet",
    "Spread",
    "StatedConfidence",
    "Statement",
    "Step",
    "Suspect",
    "TaskBalance",
    "Transferred",
    "Trial",
    "Unasked",
    "Verdict",
    "WindowDifference",
]
