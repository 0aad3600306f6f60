"""What pre-training can ask of the encoder: one file an objective, registered by name."""

from moola_core.training.pretraining.objectives import contrastive, masked, supervised  # noqa: F401  each registers its objective
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
