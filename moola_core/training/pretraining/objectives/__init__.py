"""What pre-training can ask of the encoder: one file an objective, registered by name."""

from moola_core.registry import import_members
from moola_core.training.pretraining.objectives.objective import (
    OBJECTIVES,
    PretrainingObjective,
    ReconstructionErrors,
    Validation,
    ValidationMeasure,
    make_objective,
)

__all__ = [
    "OBJECTIVES",
    "PretrainingObjective",
    "ReconstructionErrors",
    "Validation",
    "ValidationMeasure",
    "make_objective",
]

import_members(__name__, __path__)
