"""How the tasks shared the training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class TaskBalance:
    """One task: its unweighted loss in the first epoch and at the end (training and validation), σ likewise, its gradients' norm.

    Medians over fits; σ is None where it is not learned, the norm where gradients were not taken apart.
    """

    task: str
    loss_start: float
    loss_end: float
    inner_end: float
    sigma_start: float | None
    sigma_end: float | None
    gradient_norm: float | None


@dataclass(frozen=True)
class Balance:
    """How the two tasks shared the training.

    sigma_ratio: σ pointer / σ class at the end, with its target range and the value expected at the optimum; gradient_ratio:
    median norm of the pointer's gradient over the class's on the shared parameters; cosines [20]: counts between cosine_edges [21]
    over the `measured` of all `steps`.
    """

    weighting: str
    tasks: tuple[TaskBalance, ...]
    sigma_ratio: float | None
    sigma_target: tuple[float, float]
    sigma_expected: float | None
    gradient_ratio: float | None
    cosine_edges: np.ndarray
    cosines: np.ndarray
    measured: int
    steps: int
    conflict_rate: float | None
    projection_rate: float | None
    pcgrad: bool
    pcgrad_threshold: float
    shared_parameters: int
