"""What pre-training has learned: on validation windows by its own objective, and as an encoder of labelled windows."""

from __future__ import annotations

import numpy as np
import torch

from moola_core.models.encoders import Encoder, make_encoder, represent
from moola_core.training.device import seed_torch
from moola_core.training.pretraining.objectives import Validation
from moola_core.training.pretraining.trainer import Pretrainer


@torch.no_grad()
def evaluate(trainer: Pretrainer) -> Validation:
    """What the objective measures on the validation windows."""
    trainer.network.eval()
    return trainer.objective.evaluate(trainer.validation_batches(), trainer.sample.train)


def representations(trainer: Pretrainer, x: np.ndarray, draw: int = 0) -> dict[str, np.ndarray]:
    """What the pre-trained encoder, and the same one with random weights, make of windows x [n, K, F] in raw units: [n, 2 · hidden].

    draw: which random weights.
    """
    windows, spec = trainer.objective.windows, trainer.spec
    scaled = (torch.from_numpy(x).to(windows.device) - windows.mean) / windows.std
    seed_torch(spec.training.seed + draw)
    untrained = make_encoder(x.shape[2], spec.model).to(windows.device)
    trained = trainer.network.get_submodule("encoder")
    assert isinstance(trained, Encoder)
    return {
        "pre-trained": represent(trained, scaled).cpu().numpy(),
        "random weights": represent(untrained, scaled).cpu().numpy(),
    }
