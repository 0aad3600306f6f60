"""The networks that a run's fits kept, ready to be asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from moola_core.errors import CheckpointError
from moola_core.models.checkpoint import load_weights, put_weights
from moola_core.models.multitask import MultiTask
from moola_core.runs.store import Run

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True, eq=False)
class Fitted(Generic[Network]):
    """A network in eval mode with the scale [F] of its inputs."""

    model: Network
    mean: np.ndarray
    std: np.ndarray

    def scaled(self, x: np.ndarray) -> Tensor:
        """x [n, K, F] in the features' units as the network reads it."""
        return torch.from_numpy(((x - self.mean) / self.std).astype(np.float32))


def classes_of(run: Run) -> tuple[str, ...]:
    """The classes in the order of the networks' outputs."""
    return tuple(sorted(run.record.counts["labels"]))


def load_fitted(run: Run, repeat: int, fold: int) -> Fitted[MultiTask]:
    """The network that a finished fit kept. Raises CheckpointError when its weights do not fit the run's spec."""
    spec, counts = run.spec, run.record.counts
    if spec.reference != "none":
        raise CheckpointError(
            f"its {spec.reference} model keeps no weights.", where=f"run {run.id}", mend="Choose a run of the network."
        )
    weights = load_weights(run.replicates()[(repeat, fold)] / "weights.safetensors")
    mean, std = weights.pop("scale.mean"), weights.pop("scale.std")
    model = MultiTask(len(counts["features"]), len(counts["labels"]) + spec.faults.extra_output, spec.model)
    put_weights(model, weights, f"run {run.id}, repeat {repeat}, fold {fold}")
    return Fitted(model.eval(), mean, std)
